package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/instance"
)

// openssl runs the openssl command and gives what it says, and whether it was content.
func openssl(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("the openssl command is missing: apt install openssl")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err == nil
}

// OpenSSL asks a responder that is a process of its own, beside the CA's process, while that one is
// there and after it was killed.
func TestOCSPResponderAsAProcess(t *testing.T) {
	s := newCASite(t)
	addr := freeAddr(t)
	code, out, errOut := tms("ocsp", "create", "--dir", s.dir, "--host", "127.0.0.1", "--listen",
		freeAddr(t), "--public-listen", addr)
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "ca.ocsp.url=http://"+addr+"/ocsp/ee/ocsp")
	code, _, errOut = tms("ocsp", "create", "--dir", s.dir)
	assert.Equal(t, exitExists, code, errOut)
	authority := start(t, "serve", "ca1", "--dir", s.dir)
	responder := start(t, "serve", "ocsp", "--dir", s.dir)

	dir := t.TempDir()
	pem, chain := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "chain.pem")
	s.ok("issue", "ca1", "--csr", s.csr(), "--out", pem)
	s.ok("chain", "ca1", "--out", chain)
	ask := func(more ...string) string {
		var said string
		require.Eventually(t, func() (ok bool) {
			said, ok = openssl(t, append(append([]string{"ocsp"}, more...), "-issuer", chain, "-cert", pem,
				"-CAfile", chain, "-url", "http://"+addr+"/ocsp/ee/ocsp")...)
			return ok
		}, deadline, 100*time.Millisecond)
		assert.Contains(t, said, "Response verify OK")
		return said
	}
	assert.Contains(t, ask("-no_nonce"), pem+": good")
	assert.Contains(t, ask("-sha256"), pem+": good")
	serial, ok := openssl(t, "x509", "-in", pem, "-noout", "-serial")
	require.True(t, ok)
	s.ok("hold", "ca1", serial[len("serial="):len(serial)-1])
	assert.Contains(t, ask("-no_nonce"), "certificateHold")
	require.NoError(t, authority.cmd.Process.Kill())
	_ = authority.cmd.Wait()
	assert.Contains(t, ask(), "certificateHold")
	s.ok("release", "ca1", serial[len("serial="):len(serial)-1])
	assert.Contains(t, ask("-no_nonce"), pem+": good")

	code, out, errOut = tms("ocsp", "certify", "--dir", s.dir, "--json")
	require.Zero(t, code, errOut)
	var until map[string]time.Time
	require.NoError(t, json.Unmarshal([]byte(out), &until))
	assert.Greater(t, time.Until(until["certifiedUntil"]), 360*24*time.Hour)
	assert.Zero(t, responder.stop(t))
	assert.NotContains(t, responder.output(), "level=ERROR")
	assert.NotContains(t, responder.output(), "level=WARN")
}

func TestOCSPCommandsThatFail(t *testing.T) {
	s := newCASite(t)
	for args, code := range map[string]int{"serve ocsp": exitInstance, "ocsp certify": exitInstance,
		"ocsp create --ca ca9": exitFailed, "ocsp create --ca tps": exitFailed, "ocsp destroy": exitUsage,
		"ocsp create now": exitUsage} {
		got, _, errOut := tms(append(strings.Fields(args), "--dir", s.dir)...)
		assert.Equal(t, code, got, args+": "+errOut)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, instance.OCSP, "x"), 0o700))
	got, _, errOut := tms("ocsp", "create", "--dir", s.dir)
	assert.Equal(t, exitExists, got, errOut)
}
