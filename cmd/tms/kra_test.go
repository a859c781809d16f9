package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra/agentapi"
)

// kraSite is an instance whose KRA runs as a process of its own and holds one key of alice's.
type kraSite struct {
	t         *testing.T
	dir, addr string
	process   *process
}

func newKRASite(t *testing.T) *kraSite {
	t.Helper()
	s := &kraSite{t: t, dir: filepath.Join(t.TempDir(), "i"), addr: freeAddr(t)}
	_, err := instance.Init(t.Context(), s.dir, instance.InitOptions{TPSListen: freeAddr(t),
		TKSListen: freeAddr(t), Cost: soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}})
	require.NoError(t, err)
	code, out, errOut := tms("kra", "create", "--dir", s.dir, "--listen", s.addr,
		"--agents", "ann,bob")
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "hand each agent")
	s.process = start(t, "serve", "kra", "--dir", s.dir)
	return s
}

// archive has the KRA make a key, as the TPS does, once it serves.
func (s *kraSite) archive() connector.KeyPairResponse {
	s.t.Helper()
	certs := filepath.Join(s.dir, "tps", "certs")
	pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "subsystemCert.crt"),
		filepath.Join(certs, "subsystemCert.key"))
	require.NoError(s.t, err)
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(certs, "ca.crt"))
	require.NoError(s.t, err)
	require.True(s.t, pool.AppendCertsFromPEM(ca))
	c, err := connector.NewKRAClient(connector.PeerConfig{Hosts: s.addr,
		TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}})
	require.NoError(s.t, err)
	defer c.Close()
	text, err := os.ReadFile(filepath.Join(s.dir, "tks", "certs", "kraTransport.crt"))
	require.NoError(s.t, err)
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(s.t, err)
	sent, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, cert.PublicKey.(*rsa.PublicKey),
		make([]byte, 16), nil)
	require.NoError(s.t, err)
	var res connector.KeyPairResponse
	require.Eventually(s.t, func() bool {
		res, err = c.GenerateKeyPair(s.t.Context(), connector.KeyPairRequest{RequestID: "r1",
			CUID: keys.CUID{0x40, 0x90}, UserID: "alice", Type: connector.KeyRSA, Bits: 2048,
			Archive: true, CardTransport: connector.CardTransport{DRMTransAESKey: sent}})
		return err == nil
	}, deadline, 50*time.Millisecond)
	return res
}

// as runs a command as an agent.
func (s *kraSite) as(agent string, args ...string) (code int, out, errOut string) {
	return tms(append([]string{"kra"}, append(args, "--kra", "https://"+s.addr, "--as",
		filepath.Join(s.dir, "kra-agents", agent))...)...)
}

// ok is as for what must succeed.
func (s *kraSite) ok(agent string, args ...string) string {
	s.t.Helper()
	code, out, errOut := s.as(agent, args...)
	require.Zero(s.t, code, "%v: %s", args, errOut)
	return out
}

