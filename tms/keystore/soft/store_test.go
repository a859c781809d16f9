package soft_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// cheap is the least effort that a file may ask for.
var cheap = soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}

var passphrase = []byte("correct horse")

func create(t testing.TB) (*soft.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keystore")
	s, err := soft.Create(path, passphrase, soft.WithCost(cheap))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, path
}

func symmetric(t testing.TB, alg keys.Algorithm, b string) keys.Key {
	t.Helper()
	k, err := keys.New(alg, []byte(b))
	require.NoError(t, err)
	return k
}

func TestKeysOutliveTheProcess(t *testing.T) {
	ctx := t.Context()
	s, path := create(t)
	specs := []keystore.Spec{
		keystore.DES2, keystore.DES3, keystore.AES128, keystore.AES192, keystore.AES256,
	}
	kcv := map[string]keys.KCV{}
	for _, spec := range specs {
		k, err := s.Generate(ctx, "master "+string(spec), spec)
		require.NoError(t, err)
		kcv[k.Name()], err = kdf.KCV(k)
		require.NoError(t, err)
		alg, n, ok := spec.Symmetric()
		assert.True(t, ok)
		assert.Equal(t, alg, k.Algorithm())
		assert.Equal(t, n, k.Len())
	}
	imported := symmetric(t, keys.DES3, "0123456789abcdef")
	_, err := s.Import(ctx, "#01#01", imported)
	require.NoError(t, err)
	ca, err := s.GenerateSigner(ctx, "ca", keystore.P256)
	require.NoError(t, err)

	again, err := soft.Open(path, passphrase)
	require.NoError(t, err)
	list, err := again.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, len(specs)+2)
	assert.Equal(t, keystore.Info{Name: "#01#01", Spec: keystore.DES2, KCV: imported.KCV()}, list[0])
	for _, i := range list {
		if want, ok := kcv[i.Name]; ok {
			assert.Equal(t, want, i.KCV)
		}
	}
	k, err := again.Key(ctx, "#01#01")
	require.NoError(t, err)
	want, err := imported.EncryptECB(make([]byte, 16))
	require.NoError(t, err)
	got, err := k.EncryptECB(make([]byte, 16))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	signer, err := again.Signer(ctx, "ca")
	require.NoError(t, err)
	assert.Equal(t, ca.Public(), signer.Public())

	require.NoError(t, again.Delete(ctx, "ca"))
	third, err := soft.Open(path, passphrase)
	require.NoError(t, err)
	_, err = third.Signer(ctx, "ca")
	require.ErrorIs(t, err, keystore.ErrNotFound)
}

