package soft

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

func sample(t testing.TB) (file []byte, plain []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "k")
	s, err := Create(path, []byte("p"), WithCost(Cost{Time: 1, Memory: 8 << 10, Threads: 1}))
	require.NoError(t, err)
	ctx := t.Context()
	_, err = s.Generate(ctx, "des", keystore.DES2)
	require.NoError(t, err)
	_, err = s.GenerateSigner(ctx, "ca", keystore.P256)
	require.NoError(t, err)
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	plain, err = printEntries(s.entries)
	require.NoError(t, err)
	return file, plain
}

// FuzzFile feeds the clear part of the file: it must stay bounded before any passphrase is
// stretched, and what it accepts must be what it prints.
func FuzzFile(f *testing.F) {
	file, _ := sample(f)
	f.Add(file)
	f.Add([]byte(magic))
	f.Add([]byte(magic + "{}\n"))
	f.Add([]byte(magic + `{"kdf":"argon2id","cost":{"time":4294967295,"memory":4294967295,"threads":255}}` + "\n"))
	f.Add([]byte(magic + strings.Repeat("{", maxHeader) + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, aad, sealed, err := split(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrParameters) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		if err := h.Cost.check(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(append(bytes.Clone(aad), sealed...), b) {
			t.Fatal("parts are not the whole")
		}
		again, err := h.lines()
		if err != nil {
			t.Fatal(err)
		}
		if h2, _, _, err := split(again); err != nil || h2.Cost != h.Cost {
			t.Fatalf("%v: %q", err, again)
		}
	})
}

// FuzzContents feeds the decrypted part: a file whose passphrase is known may still be hostile.
func FuzzContents(f *testing.F) {
	_, plain := sample(f)
	f.Add(plain)
	f.Add([]byte(`{"keys":[{"name":"a","spec":"aes128","data":"AAAAAAAAAAAAAAAAAAAAAA=="}]}`))
	f.Add([]byte(`{"keys":[{"name":"a","spec":"p256","data":"AAAA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := parseEntries(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		printed, err := printEntries(entries)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseEntries(printed)
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%v: %d entries, then %d", err, len(entries), len(again))
		}
	})
}

func TestContentsRefused(t *testing.T) {
	one := `{"name":"a","spec":"aes128","data":"AAAAAAAAAAAAAAAAAAAAAA=="}`
	for name, b := range map[string]string{
		"empty":         ``,
		"not json":      `keys`,
		"unknown field": `{"keys":[],"more":1}`,
		"trailing":      `{"keys":[]} {}`,
		"twice":         `{"keys":[` + one + `,` + one + `]}`,
		"short key":     `{"keys":[{"name":"a","spec":"aes256","data":"AAAAAAAAAAAAAAAAAAAAAA=="}]}`,
		"unknown spec":  `{"keys":[{"name":"a","spec":"aes","data":"AAAAAAAAAAAAAAAAAAAAAA=="}]}`,
		"bad name":      `{"keys":[{"name":"","spec":"aes128","data":"AAAAAAAAAAAAAAAAAAAAAA=="}]}`,
		"not a pkcs8":   `{"keys":[{"name":"a","spec":"p256","data":"AAAA"}]}`,
	} {
		_, err := parseEntries([]byte(b))
		require.ErrorIs(t, err, ErrFormat, name)
		assert.NotContains(t, err.Error(), "AAAA", name)
	}
	_, plain := sample(t)
	wrong := bytes.Replace(plain, []byte(`"p256"`), []byte(`"p384"`), 1)
	require.NotEqual(t, plain, wrong)
	_, err := parseEntries(wrong)
	require.ErrorIs(t, err, ErrFormat, "a private key of another size than it says")
}

func TestParametersAreBoundedBeforeTheWorkIsDone(t *testing.T) {
	for _, c := range []Cost{
		{}, {Time: 1, Memory: 8<<10 - 1, Threads: 1}, {Time: 1, Memory: 1<<20 + 1, Threads: 1},
		{Time: 33, Memory: 8 << 10, Threads: 1}, {Time: 1, Memory: 8 << 10, Threads: 17},
	} {
		h := header{KDF: kdfName, Cost: c, Salt: make([]byte, saltLen), Nonce: make([]byte, nonceLen)}
		b, err := h.lines()
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "k")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		_, err = Open(path, []byte("p"))
		require.ErrorIs(t, err, ErrParameters)
	}
	require.NoError(t, DefaultCost.check())
}

func TestGeneratedDESKeysAreNotSingleDES(t *testing.T) {
	// The first draw repeats its halves; the second does not.
	draw := append(bytes.Repeat([]byte{1}, 16), "different-halves"...)
	k, err := generateKey(bytes.NewReader(draw), keystore.DES2)
	require.NoError(t, err)
	b := k.Bytes()
	assert.NotEqual(t, b[:8], b[8:])
	_, err = generateKey(bytes.NewReader(draw[:16]), keystore.DES2)
	require.Error(t, err, "randomness that ends")
	assert.Equal(t, keystore.Spec(""), keystore.SpecOf(keys.AES, 20))
}
