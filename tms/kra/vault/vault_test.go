package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra/vault"
)

func newKeys(t testing.TB) *soft.Store {
	t.Helper()
	s, err := soft.Create(filepath.Join(t.TempDir(), "keystore"), []byte("passphrase"),
		soft.WithCost(soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for name, spec := range map[string]keystore.Spec{
		"one": keystore.AES256, "two": keystore.AES128, "des": keystore.DES2,
	} {
		_, err := s.Generate(t.Context(), name, spec)
		require.NoError(t, err)
	}
	return s
}

func newVault(t testing.TB, s *soft.Store, name string) *vault.Vault {
	t.Helper()
	v, err := vault.New(context.Background(), s, name, rand.Reader)
	require.NoError(t, err)
	return v
}

func TestSealOpen(t *testing.T) {
	s := newKeys(t)
	v := newVault(t, s, "one")
	plain, binding := []byte("a private key"), []byte("its owner")
	sealed, err := v.Seal(plain, binding)
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), string(plain))
	again, err := v.Seal(plain, binding)
	require.NoError(t, err)
	assert.NotEqual(t, sealed, again)

	// After a change of the storage key, old records open under theirs.
	for _, v := range []*vault.Vault{v, newVault(t, s, "two")} {
		got, err := v.Open(t.Context(), "one", sealed, binding)
		require.NoError(t, err)
		assert.Equal(t, plain, got)
	}
	_, err = v.Open(t.Context(), "two", sealed, binding)
	require.ErrorIs(t, err, vault.ErrDamaged, "another storage key")
	_, err = v.Open(t.Context(), "gone", sealed, binding)
	require.ErrorIs(t, err, keystore.ErrNotFound)
	_, err = v.Open(t.Context(), "one", sealed, []byte("another"))
	require.ErrorIs(t, err, vault.ErrDamaged, "another owner")
	for i := range 8 * len(sealed) {
		bad := bytes.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		_, err := v.Open(t.Context(), "one", bad, binding)
		require.Error(t, err)
	}
}

// The form is held against what another program made of its description.
func TestSealedElsewhere(t *testing.T) {
	s := newKeys(t)
	key, err := keys.New(keys.AES, unhex(t, storageKeyHex))
	require.NoError(t, err)
	_, err = s.Import(t.Context(), "kra-storage", key)
	require.NoError(t, err)
	v := newVault(t, s, "kra-storage")
	got, err := v.Open(t.Context(), "kra-storage", unhex(t, sealedHex), []byte("binding of the record"))
	require.NoError(t, err)
	assert.Equal(t, "the private key", string(got))

	salted, err := vault.New(t.Context(), s, "kra-storage", bytes.NewReader(unhex(t, saltHex)))
	require.NoError(t, err)
	sealed, err := salted.Seal([]byte("the private key"), []byte("binding of the record"))
	require.NoError(t, err)
	assert.Equal(t, sealedHex, hex.EncodeToString(sealed))
}

func TestBounds(t *testing.T) {
	s := newKeys(t)
	v := newVault(t, s, "one")
	for name, n := range map[string]int{"none": 0, "long": vault.MaxPlain + 1} {
		_, err := v.Seal(make([]byte, n), nil)
		require.ErrorIs(t, err, vault.ErrForm, name)
	}
	_, err := v.Seal([]byte{1}, make([]byte, vault.MaxBinding+1))
	require.ErrorIs(t, err, vault.ErrForm)
	for _, n := range []int{0, 1, 48, 49, vault.MaxPlain + 50} {
		_, err := v.Open(t.Context(), "one", bytes.Repeat([]byte{1}, n), nil)
		require.ErrorIs(t, err, vault.ErrForm, fmt.Sprint(n))
	}
	_, err = v.Open(t.Context(), "one", bytes.Repeat([]byte{2}, 100), nil)
	require.ErrorIs(t, err, vault.ErrForm, "version")
	_, err = vault.New(t.Context(), s, "des", rand.Reader)
	require.ErrorIs(t, err, keystore.ErrKind)
	_, err = vault.New(t.Context(), s, "gone", rand.Reader)
	require.ErrorIs(t, err, keystore.ErrNotFound)
	empty, err := vault.New(t.Context(), s, "one", bytes.NewReader(nil))
	require.NoError(t, err)
	_, err = empty.Seal([]byte{1}, nil)
	require.Error(t, err, "no randomness, no seal")
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func FuzzOpen(f *testing.F) {
	s := newKeys(f)
	v := newVault(f, s, "one")
	f.Add([]byte{1}, []byte("x"))
	f.Add(bytes.Repeat([]byte{1}, 100), []byte{})
	f.Fuzz(func(t *testing.T, sealed, binding []byte) {
		if plain, err := v.Open(t.Context(), "one", sealed, binding); err == nil {
			t.Fatalf("opened what was never sealed: %d bytes", len(plain))
		}
	})
}
