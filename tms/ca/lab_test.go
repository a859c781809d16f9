package ca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
)

// base is where the CAs of these tests say that they are reached.
const base = "http://ca.example"

// newKey makes a key by the name of its kind.
func newKey(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var k crypto.Signer
	var err error
	switch kind {
	case "p256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa2048":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		k, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa4096":
		k, err = rsa.GenerateKey(rand.Reader, 4096)
	}
	require.NoError(t, err)
	require.NotNil(t, k)
	return k
}

// lab is a root and an issuing CA below it.
type lab struct {
	t      testing.TB
	root   *ca.Authority
	ca     *ca.Authority
	opts   ca.Options // of the issuing CA
	clock  *clock
	dbPath string
}

// clock can be turned.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// profiles gives those that most of these tests need: trying all of them out takes its time.
func profiles(t testing.TB) profile.Set {
	t.Helper()
	all, err := profile.Defaults()
	require.NoError(t, err)
	s := profile.Set{}
	for _, id := range []string{signing, encryption, "caServerCert", "caTokenUserSigningKeyRenewal",
		"caTokenUserEncryptionKeyRenewal"} {
		require.Contains(t, all, id)
		s[id] = all[id]
	}
	return s
}

// allProfiles makes a CA issue by every profile that comes with the program.
func allProfiles(t testing.TB) func(*ca.Options) {
	t.Helper()
	all, err := profile.Defaults()
	require.NoError(t, err)
	return func(o *ca.Options) { o.Profiles = all }
}

func openDB(t testing.TB, path string) *certdb.DB {
	t.Helper()
	db, err := certdb.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// newLab makes a root and an issuing CA with keys of a kind.
func newLab(t testing.TB, kind string, change func(*ca.Options)) *lab {
	t.Helper()
	l := &lab{t: t, clock: &clock{at: time.Now()}}
	dir := t.TempDir()
	rootKey, key := newKey(t, kind), newKey(t, kind)
	rootCert, err := ca.SelfSign(rootKey, "CN=Root,O=Example,C=DE", l.clock.now().Add(-time.Hour),
		20*365*24*time.Hour)
	require.NoError(t, err)
	l.root, err = ca.New(ca.Options{Name: "root", Key: rootKey, Certificate: rootCert,
		DB: openDB(t, filepath.Join(dir, "root.db")), URL: base + "/root", Now: l.clock.now})
	require.NoError(t, err)
	cert := certify(t, l.root, key, "CN=Token CA 1,O=Example,C=DE")
	l.dbPath = filepath.Join(dir, "ca.db")
	l.opts = ca.Options{Name: "ca1", Key: key, Certificate: cert, Chain: []*x509.Certificate{rootCert},
		DB: openDB(t, l.dbPath), Profiles: profiles(t), OCSPKey: newKey(t, kind), URL: base,
		Now: l.clock.now}
	if change != nil {
		change(&l.opts)
	}
	l.ca = l.again(nil)
	return l
}

// again makes another authority on the same database and key, as after a restart.
func (l *lab) again(change func(*ca.Options)) *ca.Authority {
	l.t.Helper()
	o := l.opts
	if change != nil {
		change(&o)
	}
	a, err := ca.New(o)
	require.NoError(l.t, err)
	require.NoError(l.t, a.StartResponder(l.t.Context()))
	return a
}

// certify has a CA certify another's key, by way of a request.
func certify(t testing.TB, above *ca.Authority, key crypto.Signer, subject string) *x509.Certificate {
	t.Helper()
	raw, err := ca.NewCSR(key, subject)
	require.NoError(t, err)
	csr, err := ca.ParseCSR(raw)
	require.NoError(t, err)
	cert, err := above.CertifyCA(t.Context(), csr, 10*365*24*time.Hour)
	require.NoError(t, err)
	return cert
}

var subjectKeys = sync.OnceValue(func() map[string]crypto.Signer {
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	p, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return map[string]crypto.Signer{"rsa": r, "ec": p}
})

func spki(t testing.TB, kind string) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(subjectKeys()[kind].Public())
	require.NoError(t, err)
	return b
}

const (
	signing    = "caTokenUserSigningKeyEnrollment"
	encryption = "caTokenUserEncryptionKeyEnrollment"
)

// request asks for a certificate of anna's key.
func request(t testing.TB, profileID, kind string) connector.EnrollRequest {
	t.Helper()
	return connector.EnrollRequest{ProfileID: profileID, UserID: "anna", TokenType: "userKey",
		CUID:      keys.CUID{0x40, 0x90, 0, 0x62, 0xFF, 2, 0, 0, 0x0B, 0x9C},
		PublicKey: spki(t, kind), Subject: "CN=Anna,O=Example", SANPatterns: []string{"anna@example.org"},
		Attributes: map[string]string{"mail": "anna@example.org", "upn": "anna@corp.example",
			"csr_dns_0": "www.example.org"}}
}

// enroll issues a certificate.
func (l *lab) enroll(profileID, kind string) *x509.Certificate {
	l.t.Helper()
	out, err := l.ca.Enroll(l.t.Context(), request(l.t, profileID, kind))
	require.NoError(l.t, err)
	cert, err := x509.ParseCertificate(out.DER)
	require.NoError(l.t, err)
	require.Equal(l.t, out.Serial, connector.SerialOf(cert.SerialNumber))
	return cert
}

func serialOf(c *x509.Certificate) connector.Serial { return connector.SerialOf(c.SerialNumber) }
