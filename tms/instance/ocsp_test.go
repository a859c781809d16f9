package instance

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"tokenwright/tms/connector"
	"tokenwright/tms/keystore"
)

// addOCSP makes a responder in an instance.
func addOCSP(t testing.TB, dir string, change func(*OCSPOptions)) OCSPMade {
	t.Helper()
	o := OCSPOptions{Host: "127.0.0.1", Listen: freeAddr(t), PublicListen: freeAddr(t), Cost: cheap}
	if change != nil {
		change(&o)
	}
	made, err := CreateOCSP(context.Background(), dir, o)
	require.NoError(t, err)
	return made
}

// askOCSP asks about a certificate, and verifies the answer.
func askOCSP(t testing.TB, c *http.Client, url string, cert, issuer *x509.Certificate) *ocsp.Response {
	t.Helper()
	q, err := ocsp.CreateRequest(cert, issuer, nil)
	require.NoError(t, err)
	res, err := c.Post(url, "application/ocsp-request", bytes.NewReader(q))
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a, err := ocsp.ParseResponseForCert(body, cert, issuer)
	require.NoError(t, err)
	require.NotNil(t, a.Certificate, "delegated")
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, a.Certificate.ExtKeyUsage)
	return a
}

// A responder that reads the databases of two CAs answers for both, over plain HTTP and over HTTPS with
// certificates on both sides, and what a CA does shows at once. The responder writes nothing of theirs.
func TestResponderApart(t *testing.T) {
	dir, _ := newInstance(t)
	addCA(t, dir, "ca1", nil)
	addCA(t, dir, "ca2", func(o *CAOptions) { o.Key = keystore.RSA2048 })
	made := addOCSP(t, dir, nil)
	assert.Equal(t, []string{"ca1", "ca2"}, made.CAs)
	_, err := CreateOCSP(t.Context(), dir, OCSPOptions{Cost: cheap})
	require.ErrorIs(t, err, ErrExists)
	names, err := Subsystems(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{TKS, "ca1", "ca2", OCSP, TPS}, names)

	cas, _ := open(t, dir, Options{Subsystems: []string{CA}})
	responder, log := open(t, dir, Options{Subsystems: []string{OCSP}})
	assert.Empty(t, responder.Unread())
	assert.NotContains(t, log.String(), "WARN")
	stop := serve(t, responder)
	plain := addressOf(t, responder, OCSP, "http")
	tls := addressOf(t, responder, OCSP, "https")
	for _, name := range made.CAs {
		a := cas.Authority(name)
		out, err := a.Enroll(t.Context(), tokenRequest(t))
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(out.DER)
		require.NoError(t, err)
		issuer := a.Chain()[0]
		for n, url := range []string{plain + pathOCSP, plain + "/ca/ocsp", tls + pathOCSP} {
			c := clientOf(t, dir, map[bool]string{true: clientNickname}[n == 2])
			assert.Equal(t, ocsp.Good, askOCSP(t, c, url, cert, issuer).Status)
		}
		require.NoError(t, a.Revoke(t.Context(), connector.RevokeRequest{Serial: out.Serial, Reason: 1}))
		got := askOCSP(t, http.DefaultClient, plain+pathOCSP, cert, issuer)
		assert.Equal(t, ocsp.Revoked, got.Status)
		assert.Equal(t, ocsp.KeyCompromise, got.RevocationReason)
	}
	_, err = clientOf(t, dir, "").Get(tls + PathHealth)
	require.Error(t, err, "HTTPS wants a certificate of the client")
	code, h := health(t, clientOf(t, dir, clientNickname), tls)
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, map[string]string{"ca1": "ok", "ca2": "ok"}, h.Needs)

	before := responder.ocsp.cas[0].responder.SignerCert()
	until, err := CertifyOCSP(t.Context(), dir, []string{"ca1"})
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(year), until, time.Hour)
	responder.ocsp.cas[0].renew(responder.ocsp.part)
	assert.NotEqual(t, before.Raw, responder.ocsp.cas[0].responder.SignerCert().Raw, "taken up")
	foreign, err := os.ReadFile(filepath.Join(made.Dir, certsDir, "ca2-ocsp.crt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(made.Dir, certsDir, "ca1-ocsp.crt"), foreign, 0o600))
	now := responder.ocsp.cas[0].responder.SignerCert()
	responder.ocsp.cas[0].renew(responder.ocsp.part)
	assert.Equal(t, now, responder.ocsp.cas[0].responder.SignerCert())
	assert.Contains(t, log.String(), "was not taken")
	_, err = CertifyOCSP(t.Context(), dir, []string{"ca7"})
	require.ErrorContains(t, err, "none of its CAs")
	require.NoError(t, stop())
}

// A responder on another machine goes by the list that the CA publishes.
func TestResponderByList(t *testing.T) {
	dir, _ := newInstance(t)
	ca1 := addCA(t, dir, "ca1", func(o *CAOptions) { o.Host = "127.0.0.1" })
	made := addOCSP(t, dir, func(o *OCSPOptions) { o.FromList = true })
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.Mkdir(other, 0o700))
	require.NoError(t, os.Rename(made.Dir, filepath.Join(other, OCSP)))
	appendTo(t, filepath.Join(other, OCSP, configFile), "ocsp.ca1.crl.refresh=1s\n")

	responder, log := open(t, other, Options{})
	assert.Contains(t, log.String(), "no revocation list yet")
	stop := serve(t, responder)
	tls := addressOf(t, responder, OCSP, "https")
	code, _ := health(t, clientOf(t, dir, clientNickname), tls)
	assert.Equal(t, http.StatusServiceUnavailable, code)

	cas, _ := open(t, dir, Options{Subsystems: []string{CA}})
	stopCA := serve(t, cas)
	a := cas.Authority("ca1")
	out, err := a.Enroll(t.Context(), tokenRequest(t))
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(out.DER)
	require.NoError(t, err)
	ready := func() bool {
		code, _ := health(t, clientOf(t, dir, clientNickname), tls)
		return code == http.StatusOK
	}
	require.Eventually(t, ready, 20*time.Second, 20*time.Millisecond, ca1.URL)
	url := addressOf(t, responder, OCSP, "http") + pathOCSP
	assert.Equal(t, ocsp.Good, askOCSP(t, http.DefaultClient, url, cert, a.Chain()[0]).Status)
	require.NoError(t, a.Revoke(t.Context(), connector.RevokeRequest{Serial: out.Serial, Reason: 4}))
	_, err = a.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return askOCSP(t, http.DefaultClient, url, cert, a.Chain()[0]).Status == ocsp.Revoked
	}, 20*time.Second, 20*time.Millisecond)
	require.NoError(t, stopCA())
	assert.Equal(t, ocsp.Revoked, askOCSP(t, http.DefaultClient, url, cert, a.Chain()[0]).Status,
		"while the list holds, the CA need not be there")
	require.NoError(t, stop())
}

