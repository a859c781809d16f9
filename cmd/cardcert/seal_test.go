package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cardcert runs the program and gives its exit code and what it said.
func cardcert(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func keyPair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	write := func(name, kind string, der []byte, err error) string {
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private = write("key.pem", "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(key.Public())
	return private, write("pub.pem", "PUBLIC KEY", der, err)
}

func TestASealedReportVerifiesUntilItIsChanged(t *testing.T) {
	private, public := keyPair(t)
	_, stranger := keyPair(t)
	dir := filepath.Join(t.TempDir(), "report")
	code, out, errOut := cardcert("run", "--sim", "sce7-scp03", "--only", "GDA-01", "--only", "GDA-02", "--seed", "1", "-q",
		"--out", dir, "--sign", private)
	require.Zero(t, code, "%s%s", out, errOut)
	code, out, errOut = cardcert("verify", dir, "--key", public)
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "signature   good, over 3 files")
	assert.Contains(t, out, "verdicts    follow")

	code, _, errOut = cardcert("verify", dir, "--key", stranger)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "the signature is not the key's")

	path := filepath.Join(dir, fileJSON)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.Replace(text, []byte(`"pass"`), []byte(`"fail"`), 1), 0o600))
	code, _, errOut = cardcert("verify", dir, "--key", public)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "report.json: not what was signed")
	code, _, _ = cardcert("verify", dir)
	assert.Equal(t, exitFailed, code, "without the signature its verdicts give it away")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, fileHTML), []byte("<p>all good"), 0o600))
	code, _, _ = cardcert("verify", dir, "--key", public)
	assert.Equal(t, exitFailed, code)
}

func TestAKeyThatCannotSignIsKnownBeforeTheRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "report")
	for _, args := range [][]string{
		{"--sign", "missing.pem", "--out", dir}, {"--sign", "missing.pem"},
	} {
		code, out, _ := cardcert(append([]string{"run", "--sim", "sce7-scp03"}, args...)...)
		assert.Equal(t, exitUsage, code)
		assert.Empty(t, out)
	}
	assert.NoDirExists(t, dir)
	code, _, _ := cardcert("verify", t.TempDir())
	assert.Equal(t, exitUsage, code)
}