// TestKRARecovery has two agents recover a key from a KRA that was killed in between, and OpenSSL
// open it.
func TestKRARecovery(t *testing.T) {
	s := newKRASite(t)
	made := s.archive()
	require.NoError(t, s.process.cmd.Process.Kill())
	_ = s.process.cmd.Wait()
	s.process = start(t, "serve", "kra", "--dir", s.dir)
	assert.Equal(t, made.PublicKey, s.archive().PublicKey, "the same request, the same key")

	assert.Contains(t, s.ok("ann", "list", "--user", "alice"), "RSA-2048")
	assert.NotContains(t, s.ok("ann", "list", "--user", "bea"), "RSA-2048")
	assert.Contains(t, s.ok("bob", "show", "1"), "r1")
	assert.Contains(t, s.ok("ann", "request", "1", "--reason", "left the company"), "open")
	key, phrase := filepath.Join(t.TempDir(), "key.pem"), filepath.Join(t.TempDir(), "phrase")
	require.NoError(t, os.WriteFile(phrase, []byte("correct horse battery\n"), 0o600))
	s.ok("ann", "approve", "1")
	code, _, errOut := s.as("ann", "recover", "1", "--out", key, "--passphrase-file", phrase)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "lacks approvals")
	assert.NoFileExists(t, key)
	assert.Contains(t, s.ok("bob", "approve", "1"), "approved by")
	assert.Contains(t, s.ok("bob", "requests"), "approved")
	assert.Contains(t, s.ok("ann", "recover", "1", "--out", key, "--passphrase-file", phrase),
		"fulfilled")
	code, _, errOut = s.as("ann", "recover", "1", "--out", key+"2", "--passphrase-file", phrase)
	assert.Equal(t, exitFailed, code, errOut)

	var checked agentapi.Verified
	require.NoError(t, json.Unmarshal([]byte(s.ok("bob", "audit", "--verify", "--json")), &checked))
	assert.True(t, checked.OK)
	assert.Contains(t, s.ok("bob", "audit", "--verify"), "last good event")
	trail := s.ok("bob", "audit", "--key", "1")
	for _, word := range []string{"key_archived", "key_repeated", "request_made", "agent bob",
		"key_exported (refused)", "left the company"} {
		assert.Contains(t, trail, word)
	}
	assert.NotContains(t, s.process.output(), "battery")
	assert.Zero(t, s.process.stop(t))

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("the openssl command is missing: apt install openssl")
	}
	spki, err := exec.CommandContext(t.Context(), openssl, "pkey", "-in", key, "-passin",
		"file:"+phrase, "-pubout", "-outform", "DER").Output()
	require.NoError(t, err)
	assert.Equal(t, made.PublicKey, spki)
}

func TestKRAShareAndRefusals(t *testing.T) {
	s := newKRASite(t)
	s.archive()
	s.ok("ann", "request", "1", "--reason", "team", "--share-with", "bea")
	s.ok("bob", "approve", "1")
	s.ok("ann", "approve", "1")
	assert.Contains(t, s.ok("ann", "recover", "1"), "share with bea")
	s.ok("bob", "request", "1", "--reason", "mistake")
	assert.Contains(t, s.ok("bob", "cancel", "2"), "cancelled")
	s.ok("bob", "request", "1", "--reason", "mistake")
	assert.Contains(t, s.ok("ann", "reject", "3"), "rejected by")

	dir := filepath.Join(s.dir, "kra-agents")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"show 99 --as " + dir + "/ann", exitFailed, "no such record"},
		{"show x --as " + dir + "/ann", exitUsage, "no number"},
		{"show 1", exitUsage, "--as"},
		{"show 1 --as " + dir + "/eve", exitUsage, "--as"},
		{"show 1 --ca " + dir + "/none --as " + dir + "/ann", exitUsage, "--ca"},
		{"show 1 --ca " + dir + "/ann.key --as " + dir + "/ann", exitUsage, "no certificate"},
		{"show 1 --kra http://x --as " + dir + "/ann", exitUsage, "https://"},
		{"request 1 --as " + dir + "/ann", exitUsage, "reason"},
		{"request 1 --reason r --share-with x --as " + s.dir + "/tps/certs/subsystemCert", exitFailed,
			"not a recovery agent"},
		{"create --dir " + s.dir, exitExists, "exists"},
		{"create --agents ann --dir " + s.dir, exitFailed, "2 of 1 agents"},
		{"add-agents ann --dir " + s.dir, exitFailed, "another's"},
		{"add-agents cy --dir " + s.dir, 0, "cy.crt"},
		{"add-agents", exitUsage, "arg"},
	} {
		args := append([]string{"kra"}, strings.Fields(tt.args)...)
		if !strings.Contains(tt.args, "--kra") && strings.Contains(tt.args, "--as") {
			args = append(args, "--kra", "https://"+s.addr)
		}
		code, out, errOut := tms(args...)
		assert.Equal(t, tt.code, code, tt.args)
		assert.Contains(t, out+errOut, tt.want, tt.args)
	}
	assert.FileExists(t, filepath.Join(dir, "cy.key"))
}