func TestResponderConfiguredWrongly(t *testing.T) {
	dir, _ := newInstance(t)
	_, err := CreateOCSP(t.Context(), dir, OCSPOptions{Cost: cheap})
	require.ErrorContains(t, err, "no CA is there")
	addCA(t, dir, "ca1", nil)
	for want, change := range map[string]func(*OCSPOptions){
		"as ca1": func(o *OCSPOptions) { o.CAs = []string{"ca"} },
		"ca7":    func(o *OCSPOptions) { o.CAs = []string{"ca7"} },
		"host":   func(o *OCSPOptions) { o.Host = "a b" },
	} {
		o := OCSPOptions{Cost: cheap}
		change(&o)
		_, err := CreateOCSP(t.Context(), dir, o)
		require.ErrorContains(t, err, want)
		assert.NoDirExists(t, filepath.Join(dir, OCSP))
	}
	addOCSP(t, dir, nil)
	for want, set := range map[string]map[string]string{
		"names no CA":           {"ocsp.list": ""},
		"want this or crl":      {"ocsp.ca1.database": ""},
		"for reading":           {"ocsp.ca1.database": "../ca1/none.db"},
		"http://":               {"ocsp.ca1.database": "", "ocsp.ca1.crl": "ftp://x/y"},
		"refresh":               {"ocsp.ca1.database": "", "ocsp.ca1.crl": "x", "ocsp.ca1.crl.refresh": "soon"},
		"is not the CA's":       {"ocsp.ca1.certNickname": "ca"},
		"the responder's key":   {"ocsp.ca1.signing.certNickname": "serverCert"},
		"signing.keyNickname":   {"ocsp.ca1.signing.keyNickname": "none"},
		"ocsp.ca2.certNickname": {"ocsp.list": "ca2"},
	} {
		i, err := Open(t.Context(), dir, Options{Subsystems: []string{OCSP},
			Override: map[string]map[string]string{OCSP: set}})
		if assert.ErrorContains(t, err, want) {
			continue
		}
		require.NoError(t, i.Close())
	}
	_, err = Open(t.Context(), dir, Options{Subsystems: []string{"crl"}})
	require.ErrorContains(t, err, OCSP)
}
