package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/lab"
	"tokenwright/fixtures/applets"
	"tokenwright/fixtures/ldap"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/esc"
	"tokenwright/tms/instance"
	"tokenwright/tms/wire"
)

// whole is an instance whose five subsystems run as five processes, made by the commands that an
// operator types.
type whole struct {
	t                      *testing.T
	dir, tps, ocsp, public string
	kra                    string
	processes              map[string]*process
}

func newWhole(t *testing.T) *whole {
	t.Helper()
	w := &whole{t: t, dir: filepath.Join(t.TempDir(), "i"), tps: freeAddr(t), ocsp: freeAddr(t),
		public: freeAddr(t), kra: freeAddr(t), processes: map[string]*process{}}
	ocspTLS := freeAddr(t)
	for _, args := range [][]string{
		{"init", w.dir, "--tps-listen", w.tps, "--tks-listen", freeAddr(t)},
		{"ca", "create", "ca1", "--dir", w.dir, "--key", "p256", "--host", "127.0.0.1", "--listen",
			freeAddr(t), "--public-listen", w.public},
		{"kra", "create", "--dir", w.dir, "--listen", w.kra, "--agents", "ann,bob"},
		{"ocsp", "create", "--dir", w.dir, "--host", "127.0.0.1", "--listen", ocspTLS, "--public-listen",
			w.ocsp},
	} {
		code, _, errOut := tms(args...)
		require.Zero(t, code, "%v: %s", args, errOut)
	}
	users, err := ldap.Users()
	require.NoError(t, err)
	directory, err := lab.StartDirectory("127.0.0.1:0", users)
	require.NoError(t, err)
	t.Cleanup(directory.Close)
	w.configure("tps", lab.Config(directory.Port())[instance.TPS], map[string]string{
		"op.enroll.userKey.keyGen.encryption.serverKeygen.enable": "true"})
	w.configure("ca1", map[string]string{"ca.ocsp.url": "http://" + w.ocsp + "/ocsp/ee/ocsp"})
	for _, v := range applets.Versions() {
		file, err := applets.File(v)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(w.dir, "tps", "applets", v+".ijc"), file, 0o600))
	}
	for _, name := range []string{"tks", "ca1", "kra", "ocsp", "tps"} {
		w.processes[name] = start(t, "serve", name, "--dir", w.dir)
	}
	for name, p := range w.processes {
		require.Eventually(t, func() bool { return strings.Contains(p.output(), "listening") }, deadline,
			20*time.Millisecond, name)
	}
	return w
}

// configure adds keys to a subsystem's CS.cfg.
func (w *whole) configure(name string, keys ...map[string]string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.dir, name, "CS.cfg"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(w.t, err)
	for _, m := range keys {
		for key, value := range m {
			_, err = fmt.Fprintf(f, "%s=%s\n", key, value)
			require.NoError(w.t, err)
		}
	}
	require.NoError(w.t, f.Close())
}

// alice is at the desk.
type alice struct{}

func (alice) Ask(context.Context, esc.Prompt) (wire.Credentials, error) {
	password, _ := ldap.Password("alice")
	return wire.Credentials{{ID: esc.ParamUID, Value: wire.NewSecret("alice")},
		{ID: esc.ParamPassword, Value: wire.NewSecret(password)}}, nil
}

func (alice) NewPIN(context.Context, int, int) (wire.Secret, error) {
	return wire.NewSecret("123456"), nil
}

// enroll makes a card alice's.
func (w *whole) enroll(card *simcard.Card) error {
	client := esc.Client{URL: "https://" + w.tps, TLS: w.trust(), Prompter: alice{}}
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*deadline)
	defer cancel()
	require.NoError(w.t, card.PowerOn())
	_, err := client.Run(ctx, esc.Request{Operation: wire.OpEnroll, TokenType: "userKey", ATR: card.ATR()},
		card)
	return err
}

// trust is the instance's own CA.
func (w *whole) trust() *tls.Config {
	w.t.Helper()
	ca, err := os.ReadFile(filepath.Join(w.dir, "ca", "ca.crt"))
	require.NoError(w.t, err)
	pool := x509.NewCertPool()
	require.True(w.t, pool.AppendCertsFromPEM(ca))
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// ok runs a command that must succeed.
func (w *whole) ok(args ...string) string {
	w.t.Helper()
	code, out, errOut := tms(args...)
	require.Zero(w.t, code, "%v: %s", args, errOut)
	return out
}

// TestFiveProcessesEnroll has a card enrolled by a TPS that reaches TKS, CA and KRA over mutual TLS alone,
// each in a process of its own, as is the OCSP responder that OpenSSL asks about what was issued.
func TestFiveProcessesEnroll(t *testing.T) {
	w := newWhole(t)
	kind, err := stock.ByName("sce7-scp03")
	require.NoError(t, err)
	card, err := simcard.New(kind, simcard.WithSeed(11))
	require.NoError(t, err)
	defer card.Close()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: w.trust(), DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		res, err := client.Get("https://" + w.tps + instance.PathHealth)
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, deadline, 50*time.Millisecond)
	require.NoError(t, w.enroll(card))

	var certs []caadmin.Certificate
	require.NoError(t, json.Unmarshal([]byte(w.ok("ca", "list", "ca1", "--dir", w.dir, "--user", "alice",
		"--json")), &certs))
	require.Len(t, certs, 2)
	dir := t.TempDir()
	chain, crl := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "ca.crl")
	w.ok("ca", "chain", "ca1", "--dir", w.dir, "--out", chain)
	ask := func(n int) string {
		path := filepath.Join(dir, fmt.Sprintf("%d.pem", n))
		text := w.ok("ca", "show", "ca1", string(certs[n].Serial), "--dir", w.dir)
		require.NoError(t, os.WriteFile(path, []byte(text[strings.Index(text, "-----BEGIN"):]), 0o600))
		where, ok := openssl(t, "x509", "-in", path, "-noout", "-ocsp_uri")
		require.True(t, ok)
		assert.Equal(t, "http://"+w.ocsp+"/ocsp/ee/ocsp", strings.TrimSpace(where))
		said, ok := openssl(t, "ocsp", "-issuer", chain, "-cert", path, "-CAfile", chain, "-url",
			strings.TrimSpace(where))
		require.True(t, ok, said)
		return said
	}
	for n := range certs {
		assert.Contains(t, ask(n), ": good")
	}
	w.ok("ca", "revoke", "ca1", string(certs[0].Serial), "--dir", w.dir, "--reason", "keyCompromise")
	assert.Contains(t, ask(0), ": revoked")
	assert.Contains(t, ask(1), ": good")
	w.ok("ca", "crl", "ca1", "--dir", w.dir, "--out", crl)
	said, _ := openssl(t, "crl", "-inform", "DER", "-in", crl, "-noout", "-text")
	assert.Contains(t, strings.ToLower(said), string(certs[0].Serial))
	assert.Contains(t, w.ok("kra", "list", "--kra", "https://"+w.kra, "--as",
		filepath.Join(w.dir, "kra-agents", "ann"), "--user", "alice"), "RSA-2048")

	for _, name := range []string{"tps", "ocsp", "kra", "ca1", "tks"} {
		p := w.processes[name]
		assert.Zero(t, p.stop(t), name)
		assert.NotContains(t, p.output(), "level=WARN", name)
		assert.NotContains(t, p.output(), "level=ERROR", name)
	}
}
