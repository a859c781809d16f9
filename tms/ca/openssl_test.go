package ca_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/lint"
	"tokenwright/tms/connector"
)

// openssl runs OpenSSL, which these tests need: it is the judge that nobody here wrote.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl is needed to judge certificates: apt install openssl")
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// files puts a lab's certificates and lists where OpenSSL finds them.
type files struct {
	t   *testing.T
	l   *lab
	dir string
}

func newFiles(t *testing.T, l *lab) files {
	f := files{t, l, t.TempDir()}
	f.pem("root.pem", "CERTIFICATE", l.root.Chain()[0].Raw)
	f.pem("ca.pem", "CERTIFICATE", l.opts.Certificate.Raw)
	return f
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) pem(name, kind string, der ...[]byte) string {
	f.t.Helper()
	var text []byte
	for _, d := range der {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: d})...)
	}
	require.NoError(f.t, os.WriteFile(f.path(name), text, 0o600))
	return f.path(name)
}

// verify asks OpenSSL about a certificate, with a full list, and a delta if there is one.
func (f files) verify(cert *x509.Certificate, lists ...[]byte) string {
	f.t.Helper()
	args := []string{"verify", "-CAfile", f.path("root.pem"), "-untrusted", f.path("ca.pem"),
		"-crl_check", "-extended_crl", "-CRLfile", f.pem("list.pem", "X509 CRL", lists...)}
	if len(lists) > 1 {
		args = append(args, "-use_deltas")
	}
	out, _ := openssl(f.t, append(args, f.pem("cert.pem", "CERTIFICATE", cert.Raw))...)
	return out
}

func TestOpenSSLVerifiesWithLists(t *testing.T) {
	for _, kind := range []string{"p256", "p384", "rsa2048"} {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, kind, func(o *ca.Options) { o.CRL.FullEvery = 4 })
			f := newFiles(t, l)
			good, held, gone := l.enroll(signing, "ec"), l.enroll(signing, "rsa"), l.enroll(encryption, "rsa")
			ctx := t.Context()
			issue := func(delta bool) []byte {
				c, err := l.ca.IssueCRL(ctx, delta)
				require.NoError(t, err)
				require.NoError(t, lint.RevocationList(c.DER))
				return c.DER
			}
			empty := issue(false)
			for _, c := range []*x509.Certificate{good, held, gone} {
				require.Contains(t, f.verify(c, empty), "OK")
			}
			require.NoError(t, l.ca.Revoke(ctx, connector.RevokeRequest{Serial: serialOf(held), Reason: 6}))
			require.NoError(t, l.ca.Revoke(ctx, connector.RevokeRequest{Serial: serialOf(gone), Reason: 1}))
			// The delta says it already; the full list that it adds to does not.
			delta := issue(true)
			assert.Contains(t, f.verify(gone, empty, delta), "certificate revoked")
			assert.Contains(t, f.verify(held, empty, delta), "certificate revoked")
			assert.Contains(t, f.verify(good, empty, delta), "OK")
			assert.Contains(t, f.verify(gone, empty), "OK")

			full := issue(false)
			assert.Contains(t, f.verify(gone, full), "certificate revoked")
			assert.Contains(t, f.verify(held, full), "certificate revoked")
			assert.Contains(t, f.verify(good, full), "OK")
			require.NoError(t, l.ca.Release(ctx, serialOf(held)))
			delta = issue(true)
			assert.Contains(t, f.verify(held, full, delta), "OK", "removed from the list")
			assert.Contains(t, f.verify(gone, full, delta), "certificate revoked")
			full = issue(false)
			assert.Contains(t, f.verify(held, full), "OK")
			text, err := openssl(t, "crl", "-in", f.pem("l.pem", "X509 CRL", full), "-noout", "-text")
			require.NoError(t, err)
			assert.Contains(t, text, "Key Compromise")
			assert.Contains(t, text, base+ca.PathDelta)

			// The root's own list covers the issuing CA.
			list, err := l.root.IssueCRL(ctx, false)
			require.NoError(t, err)
			out, err := openssl(t, "verify", "-CAfile", f.path("root.pem"), "-untrusted", f.path("ca.pem"),
				"-crl_check_all", "-CRLfile", f.pem("all.pem", "X509 CRL", list.DER, full), f.pem("c.pem", "CERTIFICATE", good.Raw))
			require.NoError(t, err, out)
		})
	}
}

// ocspAsk has OpenSSL ask the responder over HTTP and judge its answer.
func (f files) ocspAsk(url string, cert *x509.Certificate, args ...string) string {
	f.t.Helper()
	all := append([]string{"ocsp", "-issuer", f.path("ca.pem"), "-url", url}, args...)
	all = append(all, "-cert", f.pem("asked.pem", "CERTIFICATE", cert.Raw), "-CAfile", f.path("root.pem"),
		"-verify_other", f.path("ca.pem"))
	out, err := openssl(f.t, all...)
	require.NoError(f.t, err, out)
	return out
}

