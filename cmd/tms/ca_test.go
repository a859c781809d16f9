package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/ca"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// caSite is an instance with a CA.
type caSite struct {
	t           *testing.T
	dir, public string
}

// newCASite makes it with keystores that open quickly.
func newCASite(t *testing.T) caSite {
	t.Helper()
	s := caSite{t, filepath.Join(t.TempDir(), "i"), freeAddr(t)}
	cheap := soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}
	_, err := instance.Init(t.Context(), s.dir, instance.InitOptions{TPSListen: freeAddr(t),
		TKSListen: freeAddr(t), Cost: cheap})
	require.NoError(t, err)
	_, err = instance.CreateCA(t.Context(), s.dir, instance.CAOptions{Name: "ca1", Key: keystore.P256,
		Listen: freeAddr(t), PublicListen: s.public, Cost: cheap})
	require.NoError(t, err)
	return s
}

func TestCACreate(t *testing.T) {
	s := newCASite(t)
	out := s.ok("create", "ca2", "--key", "rsa2048", "--listen", freeAddr(t), "--public-listen", freeAddr(t))
	assert.Contains(t, out, "tms serve ca2")
	var made instance.CAMade
	out = s.ok("create", "ca3", "--external-root", "--subject", "CN=Cards,O=Example", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	assert.FileExists(t, made.CSR)
	code, _, errOut := s.run("show", "ca3")
	assert.Equal(t, exitInstance, code)
	assert.Contains(t, errOut, "tms ca install")
}

func (s caSite) run(args ...string) (int, string, string) {
	return tms(append([]string{"ca", "--dir", s.dir}, args...)...)
}

// ok runs a command that must work, and gives what it says.
func (s caSite) ok(args ...string) string {
	s.t.Helper()
	code, out, errOut := s.run(args...)
	require.Zero(s.t, code, errOut)
	return out
}

// csr writes a request and gives its path.
func (s caSite) csr() string {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "www.example.org"}, DNSNames: []string{"www.example.org"}}, key)
	require.NoError(s.t, err)
	path := filepath.Join(s.t.TempDir(), "r.csr")
	require.NoError(s.t, os.WriteFile(path,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw}), 0o600))
	return path
}

func TestCACommands(t *testing.T) {
	s := newCASite(t)
	first := s.ok("issue", "ca1", "--csr", s.csr(), "--attr", "mail=a@example.org")
	block, _ := pem.Decode([]byte(first))
	require.NotNil(t, block)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	assert.Equal(t, []string{"www.example.org"}, cert.DNSNames)
	serial := cert.SerialNumber.Text(16)

	show := func() (c caadmin.Certificate) {
		require.NoError(t, json.Unmarshal([]byte(s.ok("show", "ca1", serial, "--json")), &c))
		return c
	}
	assert.Equal(t, "valid", show().State)
	s.ok("hold", "ca1", serial)
	assert.Equal(t, "revoked_on_hold", show().State)
	s.ok("release", "ca1", "0x"+strings.ToUpper(serial))
	assert.Equal(t, "valid", show().State)
	s.ok("revoke", "ca1", serial, "--reason", "keycompromise")
	got := show()
	assert.Equal(t, "keyCompromise", got.Reason)
	require.Len(t, got.Events, 4)
	assert.Contains(t, got.Events[0].Actor, "tms")
	assert.Equal(t, first, got.PEM)
	assert.Contains(t, s.ok("list", "ca1", "--state", "revoked"), serial)
	assert.NotContains(t, s.ok("list", "ca1", "--state", "valid"), serial)
	assert.NotContains(t, s.ok("list", "ca1", "--after", serial, "--profile", "caServerCert"), serial)

	var list caadmin.CRL
	crl := filepath.Join(t.TempDir(), "ca.crl")
	require.NoError(t, json.Unmarshal([]byte(s.ok("crl", "ca1", "--json", "--out", crl)), &list))
	assert.Equal(t, 1, list.Entries)
	raw, err := os.ReadFile(crl)
	require.NoError(t, err)
	parsed, err := x509.ParseRevocationList(raw)
	require.NoError(t, err)
	assert.Equal(t, serial, parsed.RevokedCertificateEntries[0].SerialNumber.Text(16))
	assert.Contains(t, s.ok("crl", "ca1", "--root"), "number      2")
	assert.Contains(t, s.ok("crl", "ca1", "--latest"), "number      1")
	assert.Contains(t, s.ok("crl", "ca1", "--delta"), "adds to")
	assert.Equal(t, 2, strings.Count(s.ok("chain", "ca1"), "BEGIN CERTIFICATE"))
	assert.Contains(t, s.ok("show", "ca1"), "caTokenUserSigningKeyEnrollment")
}

