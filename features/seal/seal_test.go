package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func put(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func report(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	put(t, filepath.Join(dir, "report.json"), "{}")
	put(t, filepath.Join(dir, "report.html"), "<p>")
	return dir, []string{"report.json", "report.html"}
}

// keyFiles writes a key pair and opens both ends from their files.
func keyFiles(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	private = put(t, filepath.Join(dir, "key.pem"),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	der, err = x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	public = put(t, filepath.Join(dir, "pub.pem"),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	return private, public
}

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return map[string]crypto.Signer{"P-256": ec, "RSA-2048": r, "Ed25519": ed}
}

func seal(t *testing.T, dir string, files []string, private string) {
	t.Helper()
	key, closeKey, err := Signer(private)
	require.NoError(t, err)
	require.NoError(t, Sign(dir, files, key))
	require.NoError(t, closeKey())
}

func TestSealedFilesVerify(t *testing.T) {
	for name, key := range keys(t) {
		t.Run(name, func(t *testing.T) {
			dir, files := report(t)
			private, public := keyFiles(t, key)
			seal(t, dir, files, private)
			pub, err := PublicKey(public)
			require.NoError(t, err)
			got, err := Verify(dir, pub)
			require.NoError(t, err)
			assert.ElementsMatch(t, files, got)
			byOthers(t, dir, public, name)
		})
	}
}

// byOthers has the tools verify that a customer would take.
func byOthers(t *testing.T, dir, public, kind string) {
	t.Helper()
	sums := exec.Command("sha256sum", "--check", "--strict", SumsFile)
	sums.Dir = dir
	out, err := sums.CombinedOutput()
	require.NoError(t, err, string(out))
	if kind == "Ed25519" {
		return // openssl dgst has no such signatures
	}
	out, err = exec.Command("openssl", "dgst", "-sha256", "-verify", public, "-signature",
		filepath.Join(dir, SignatureFile), filepath.Join(dir, SumsFile)).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestWhatWasChangedIsRefused(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	weak := &rsa.PublicKey{N: key.Params().P, E: 65537}
	for _, c := range []struct {
		name   string
		change func(dir string) error
		key    crypto.PublicKey
		want   error
	}{
		{"a file", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "report.json"), []byte("{ }"), 0o600)
		}, key.Public(), ErrChanged},
		{"a file gone", func(dir string) error {
			return os.Remove(filepath.Join(dir, "report.json"))
		}, key.Public(), ErrChanged},
		{"the sums", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, SumsFile), nil, 0o600)
		}, key.Public(), ErrSignature},
		{"the signature", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, SignatureFile), []byte("sig"), 0o600)
		}, key.Public(), ErrSignature},
		{"no signature", func(dir string) error {
			return os.Remove(filepath.Join(dir, SignatureFile))
		}, key.Public(), os.ErrNotExist},
		{"another key", func(string) error { return nil }, other.Public(), ErrSignature},
		{"a weak key", func(string) error { return nil }, weak, ErrSignature},
		{"no key", func(string) error { return nil }, nil, ErrSignature},
	} {
		dir, files := report(t)
		require.NoError(t, Sign(dir, files, key))
		require.NoError(t, c.change(dir), c.name)
		_, err := Verify(dir, c.key)
		require.ErrorIs(t, err, c.want, c.name)
	}
}

func TestFilesElsewhereAreNotSealed(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	dir, _ := report(t)
	for _, name := range []string{"../x", "/etc/hostname", "a/b", ".", "..", "", SumsFile, "a\nb"} {
		require.ErrorIs(t, Sign(dir, []string{name}, key), ErrForm, name)
	}
	assert.Error(t, Sign(dir, nil, key))
	// the same, signed by somebody who wants another file looked at
	put(t, filepath.Join(dir, SumsFile),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../../etc/hostname\n")
	sums, err := os.ReadFile(filepath.Join(dir, SumsFile))
	require.NoError(t, err)
	signature, err := sign(key, sums)
	require.NoError(t, err)
	put(t, filepath.Join(dir, SignatureFile), string(signature))
	_, err = Verify(dir, key.Public())
	require.ErrorIs(t, err, ErrForm)
}

func TestKeysThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for _, where := range []string{
		put(t, filepath.Join(dir, "empty"), ""),
		put(t, filepath.Join(dir, "other"), "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"),
		put(t, filepath.Join(dir, "junk"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		filepath.Join(dir, "missing"),
		"pkcs11:object=x",
		"pkcs11:object=x?module-path=/no/module&pin-value=1234",
		"pkcs11:object=x;colour=red?module-path=/no/module",
		"pkcs11:object=%zz?module-path=/no/module",
		"pkcs11:object=x;type=cert?module-path=/no/module",
		"pkcs11:object=x?module-path=/no/module&pin-source=" + filepath.Join(dir, "missing"),
		"pkcs11:object=x?module-path=/no/module",
	} {
		_, _, err := Signer(where)
		require.Error(t, err, where)
		assert.NotContains(t, err.Error(), "1234")
	}
	_, err := PublicKey(filepath.Join(dir, "other"))
	require.Error(t, err)
}