func TestOpenSSLAsksTheResponder(t *testing.T) {
	for _, kind := range []string{"p256", "rsa2048"} {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, kind, nil)
			f := newFiles(t, l)
			// OpenSSL builds the responder's path from what it is told to trust.
			f.pem("root.pem", "CERTIFICATE", l.root.Chain()[0].Raw, l.opts.Certificate.Raw)
			s := httptest.NewServer(l.ca.PublicHandler())
			defer s.Close()
			url := s.URL + ca.PathOCSP
			cert := l.enroll(signing, "ec")
			ask := func(want string, args ...string) {
				t.Helper()
				out := f.ocspAsk(url, cert, args...)
				assert.Contains(t, out, "Response verify OK")
				assert.Contains(t, out, ": "+want)
			}
			for _, hash := range []string{"-sha1", "-sha256"} {
				ask("good", hash)
				ask("good", hash, "-no_nonce")
			}
			require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(cert), Reason: 6}))
			for _, args := range [][]string{nil, {"-no_nonce"}, {"-sha256", "-no_nonce"}} {
				ask("revoked", args...)
				assert.Contains(t, f.ocspAsk(url, cert, args...), "certificateHold")
			}
			require.NoError(t, l.ca.Release(t.Context(), serialOf(cert)))
			ask("good", "-no_nonce")
			require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(cert), Reason: 1}))
			ask("revoked", "-no_nonce")
			out, err := openssl(t, "ocsp", "-issuer", f.path("ca.pem"), "-url", url, "-serial", "0x1234",
				"-CAfile", f.path("root.pem"))
			require.NoError(t, err, out)
			assert.Contains(t, out, "0x1234: unknown")
			out, _ = openssl(t, "ocsp", "-issuer", f.pem("r.pem", "CERTIFICATE", l.root.Chain()[0].Raw), "-url", url,
				"-serial", "0x1234", "-CAfile", f.path("root.pem"))
			assert.Contains(t, out, "unauthorized")
		})
	}
}

// A request for a certificate that OpenSSL made, with its key.
func TestOpenSSLRequestIsServed(t *testing.T) {
	l := newLab(t, "p256", nil)
	f := newFiles(t, l)
	_, err := openssl(t, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f.path("k.pem"), "-out", f.path("r.pem"),
		"-subj", "/C=DE/O=Example/CN=www.example.org", "-addext", "subjectAltName=DNS:www.example.org,IP:192.0.2.7")
	require.NoError(t, err)
	text, err := os.ReadFile(f.path("r.pem"))
	require.NoError(t, err)
	csr, err := ca.ParseCSR(text)
	require.NoError(t, err)
	out, err := l.ca.Enroll(t.Context(), csr.Request("caServerCert"))
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(out.DER)
	require.NoError(t, err)
	assert.Equal(t, "CN=www.example.org,O=Example,C=DE", out.Subject)
	assert.Equal(t, []string{"www.example.org"}, cert.DNSNames)
	assert.Equal(t, "192.0.2.7", cert.IPAddresses[0].String())
	list, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	require.Contains(t, f.verify(cert, list.DER), "OK")
	// Our own request, judged by OpenSSL.
	raw, err := ca.NewCSR(l.opts.Key, "CN=Token CA 2,O=Example")
	require.NoError(t, err)
	said, err := openssl(t, "req", "-verify", "-noout", "-text", "-in", f.pem("own.csr", "CERTIFICATE REQUEST", raw))
	require.NoError(t, err)
	assert.Contains(t, said, "CA:TRUE")
	flipped := bytes.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	_, err = ca.ParseCSR(flipped)
	require.ErrorIs(t, err, connector.ErrCABadRequest, "no proof of possession")
}

func TestSchedule(t *testing.T) {
	l := newLab(t, "p256", func(o *ca.Options) {
		o.CRL = ca.CRLOptions{Interval: time.Hour, Grace: 10 * time.Minute, FullEvery: 3}
	})
	var kinds strings.Builder
	last := int64(0)
	for range 7 {
		issued, err := l.ca.DueCRL(t.Context())
		require.NoError(t, err)
		require.True(t, issued)
		issued, err = l.ca.DueCRL(t.Context())
		require.NoError(t, err)
		require.False(t, issued, "once")
		full, err := l.ca.CRL(t.Context(), false)
		require.NoError(t, err)
		delta, err := l.ca.CRL(t.Context(), true)
		if err == nil && delta.Number > full.Number {
			kinds.WriteByte('d')
			require.Greater(t, delta.Number, last)
			require.Equal(t, full.Number, delta.Base)
			last = delta.Number
			require.Equal(t, 70*time.Minute, delta.NextUpdate.Sub(delta.ThisUpdate))
		} else {
			kinds.WriteByte('f')
			require.Greater(t, full.Number, last)
			last = full.Number
			require.Equal(t, 190*time.Minute, full.NextUpdate.Sub(full.ThisUpdate))
		}
		l.clock.add(time.Hour)
	}
	assert.Equal(t, "fddfddf", kinds.String())
}

// A list that was begun and never signed leaves a gap in the numbers and nothing else.
func TestDyingWhileAListIsMade(t *testing.T) {
	l := newLab(t, "p256", nil)
	first, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	dying := l.again(func(o *ca.Options) { o.Failpoint = func(name string) error { return errCut } })
	_, err = dying.IssueCRL(t.Context(), false)
	require.ErrorIs(t, err, errCut)
	latest, err := l.ca.CRL(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, first, latest)
	next, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, first.Number+2, next.Number)
}

func TestOnChangeIssuesAtOnce(t *testing.T) {
	l := newLab(t, "p256", func(o *ca.Options) { o.CRL.OnChange = true })
	cert := l.enroll(signing, "ec")
	require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(cert), Reason: 4}))
	list, err := l.ca.CRL(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, 1, list.Entries)
}
