package keys_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/vectors"
	"tokenwright/tms/gp/keys"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func mustKey(t testing.TB, alg keys.Algorithm, b []byte) keys.Key {
	t.Helper()
	k, err := keys.New(alg, b)
	require.NoError(t, err)
	return k
}

// secretBytes spells one thing in every way that a printer could.
var secretBytes = []byte("KEYBYTESkeybytes")

func forbidden() []string {
	out := []string{
		string(secretBytes), hex.EncodeToString(secretBytes),
		strings.ToUpper(hex.EncodeToString(secretBytes)), "S0VZQllURVNrZXlieXRlcw",
	}
	for _, format := range []string{"%v", "%d", "%o", "%b", "%x", "%#x", "%#v", "% x", "%q", "%U"} {
		s := fmt.Sprintf(format, secretBytes[:4])
		out = append(out, strings.Trim(s, "[]{}\""))
	}
	return out
}

func TestNothingPrintsAKey(t *testing.T) {
	k := mustKey(t, keys.DES3, secretBytes)
	a := mustKey(t, keys.AES, secretBytes)
	set := keys.KeySet{KVN: 2, ENC: k, MAC: a, DEK: k}
	session := keys.SessionKeys{SENC: a, SMAC: a, SRMAC: a, SDEK: k}
	type hidden struct{ k keys.Key }
	values := map[string]any{
		"key": k, "key pointer": &k, "aes": a, "set": set, "set pointer": &set, "session": session,
		"session pointer": &session, "slice": []keys.Key{k, a}, "map": map[string]keys.Key{"x": k},
		"exported field": struct{ K keys.Key }{k}, "hidden field": hidden{k}, "hidden pointer": &hidden{k},
		"nested": struct{ s []*keys.SessionKeys }{[]*keys.SessionKeys{&session}},
		"error":  fmt.Errorf("with %v and %+v", k, session),
	}
	verbs := "vTtbcdoOqxXUeEfFgGspw"
	flags := []string{"", "+", "-", "#", " ", "0", "+#", "20", ".3"}
	for name, v := range values {
		var out []string
		for _, verb := range verbs {
			for _, flag := range flags {
				out = append(out, fmt.Sprintf("%"+flag+string(verb), v))
			}
		}
		out = append(out, fmt.Sprint(v), fmt.Sprintln(v))
		if b, err := json.Marshal(v); err == nil {
			out = append(out, string(b))
		}
		if b, err := xml.Marshal(v); err == nil {
			out = append(out, string(b))
		}
		for _, o := range out {
			for _, bad := range forbidden() {
				assert.NotContains(t, o, bad, name)
			}
		}
	}
}