func TestCACommandsThatFail(t *testing.T) {
	s := newCASite(t)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"exists":     {[]string{"create", "ca1"}, exitExists, "not empty"},
		"name":       {[]string{"create", "root"}, exitFailed, "ca1"},
		"key":        {[]string{"create", "ca2", "--key", "dsa"}, exitFailed, "key"},
		"none":       {[]string{"show", "ca7"}, exitInstance, "ca7"},
		"no name":    {[]string{"show", "tps"}, exitUsage, "tps"},
		"serial":     {[]string{"revoke", "ca1", "xyz"}, exitUsage, "serial"},
		"unknown":    {[]string{"hold", "ca1", "1234"}, exitNotFound, "not found"},
		"reason":     {[]string{"revoke", "ca1", "12", "--reason", "hold"}, exitUsage, "hold"},
		"state":      {[]string{"list", "ca1", "--state", "new"}, exitUsage, "new"},
		"limit":      {[]string{"list", "ca1", "--limit", "5000"}, exitFailed, "5000"},
		"no csr":     {[]string{"issue", "ca1"}, exitFailed, "csr"},
		"csr":        {[]string{"issue", "ca1", "--csr", filepath.Join(s.dir, "ca", "ca.crt")}, exitFailed, "CERTIFICATE"},
		"profile":    {[]string{"issue", "ca1", "--csr", s.csr(), "--profile", "x"}, exitNotFound, "profile x"},
		"no latest":  {[]string{"crl", "ca1", "--latest"}, exitNotFound, "no revocation list"},
		"install":    {[]string{"install", "ca1", "--cert", filepath.Join(s.dir, "ca", "ca.crt")}, exitFailed, "another key"},
		"subcommand": {[]string{"destroy", "ca1"}, exitUsage, "destroy"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errOut := s.run(tt.args...)
			assert.Equal(t, tt.code, code, errOut)
			assert.Contains(t, errOut, tt.want)
		})
	}
}

// A CA in a process of its own; what a command changes shows in its answers at once.
func TestCAServesWhileCommandsWork(t *testing.T) {
	s := newCASite(t)
	p := start(t, "serve", "ca", "--dir", s.dir)
	get := func(path string) (body []byte) {
		require.Eventually(t, func() bool {
			res, err := http.Get("http://" + s.public + path)
			if err != nil {
				return false
			}
			defer res.Body.Close()
			body, err = io.ReadAll(res.Body)
			return err == nil && res.StatusCode == http.StatusOK
		}, deadline, 50*time.Millisecond)
		return body
	}
	number := func() int64 {
		l, err := x509.ParseRevocationList(get(ca.PathCRL))
		require.NoError(t, err)
		return l.Number.Int64()
	}
	before := number()
	assert.Contains(t, s.ok("crl", "ca1"), "number")
	assert.Greater(t, number(), before)
	block, _ := pem.Decode(get(ca.PathChain))
	require.NotNil(t, block)
	assert.Zero(t, p.stop(t))
	names, err := instance.Subsystems(s.dir)
	require.NoError(t, err)
	assert.Contains(t, names, "ca1")
}
