package keywrap_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/kra/keywrap"
)

// TestOpenSSLOpensExport has OpenSSL open what a person is given.
func TestOpenSSLOpensExport(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("the openssl command is missing: apt install openssl")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	der, err := keywrap.EncryptPKCS8(rand.Reader, "correct horse", plain)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	require.NoError(t, os.WriteFile(path, block, 0o600))
	open := func(passphrase string) ([]byte, error) {
		return exec.CommandContext(t.Context(), openssl, "pkcs8", "-in", path, "-outform", "DER",
			"-passin", "pass:"+passphrase, "-topk8", "-nocrypt").Output()
	}
	got, err := open("correct horse")
	require.NoError(t, err)
	parsed, err := x509.ParsePKCS8PrivateKey(got)
	require.NoError(t, err)
	assert.True(t, key.Equal(parsed))
	_, err = open("wrong horse")
	require.Error(t, err)
	_, err = keywrap.EncryptPKCS8(bytes.NewReader(nil), "x", plain)
	require.Error(t, err)
}