func TestLogsAndJSONSayWhatAKeyIs(t *testing.T) {
	k := mustKey(t, keys.DES3, secretBytes)
	set := keys.KeySet{KVN: 0xFF, ENC: k, MAC: k}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var buf bytes.Buffer
		slog.New(handler(&buf)).Info("x", "key", k, "set", set, "session", keys.SessionKeys{SENC: k},
			slog.Group("g", "deep", &k), "list", []keys.Key{k}, "any", struct{ K keys.Key }{k})
		assert.Contains(t, buf.String(), "DES3 key, 16 bytes, redacted", name)
		for _, bad := range forbidden() {
			assert.NotContains(t, buf.String(), bad, name)
		}
	}
	b, err := json.Marshal(map[string]any{"k": k, "s": set})
	require.NoError(t, err)
	assert.Contains(t, string(b), "redacted")
	assert.Equal(t, "[DES3 key, 16 bytes, redacted]", fmt.Sprintf("%#v", k))
	assert.Equal(t, "[no key]", keys.Key{}.String())
	assert.Contains(t, set.String(), "KVN FF")
	assert.Contains(t, set.String(), "DEK [no key]")
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		alg keys.Algorithm
		n   int
		err error
	}{
		{keys.DES3, 16, nil}, {keys.DES3, 24, nil}, {keys.AES, 16, nil}, {keys.AES, 24, nil},
		{keys.AES, 32, nil}, {keys.DES3, 8, keys.ErrKeyLength}, {keys.DES3, 32, keys.ErrKeyLength},
		{keys.DES3, 0, keys.ErrKeyLength}, {keys.AES, 0, keys.ErrKeyLength},
		{keys.AES, 17, keys.ErrKeyLength}, {0, 16, keys.ErrAlgorithm}, {7, 16, keys.ErrAlgorithm},
	} {
		in := bytes.Repeat([]byte{0x5A}, c.n)
		k, err := keys.New(c.alg, in)
		if c.err != nil {
			require.ErrorIs(t, err, c.err, "%v %d", c.alg, c.n)
			assert.True(t, k.IsZero())
			continue
		}
		require.NoError(t, err)
		clear(in)
		assert.Equal(t, bytes.Repeat([]byte{0x5A}, c.n), k.Bytes(), "the key is a copy")
		k.Bytes()[0] = 0
		assert.Equal(t, byte(0x5A), k.Bytes()[0], "Bytes is a copy")
		assert.Equal(t, c.n, k.Len())
		assert.Equal(t, c.alg, k.Algorithm())
	}
	assert.Equal(t, "algorithm(0)", keys.Algorithm(0).String())
	assert.Zero(t, keys.Algorithm(0).BlockSize())
	assert.Nil(t, keys.CheckBlock(0))
}

func TestZeroKeyDoesNothing(t *testing.T) {
	var k keys.Key
	for name, f := range map[string]func() error{
		"ecb":     func() error { _, err := k.EncryptECB(nil); return err },
		"ecb dec": func() error { _, err := k.DecryptECB(nil); return err },
		"cbc":     func() error { _, err := k.EncryptCBC(nil, nil); return err },
		"cbc dec": func() error { _, err := k.DecryptCBC(nil, nil); return err },
		"cmac":    func() error { _, err := k.CMAC(nil); return err },
		"hmac":    func() error { _, err := k.HMACSHA256(nil); return err },
		"full":    func() error { _, err := k.FullMAC([8]byte{}, nil); return err },
		"retail":  func() error { _, err := k.RetailMAC([8]byte{}, nil); return err },
		"single":  func() error { _, err := k.EncryptSingleDES([8]byte{}); return err },
	} {
		require.ErrorIs(t, f(), keys.ErrNoKey, name)
	}
	assert.Zero(t, k.KCV())
	assert.Nil(t, k.Bytes())
	assert.True(t, k.Equal(keys.Key{}))
	assert.Zero(t, k.Len())
}

func TestEqual(t *testing.T) {
	a, b := mustKey(t, keys.AES, secretBytes), mustKey(t, keys.AES, secretBytes)
	assert.True(t, a.Equal(b))
	assert.False(t, a.Equal(mustKey(t, keys.DES3, secretBytes)))
	assert.False(t, a.Equal(mustKey(t, keys.AES, bytes.Repeat([]byte{1}, 16))))
	assert.False(t, a.Equal(mustKey(t, keys.AES, bytes.Repeat([]byte{1}, 32))))
	assert.False(t, a.Equal(keys.Key{}))
	assert.False(t, keys.Key{}.Equal(a))
}

// TestKCV holds the check values of the well-known default key.
func TestKCV(t *testing.T) {
	b := unhex(t, "404142434445464748494A4B4C4D4E4F")
	assert.Equal(t, "8BAF47", mustKey(t, keys.DES3, b).KCV().String())
	assert.Equal(t, "504A77", mustKey(t, keys.AES, b).KCV().String())
	long := append(bytes.Clone(b), b[:8]...)
	assert.Equal(t, "8BAF47", mustKey(t, keys.DES3, long).KCV().String(), "K1 K2 K1 is K1 K2")
}

