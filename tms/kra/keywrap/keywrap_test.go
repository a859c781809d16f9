package keywrap_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra/keywrap"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// vector is what another implementation made of a key and data.
type vector struct {
	Source                  string
	Kind                    string
	Key, IV, Plain, Wrapped hexBytes
}

func vectors(t *testing.T, kind string) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var all, out []vector
	require.NoError(t, json.Unmarshal(text, &all))
	for _, v := range all {
		require.NotEmpty(t, v.Source)
		if v.Kind == kind {
			out = append(out, v)
		}
	}
	require.NotEmpty(t, out)
	return out
}

func TestKWP(t *testing.T) {
	fromRFC := 0
	for _, v := range vectors(t, "KWP") {
		got, err := keywrap.WrapKWP(v.Key, v.Plain)
		require.NoError(t, err)
		assert.Equal(t, []byte(v.Wrapped), got, "%s, %d bytes", v.Source, len(v.Plain))
		back, err := keywrap.UnwrapKWP(v.Key, v.Wrapped)
		require.NoError(t, err)
		assert.Equal(t, []byte(v.Plain), back)
		if v.Source == "RFC 5649 section 6" {
			fromRFC++
		}
	}
	assert.Equal(t, 2, fromRFC)
}

func TestAESCBC(t *testing.T) {
	for _, v := range vectors(t, "AES-CBC") {
		got, err := keywrap.WrapAESCBC(v.Key, v.Plain)
		require.NoError(t, err)
		assert.Equal(t, []byte(v.Wrapped), got)
	}
}

func TestDES3CBC(t *testing.T) {
	for _, v := range vectors(t, "3DES-CBC") {
		got, iv, err := keywrap.WrapDES3CBC(bytes.NewReader(v.IV), v.Key, v.Plain)
		require.NoError(t, err)
		assert.Equal(t, []byte(v.Wrapped), got)
		assert.Equal(t, []byte(v.IV), iv)
	}
}

// Every damage of wrapped data is found, with one error for all of them.
func TestKWPDamage(t *testing.T) {
	key, plain := bytes.Repeat([]byte{7}, 16), []byte("thirteen byte")
	for _, n := range []int{1, 8, 13} {
		wrapped, err := keywrap.WrapKWP(key, plain[:n])
		require.NoError(t, err)
		for i := range 8 * len(wrapped) {
			bad := bytes.Clone(wrapped)
			bad[i/8] ^= 1 << (i % 8)
			_, err := keywrap.UnwrapKWP(key, bad)
			require.Equal(t, keywrap.ErrUnwrap, err)
		}
	}
}

// Data that were wrapped by somebody who keeps the form in all but one thing.
func TestKWPForgedForms(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 16)
	k, err := keys.New(keys.AES, key)
	require.NoError(t, err)
	for name, block := range map[string]string{
		"initial value":     "A65959A700000008" + "0102030405060708",
		"longer than there": "A65959A600000009" + "0102030405060708",
		"a block too short": "A65959A600000000" + "0000000000000000",
		"huge":              "A65959A6FFFFFFFF" + "0102030405060708",
		"padding not zero":  "A65959A600000005" + "0102030405000001",
	} {
		b, err := hex.DecodeString(block)
		require.NoError(t, err)
		wrapped, err := k.EncryptECB(b)
		require.NoError(t, err)
		_, err = keywrap.UnwrapKWP(key, wrapped)
		assert.ErrorIs(t, err, keywrap.ErrUnwrap, name)
	}
}

func TestBounds(t *testing.T) {
	key := make([]byte, 16)
	huge := make([]byte, keywrap.MaxPlain+1)
	for _, plain := range [][]byte{nil, {}, huge} {
		_, err := keywrap.WrapKWP(key, plain)
		require.ErrorIs(t, err, keywrap.ErrLength)
		_, err = keywrap.WrapAESCBC(key, plain)
		require.ErrorIs(t, err, keywrap.ErrLength)
		_, _, err = keywrap.WrapDES3CBC(bytes.NewReader(key), key, plain)
		require.ErrorIs(t, err, keywrap.ErrLength)
	}
	for _, n := range []int{0, 8, 12, 17, keywrap.MaxPlain + 16} {
		_, err := keywrap.UnwrapKWP(key, make([]byte, n))
		require.ErrorIs(t, err, keywrap.ErrLength)
	}
	for _, n := range []int{0, 8, 15, 17, 33} {
		_, err := keywrap.WrapKWP(make([]byte, n), key)
		require.Error(t, err)
		_, err = keywrap.UnwrapKWP(make([]byte, n), key)
		require.Error(t, err)
		_, err = keywrap.WrapAESCBC(make([]byte, n), key)
		require.Error(t, err)
		_, _, err = keywrap.WrapDES3CBC(bytes.NewReader(key), make([]byte, n), key)
		require.Error(t, err)
	}
	_, _, err := keywrap.WrapDES3CBC(bytes.NewReader(nil), key, key)
	require.Error(t, err, "no randomness, no IV")
}

func FuzzUnwrapKWP(f *testing.F) {
	key := bytes.Repeat([]byte{9}, 16)
	for _, n := range []int{1, 8, 20, 100} {
		wrapped, err := keywrap.WrapKWP(key, bytes.Repeat([]byte{3}, n))
		require.NoError(f, err)
		f.Add(wrapped)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		plain, err := keywrap.UnwrapKWP(key, wrapped)
		if err != nil {
			return
		}
		again, err := keywrap.WrapKWP(key, plain)
		require.NoError(t, err)
		require.Equal(t, wrapped, again, "one form only")
	})
}

func BenchmarkWrapRSA2048(b *testing.B) {
	key, plain := make([]byte, 16), make([]byte, 1217)
	b.Run("KWP", func(b *testing.B) {
		for b.Loop() {
			_, _ = keywrap.WrapKWP(key, plain)
		}
	})
	b.Run("AES-CBC", func(b *testing.B) {
		for b.Loop() {
			_, _ = keywrap.WrapAESCBC(key, plain)
		}
	})
}