func TestSignersSignAndRSADecrypts(t *testing.T) {
	ctx := t.Context()
	s, _ := create(t)
	digest := sha256.Sum256([]byte("message"))
	for _, spec := range []keystore.Spec{keystore.P256, keystore.P384, keystore.RSA2048} {
		k, err := s.GenerateSigner(ctx, string(spec), spec)
		require.NoError(t, err)
		sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
		require.NoError(t, err)
		switch p := k.Public().(type) {
		case *ecdsa.PublicKey:
			assert.True(t, ecdsa.VerifyASN1(p, digest[:], sig))
			_, ok := k.(crypto.Decrypter)
			assert.False(t, ok)
		case *rsa.PublicKey:
			require.NoError(t, rsa.VerifyPKCS1v15(p, crypto.SHA256, digest[:], sig))
			sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, p, []byte("secret"), nil)
			require.NoError(t, err)
			plain, err := k.(crypto.Decrypter).Decrypt(rand.Reader, sealed,
				&rsa.OAEPOptions{Hash: crypto.SHA256})
			require.NoError(t, err)
			assert.Equal(t, "secret", string(plain))
			_, err = k.(crypto.Decrypter).Decrypt(rand.Reader, sealed[1:], nil)
			require.Error(t, err)
		}
		_, err = k.Sign(rand.Reader, digest[1:], crypto.SHA256)
		if spec == keystore.RSA2048 {
			require.Error(t, err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k, err := s.ImportSigner(ctx, "imported", private)
	require.NoError(t, err)
	assert.Equal(t, private.Public(), k.Public())
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	_, err = s.ImportSigner(ctx, "small", small)
	require.ErrorIs(t, err, keystore.ErrSpec)
}

// TestMastersDeriveWithoutShowingBytes runs a TKS's work through the keystore and compares it with
// the same work on a bare key.
func TestMastersDeriveWithoutShowingBytes(t *testing.T) {
	ctx := t.Context()
	s, _ := create(t)
	kdd := keys.KDD{0xA0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, c := range []struct {
		m   kdf.Method
		alg keys.Algorithm
	}{
		{kdf.EMV, keys.DES3}, {kdf.VISA2, keys.DES3}, {kdf.NIST, keys.DES3},
		{kdf.GPKMC, keys.AES}, {kdf.KDF3, keys.AES},
	} {
		bare := symmetric(t, c.alg, "ABCDEFGHabcdefgh")
		master, err := s.Import(ctx, c.m.String(), bare)
		require.NoError(t, err)
		want, err := kdf.Diversify(c.m, bare, kdf.Input{KDD: kdd})
		require.NoError(t, err)
		got, err := kdf.Diversify(c.m, master, kdf.Input{KDD: kdd})
		require.NoError(t, err)
		assert.True(t, want.DEK.(keys.Key).Equal(got.DEK.(keys.Key)), c.m)
		assert.True(t, want.ENC.(keys.Key).Equal(got.ENC.(keys.Key)), c.m)
	}
	// Method none: the master itself is the card key and still derives sessions.
	master, err := s.Generate(ctx, "aes master", keystore.AES256)
	require.NoError(t, err)
	ck, err := kdf.Diversify(kdf.None, master, kdf.Input{KDD: kdd})
	require.NoError(t, err)
	sk, err := kdf.SessionSCP03(ck, [8]byte{1}, [8]byte{2})
	require.NoError(t, err)
	assert.Equal(t, 32, sk.SMAC.Len())
	derived, err := master.DeriveECB(keys.AES, make([]byte, 16))
	require.NoError(t, err)
	assert.Equal(t, 16, derived.Len())
	_, err = master.DeriveECB(keys.AES, make([]byte, 15))
	require.ErrorIs(t, err, keys.ErrLength)
}

func TestWrappingBetweenKeys(t *testing.T) {
	ctx := t.Context()
	s, _ := create(t)
	shared, err := s.Generate(ctx, "sharedSecret", keystore.AES256)
	require.NoError(t, err)
	legacy, err := s.Generate(ctx, "legacySecret", keystore.DES3)
	require.NoError(t, err)
	session := symmetric(t, keys.DES3, "sessionkey123456")
	aes192 := symmetric(t, keys.AES, "abcdefghijklmnopqrstuvwx")
	for _, c := range []struct {
		name  string
		under keystore.Key
		mode  keystore.Mode
		k     keys.Key
		n     int
	}{
		{"aes secret", shared, keystore.CBC, session, 16},
		{"legacy secret", legacy, keystore.ECB, session, 16},
		{"aes-192 filled", shared, keystore.CBC, aes192, 32},
		{"three-key des under des", legacy, keystore.ECB, symmetric(t, keys.DES3, "123456781234567812345678"), 24},
	} {
		wrapped, err := keystore.Wrap(c.k, c.under, c.mode)
		require.NoError(t, err, c.name)
		assert.Len(t, wrapped, c.n, c.name)
		back, err := c.under.Unwrap(c.mode, c.k.Algorithm(), c.k.Len(), wrapped)
		require.NoError(t, err, c.name)
		assert.True(t, c.k.Equal(back), c.name)
	}
	// A home's key under a session key, as PUT KEY carries it.
	master, err := s.Import(ctx, "master", session)
	require.NoError(t, err)
	dek := symmetric(t, keys.DES3, "dekdekdekdekdek!")
	wrapped, err := keystore.Wrap(master, dek, keystore.ECB)
	require.NoError(t, err)
	want, err := dek.EncryptECB(session.Bytes())
	require.NoError(t, err)
	assert.Equal(t, want, wrapped)

	_, err = keystore.Wrap(aes192, shared, keystore.ECB)
	require.ErrorIs(t, err, keystore.ErrLength)
	_, err = keystore.Wrap(session, shared, 0)
	require.ErrorIs(t, err, keystore.ErrMode)
	_, err = keystore.Wrap(keys.Key{}, shared, keystore.ECB)
	require.ErrorIs(t, err, keys.ErrNoKey)
	_, err = keystore.Wrap(session, keys.Key{}, keystore.ECB)
	require.ErrorIs(t, err, keys.ErrNoKey)
	_, err = keystore.Wrap(session, nil, keystore.ECB)
	require.ErrorIs(t, err, keys.ErrNoKey)
	for _, n := range []int{0, 8, 15, 17, 32} {
		_, err = shared.Unwrap(keystore.CBC, keys.DES3, 16, make([]byte, n))
		require.ErrorIs(t, err, keystore.ErrLength, n)
	}
	_, err = shared.Unwrap(9, keys.DES3, 16, make([]byte, 16))
	require.ErrorIs(t, err, keystore.ErrMode)
	_, err = shared.Unwrap(keystore.CBC, keys.AES, 48, make([]byte, 48))
	require.ErrorIs(t, err, keys.ErrKeyLength)
	_, err = shared.Unwrap(keystore.CBC, keys.AES, 0, nil)
	require.ErrorIs(t, err, keystore.ErrLength)
}

func TestStoreRefuses(t *testing.T) {
	ctx := t.Context()
	s, path := create(t)
	_, err := s.Generate(ctx, "a", keystore.AES128)
	require.NoError(t, err)
	_, err = s.GenerateSigner(ctx, "b", keystore.P256)
	require.NoError(t, err)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	done, cancel := context.WithCancel(ctx)
	cancel()
	key := func(name string) func() error {
		return func() error { _, err := s.Key(ctx, name); return err }
	}
	signer := func(name string) func() error {
		return func() error { _, err := s.Signer(ctx, name); return err }
	}
	generate := func(name string, spec keystore.Spec) func() error {
		return func() error { _, err := s.Generate(ctx, name, spec); return err }
	}
	for name, c := range map[string]struct {
		f    func() error
		want error
	}{
		"key not found":    {key("z"), keystore.ErrNotFound},
		"signer not found": {signer("z"), keystore.ErrNotFound},
		"signer as key":    {key("b"), keystore.ErrKind},
		"key as signer":    {signer("a"), keystore.ErrKind},
		"name taken":       {generate("a", keystore.DES2), keystore.ErrExists},
		"taken by import": {func() error {
			_, err := s.Import(ctx, "b", symmetric(t, keys.AES, "0123456789abcdef"))
			return err
		}, keystore.ErrExists},
		"no key":          {func() error { _, err := s.Import(ctx, "n", keys.Key{}); return err }, keystore.ErrSpec},
		"unknown spec":    {generate("n", "aes512"), keystore.ErrSpec},
		"asymmetric spec": {generate("n", keystore.P256), keystore.ErrSpec},
		"symmetric spec": {func() error {
			_, err := s.GenerateSigner(ctx, "n", keystore.DES2)
			return err
		}, keystore.ErrSpec},
		"delete missing": {func() error { return s.Delete(ctx, "z") }, keystore.ErrNotFound},
		"context key":    {func() error { _, err := s.Key(done, "a"); return err }, context.Canceled},
		"context list":   {func() error { _, err := s.List(done); return err }, context.Canceled},
		"context change": {func() error { return s.Delete(done, "a") }, context.Canceled},
	} {
		require.ErrorIs(t, c.f(), c.want, name)
	}
	for _, bad := range []string{"", " a", "a ", "a\nb", "a\x00", string([]byte{0xFF}), strings.Repeat("x", 129)} {
		_, err := s.Generate(ctx, bad, keystore.AES128)
		require.ErrorIs(t, err, keystore.ErrName, "%q", bad)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after, "refused changes write nothing")

	require.NoError(t, s.Close())
	_, err = s.Key(ctx, "a")
	require.ErrorIs(t, err, keystore.ErrClosed)
	_, err = s.List(ctx)
	require.ErrorIs(t, err, keystore.ErrClosed)
	require.ErrorIs(t, s.Delete(ctx, "a"), keystore.ErrClosed)
}

func TestOpenRefuses(t *testing.T) {
	s, path := create(t)
	_, err := s.Generate(t.Context(), "a", keystore.AES128)
	require.NoError(t, err)
	_, err = soft.Create(path, passphrase, soft.WithCost(cheap))
	require.ErrorIs(t, err, os.ErrExist, "an existing file is never overwritten")
	_, err = soft.Open(path, []byte("correct horse "))
	require.ErrorIs(t, err, soft.ErrPassphrase)
	_, err = soft.Open(path, nil)
	require.ErrorIs(t, err, soft.ErrPassphrase)
	_, err = soft.Open(path+".missing", passphrase)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = soft.Create(filepath.Join(t.TempDir(), "x"), nil)
	require.ErrorIs(t, err, soft.ErrPassphrase, "empty passphrase")
	_, err = soft.Create(filepath.Join(t.TempDir(), "x"), passphrase, soft.WithCost(soft.Cost{}))
	require.ErrorIs(t, err, soft.ErrParameters)
	_, err = soft.Create(filepath.Join(t.TempDir(), "none", "x"), passphrase, soft.WithCost(cheap))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = soft.Open(t.TempDir(), passphrase)
	require.ErrorIs(t, err, soft.ErrFormat, "a directory")

	require.NoError(t, os.Chmod(path, 0o644))
	_, err = soft.Open(path, passphrase)
	require.ErrorIs(t, err, soft.ErrPermissions)
	assert.Contains(t, err.Error(), "0644")
	require.NoError(t, os.Chmod(path, 0o600))

	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range good { // every byte is covered: by the parser or by the seal
		bad := bytes.Clone(good)
		bad[i] ^= 0x20
		if i%7 != 0 && i > 30 && i < len(good)-16 {
			continue
		}
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err = soft.Open(path, passphrase)
		require.Error(t, err, "byte %d", i)
	}
	require.NoError(t, os.WriteFile(path, make([]byte, 9<<20), 0o600))
	_, err = soft.Open(path, passphrase)
	require.ErrorIs(t, err, soft.ErrTooLarge)
}

func TestFileIsPrivateAndLeavesNothingBehind(t *testing.T) {
	ctx := t.Context()
	s, path := create(t)
	for i := range 5 {
		_, err := s.Generate(ctx, fmt.Sprint(i), keystore.AES128)
		require.NoError(t, err)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	assert.Equal(t, []string{"keystore", "keystore.lock"}, names)
}

// TestTwoProcessesLoseNoChange lets two opened stores, as two processes have them, add keys at
// once; both see all of them.
func TestTwoProcessesLoseNoChange(t *testing.T) {
	ctx := t.Context()
	a, path := create(t)
	b, err := soft.Open(path, passphrase)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i, s := range []*soft.Store{a, b, a, b} {
		wg.Go(func() {
			for j := range 10 {
				_, err := s.Generate(ctx, fmt.Sprintf("key %d %d", i, j), keystore.AES128)
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	for _, s := range []*soft.Store{a, b} {
		list, err := s.List(ctx)
		require.NoError(t, err)
		assert.Len(t, list, 40)
		_, err = s.Key(ctx, "key 3 9")
		require.NoError(t, err)
	}
	_, err = a.Generate(ctx, "both", keystore.AES128)
	require.NoError(t, err)
	_, err = b.Generate(ctx, "both", keystore.AES128)
	require.ErrorIs(t, err, keystore.ErrExists)
	_, err = b.Key(ctx, "both")
	require.NoError(t, err)
}

func TestAFileReplacedUnderAnotherPassphraseIsNoticed(t *testing.T) {
	ctx := t.Context()
	s, path := create(t)
	_, err := s.Generate(ctx, "old", keystore.AES128)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	_, err = soft.Create(path, []byte("other"), soft.WithCost(cheap))
	require.NoError(t, err)
	_, err = s.Generate(ctx, "new", keystore.AES128)
	require.ErrorIs(t, err, soft.ErrChanged)
	_, err = s.Key(ctx, "old")
	require.NoError(t, err, "what is in memory serves on")
	require.NoError(t, os.Remove(path))
	require.ErrorIs(t, s.Delete(ctx, "old"), os.ErrNotExist)
}

func TestSeededRandomnessRepeats(t *testing.T) {
	var files [2][]byte
	var lists [2][]keystore.Info
	for i := range files {
		path := filepath.Join(t.TempDir(), "k")
		s, err := soft.Create(path, passphrase, soft.WithCost(cheap),
			soft.WithRandom(mathrand.NewChaCha8([32]byte{7})))
		require.NoError(t, err)
		for _, spec := range []keystore.Spec{keystore.DES2, keystore.DES3, keystore.AES256} {
			_, err = s.Generate(t.Context(), string(spec), spec)
			require.NoError(t, err)
		}
		files[i], err = os.ReadFile(path)
		require.NoError(t, err)
		lists[i], err = s.List(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, files[0], files[1])
	assert.Equal(t, lists[0], lists[1])
	_, err := soft.Create(filepath.Join(t.TempDir(), "k"), passphrase, soft.WithCost(cheap),
		soft.WithRandom(bytes.NewReader(nil)))
	require.Error(t, err)
}

// TestNothingPrintsAKey prints keys and signers in every verb, alone and hidden in other values.
func TestNothingPrintsAKey(t *testing.T) {
	ctx := t.Context()
	s, path := create(t)
	material := "SECRETKEYSECRETK"
	k, err := s.Import(ctx, "k", symmetric(t, keys.AES, material))
	require.NoError(t, err)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	signer, err := s.ImportSigner(ctx, "s", private)
	require.NoError(t, err)
	bad := []string{
		material, hex.EncodeToString([]byte(material)), fmt.Sprint([]byte(material)[:5])[1:15],
		private.D.String(), private.Primes[0].String(), fmt.Sprintf("%x", private.D),
		private.Primes[1].String(),
	}
	type hidden struct{ v any }
	for _, v := range []any{k, &k, signer, &signer, hidden{k}, &hidden{k}, hidden{signer}, &hidden{signer}, s} {
		var out []string
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			for _, flag := range []string{"", "+", "#", " ", "0"} {
				out = append(out, fmt.Sprintf("%"+flag+string(verb), v))
			}
		}
		if b, err := json.Marshal(v); err == nil {
			out = append(out, string(b))
		}
		for _, o := range out {
			for _, b := range bad {
				require.NotContains(t, o, b)
			}
		}
	}
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, b := range bad {
		assert.NotContains(t, string(file), b)
	}
	assert.NotContains(t, string(file), `"k"`, "names are encrypted too")
}