func TestCMACVectors(t *testing.T) {
	all, err := vectors.PRFs()
	require.NoError(t, err)
	ran := 0
	for _, v := range all {
		if v.PRF != "cmac" || v.Bits != 0 {
			continue
		}
		ran++
		k := mustKey(t, keys.AES, v.Key)
		got, err := k.CMAC(v.Message)
		require.NoError(t, err)
		assert.Equal(t, []byte(v.Output), got, v.Name)
		if len(v.Message) > 0 {
			v.Message[len(v.Message)-1] ^= 1
			got, err = k.CMAC(v.Message)
			require.NoError(t, err)
			assert.NotEqual(t, []byte(v.Output), got, v.Name)
		}
	}
	assert.Equal(t, 12, ran)
	_, err = mustKey(t, keys.DES3, secretBytes).CMAC(nil)
	require.ErrorIs(t, err, keys.ErrAlgorithm)
}

func TestBlocksRoundTripAndRefusePartOnes(t *testing.T) {
	for _, k := range []keys.Key{
		mustKey(t, keys.DES3, secretBytes), mustKey(t, keys.DES3, []byte("123456789012345678901234")),
		mustKey(t, keys.AES, secretBytes), mustKey(t, keys.AES, bytes.Repeat([]byte{3}, 32)),
	} {
		n := k.Algorithm().BlockSize()
		src := bytes.Repeat([]byte("0123456789abcdef"), 3)
		iv := bytes.Repeat([]byte{9}, n)
		ecb, err := k.EncryptECB(src)
		require.NoError(t, err)
		assert.Equal(t, ecb[:n], ecb[16:16+n], "blocks are independent")
		back, err := k.DecryptECB(ecb)
		require.NoError(t, err)
		assert.Equal(t, src, back)
		for _, v := range [][]byte{nil, iv} {
			cbc, err := k.EncryptCBC(v, src)
			require.NoError(t, err)
			assert.NotEqual(t, cbc[:n], cbc[16:16+n], "blocks are chained")
			back, err = k.DecryptCBC(v, cbc)
			require.NoError(t, err)
			assert.Equal(t, src, back)
		}
		for _, f := range []func() error{
			func() error { _, err := k.EncryptECB(src[1:]); return err },
			func() error { _, err := k.DecryptECB(src[1:]); return err },
			func() error { _, err := k.EncryptCBC(nil, src[1:]); return err },
			func() error { _, err := k.DecryptCBC(nil, src[1:]); return err },
			func() error { _, err := k.EncryptCBC(iv[1:], src); return err },
			func() error { _, err := k.DecryptCBC([]byte{}, src); return err },
		} {
			require.ErrorIs(t, f(), keys.ErrLength)
		}
	}
}

// TestMACsOfOneBlock pins what tells the two DES MACs apart: for a message that fills one block
// with its padding both are one triple DES; beyond that they differ.
func TestMACsOfOneBlock(t *testing.T) {
	k := mustKey(t, keys.DES3, secretBytes)
	block, err := k.EncryptECB([]byte{1, 2, 3, 0x80, 0, 0, 0, 0})
	require.NoError(t, err)
	full, err := k.FullMAC([8]byte{}, []byte{1, 2, 3})
	require.NoError(t, err)
	retail, err := k.RetailMAC([8]byte{}, []byte{1, 2, 3})
	require.NoError(t, err)
	assert.Equal(t, block, full[:])
	assert.Equal(t, block, retail[:])
	full, err = k.FullMAC([8]byte{}, make([]byte, 8))
	require.NoError(t, err)
	retail, err = k.RetailMAC([8]byte{}, make([]byte, 8))
	require.NoError(t, err)
	assert.NotEqual(t, full, retail)
	aes := mustKey(t, keys.AES, secretBytes)
	_, err = aes.FullMAC([8]byte{}, nil)
	require.ErrorIs(t, err, keys.ErrAlgorithm)
	_, err = aes.RetailMAC([8]byte{}, nil)
	require.ErrorIs(t, err, keys.ErrAlgorithm)
	_, err = aes.EncryptSingleDES([8]byte{})
	require.ErrorIs(t, err, keys.ErrAlgorithm)
}
