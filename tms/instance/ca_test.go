package instance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca"
	"tokenwright/tms/connector"
	"tokenwright/tms/keystore"
)

// addCA makes a CA in an instance.
func addCA(t testing.TB, dir, name string, change func(*CAOptions)) CAMade {
	t.Helper()
	o := CAOptions{Name: name, Key: keystore.P256, Listen: freeAddr(t), PublicListen: freeAddr(t), Cost: cheap}
	if change != nil {
		change(&o)
	}
	made, err := CreateCA(context.Background(), dir, o)
	require.NoError(t, err)
	return made
}

func tokenRequest(t testing.TB) connector.EnrollRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	return connector.EnrollRequest{RequestID: "1", ProfileID: "caTokenUserSigningKeyEnrollment", UserID: "anna",
		CUID: [10]byte{0x40, 0x90}, PublicKey: spki, Attributes: map[string]string{"mail": "anna@example.org"}}
}

// Two CAs side by side, each served over HTTPS to the TPS's certificate, one of them retired later.
func TestCAsSideBySide(t *testing.T) {
	dir, _ := newInstance(t)
	first, second := addCA(t, dir, "ca1", nil), addCA(t, dir, "ca2", func(o *CAOptions) { o.Key = keystore.RSA2048 })
	names, err := Subsystems(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{TKS, "ca1", "ca2", TPS}, names)
	cas, log := open(t, dir, Options{Subsystems: []string{CA}})
	assert.Empty(t, cas.Unread())
	assert.NotContains(t, log.String(), "WARN")
	stop := serve(t, cas)

	tps, _ := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.Empty(t, tps.Unread(), "the TPS was told of both")
	p, err := newPart(dir, TPS, Options{Log: tps.log})
	require.NoError(t, err)
	others, err := tps.openAuthorities(p, Options{})
	require.NoError(t, err)
	require.Len(t, others.cas, 2)
	r := tokenRequest(t)
	for name, made := range map[string]CAMade{"ca1": first, "ca2": second} {
		out, err := others.cas[name].Enroll(context.Background(), r)
		require.NoError(t, err)
		again, err := others.cas[name].Enroll(context.Background(), r)
		require.NoError(t, err)
		assert.Equal(t, out, again)
		cert, err := x509.ParseCertificate(out.DER)
		require.NoError(t, err)
		assert.Equal(t, others.signers[name], hexOf(cert.AuthorityKeyId))
		assert.Equal(t, made.URL+ca.PathCRL, cert.CRLDistributionPoints[0])
		require.NoError(t, others.cas[name].Revoke(context.Background(), connector.RevokeRequest{Serial: out.Serial, Reason: 6}))
		require.NoError(t, others.cas[name].Release(context.Background(), out.Serial))
		status, err := others.cas[name].Certificate(context.Background(), out.Serial)
		require.NoError(t, err)
		assert.Equal(t, connector.CertificateValid, status.State)
		events, err := cas.cas[name].authority.DB().Events(context.Background(), out.Serial)
		require.NoError(t, err)
		require.Len(t, events, 3)
		assert.Contains(t, events[0].Actor, "TPS-localhost")
		for path, kind := range map[string]string{ca.PathCertificate: "CERTIFICATE", ca.PathCRL: "CRL",
			"/root" + ca.PathCertificate: "CERTIFICATE", "/root" + ca.PathCRL: "CRL"} {
			body := fetch(t, made.URL+path)
			if kind == "CRL" {
				_, err = x509.ParseRevocationList(body)
			} else {
				_, err = x509.ParseCertificate(body)
			}
			assert.NoError(t, err, path)
		}
	}
	list, err := IssueRootCRL(context.Background(), dir, "ca1")
	require.NoError(t, err)
	assert.Equal(t, list.DER, fetch(t, first.URL+rootPath+ca.PathCRL))
	require.NoError(t, os.RemoveAll(first.Root), "the root is taken away")
	assert.Equal(t, list.DER, fetch(t, first.URL+rootPath+ca.PathCRL))
	_, err = IssueRootCRL(context.Background(), dir, "ca1")
	require.Error(t, err)
	require.NoError(t, stop())
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// fetch waits for what is published.
func fetch(t *testing.T, url string) []byte {
	t.Helper()
	var body []byte
	require.Eventually(t, func() bool {
		res, err := http.Get(url)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		body, err = io.ReadAll(res.Body)
		return err == nil && res.StatusCode == http.StatusOK
	}, 10*time.Second, 20*time.Millisecond, url)
	return body
}

// In one process the TPS asks its CA directly; both find what the other did.
func TestCAInTheSameProcess(t *testing.T) {
	dir, _ := newInstance(t)
	addCA(t, dir, "ca1", nil)
	i, log := open(t, dir, Options{})
	assert.Contains(t, log.String(), "certificate authority is in this process")
	out, err := i.CA("ca1").Enroll(context.Background(), tokenRequest(t))
	require.NoError(t, err)
	agents, public := i.CAHandlers("ca1")
	assert.NotNil(t, agents)
	assert.NotNil(t, public)
	require.NoError(t, i.Close())
	retired, _ := open(t, dir, Options{Subsystems: []string{"ca1"},
		Override: map[string]map[string]string{"ca1": {"ca.retired": "true"}}})
	again, err := retired.CA("ca1").Enroll(context.Background(), tokenRequest(t))
	require.ErrorIs(t, err, connector.ErrCAConflict, "another key")
	assert.Empty(t, again)
	require.NoError(t, retired.CA("ca1").Revoke(context.Background(), connector.RevokeRequest{Serial: out.Serial, Reason: 1}))
	assert.Nil(t, retired.CA("ca2"))
}

// Under an organisation's own root: a request goes out, a certificate and its chain come in.
func TestCAUnderAnotherRoot(t *testing.T) {
	dir, _ := newInstance(t)
	made := addCA(t, dir, "ca1", func(o *CAOptions) {
		o.ExternalRoot, o.Subject, o.Key = true, "CN=Cards,O=Example", keystore.P384
	})
	_, err := Open(context.Background(), dir, Options{Subsystems: []string{"ca1"}})
	require.ErrorContains(t, err, "tms ca install")
	text, err := os.ReadFile(made.CSR)
	require.NoError(t, err)
	csr, err := ca.ParseCSR(text)
	require.NoError(t, err)
	other := addCA(t, dir, "ca9", nil) // its root stands in for the organisation's
	above, closers, err := openRootDir(context.Background(), other.Root, "", Options{})
	require.NoError(t, err)
	for _, c := range closers {
		defer c.Close()
	}
	cert, err := above.CertifyCA(context.Background(), csr, 365*24*time.Hour)
	require.NoError(t, err)
	chain := chainPEM(cert, above.Chain()[0])
	require.Error(t, InstallCA(context.Background(), dir, "ca1", chainPEM(above.Chain()[0])), "another key")
	require.Error(t, InstallCA(context.Background(), dir, "ca1", chainPEM(cert)), "no chain")
	require.Error(t, InstallCA(context.Background(), dir, "ca1", bytes.Repeat(chain, 9)))
	require.Error(t, InstallCA(context.Background(), dir, "tks", chain))
	require.NoError(t, InstallCA(context.Background(), dir, "ca1", chain))
	i, _ := open(t, dir, Options{Subsystems: []string{"ca1", TPS}})
	out, err := i.CA("ca1").Enroll(context.Background(), tokenRequest(t))
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(out.DER)
	require.NoError(t, err)
	require.NoError(t, leaf.CheckSignatureFrom(cert))
}

func TestCAsThatCanNotBeMade(t *testing.T) {
	dir, _ := newInstance(t)
	addCA(t, dir, "ca1", nil)
	for name, o := range map[string]CAOptions{
		"there": {Name: "ca1"}, "name": {Name: "ca"}, "letters": {Name: "cax"}, "subject": {Name: "ca2", Subject: "Example"},
		"key": {Name: "ca2", Key: "aes128"}, "years": {Name: "ca2", Years: 99}, "host": {Name: "ca2", Host: "a b"},
		"listen": {Name: "ca2", Listen: "x"}, "public": {Name: "ca2", PublicListen: "x"},
	} {
		o.Cost = cheap
		_, err := CreateCA(context.Background(), dir, o)
		assert.Error(t, err, name)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".tms-ca-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	_, err = CreateCA(context.Background(), t.TempDir(), CAOptions{Name: "ca1", Cost: cheap})
	assert.ErrorContains(t, err, "tms init")
}

func TestMistakesInACAsConfiguration(t *testing.T) {
	dir, _ := newInstance(t)
	made := addCA(t, dir, "ca1", nil)
	for key, value := range map[string]string{"ca.retired": "perhaps", "ca.crl.MasterCRL.updateSchema": "0",
		"ca.url": "ldap://x", "publish.listen": "nowhere", "agents.list": "7", "ca.signing.keyNickname": "gone",
		"ca.ocsp_signing.keyNickname": "gone", "ca.signing.certNickname": "gone",
		"ca.publish.ldap.enable": "true", "ca.ocsp.validity": "-1"} {
		_, err := Open(context.Background(), dir, Options{Subsystems: []string{"ca1"},
			Override: map[string]map[string]string{"ca1": {key: value}}})
		assert.Error(t, err, key)
	}
	bad := filepath.Join(made.Dir, profilesDir, "mine.cfg")
	require.NoError(t, os.WriteFile(bad, []byte("subject=CN=x\nvalidity.days=many\n"), 0o600))
	_, err := Open(context.Background(), dir, Options{Subsystems: []string{"ca1"}})
	require.ErrorContains(t, err, "mine.cfg:2")
	text, err := os.ReadFile(filepath.Join(made.Dir, profilesDir, examplesDir, "caServerCert.cfg"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bad, text, 0o600))
	i, _ := open(t, dir, Options{Subsystems: []string{"ca1"}})
	assert.Contains(t, i.cas["ca1"].authority.Profiles(), "mine", "a copied profile is a profile")
	_, rest := pem.Decode(i.cas["ca1"].authority.ChainPEM())
	assert.NotEmpty(t, rest)
}
