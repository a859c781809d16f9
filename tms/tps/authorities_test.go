package tps_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/keys"
)

// testCA is a CA that keeps everything in memory.
type testCA struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate

	mu     sync.Mutex
	serial int64
	asked  map[string]*testCert // by request id
	issued map[connector.Serial]*testCert
	// down makes every call fail as if nobody answered; after has calls take effect
	// first.
	down, after bool
}

type testCert struct {
	connector.CertificateStatus
	profile string
	req     connector.EnrollRequest
	renews  connector.Serial
}

func newTestCA(t *testing.T) *testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &testCA{
		t: t, key: key, serial: 0x1000, asked: map[string]*testCert{},
		issued: map[connector.Serial]*testCert{},
	}
	der := ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Issuing CA"}, IsCA: true, BasicConstraintsValid: true,
		SubjectKeyId: []byte{1, 2, 3, 4}, NotAfter: time.Now().AddDate(10, 0, 0),
	}, nil, key.Public())
	ca.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return ca
}

func (c *testCA) sign(template, parent *x509.Certificate, public crypto.PublicKey) []byte {
	c.serial++
	template.SerialNumber = big.NewInt(c.serial)
	template.NotBefore = time.Now().Add(-time.Minute)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, c.key)
	require.NoError(c.t, err)
	return der
}

// answer tells what a call ends with, and whether it takes effect.
func (c *testCA) answer() (effect bool, err error) {
	switch {
	case c.down && c.after:
		return true, fmt.Errorf("%w: answer lost", connector.ErrUnavailable)
	case c.down:
		return false, connector.ErrUnavailable
	}
	return true, nil
}

func (c *testCA) Enroll(_ context.Context, req connector.EnrollRequest) (
	connector.IssuedCertificate, error,
) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := req.Check(); err != nil {
		return connector.IssuedCertificate{}, err
	}
	effect, err := c.answer()
	if !effect {
		return connector.IssuedCertificate{}, err
	}
	if have, ok := c.asked[req.RequestID]; ok {
		return have.IssuedCertificate, err
	}
	if req.ProfileID == "refused" {
		return connector.IssuedCertificate{}, connector.CAErrorf(connector.CARefused, "no")
	}
	public, perr := x509.ParsePKIXPublicKey(req.PublicKey)
	if perr != nil {
		return connector.IssuedCertificate{}, connector.CAErrorf(connector.CABadRequest, "%w", perr)
	}
	name := req.UserID
	if name == "" {
		name = "device " + req.CUID.String()
	}
	cert := c.issue(req.RequestID, name, public)
	cert.profile, cert.req = req.ProfileID, req
	return cert.IssuedCertificate, err
}

func (c *testCA) issue(id, name string, public crypto.PublicKey) *testCert {
	der := c.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().AddDate(1, 0, 0),
	}, c.cert, public)
	cert := &testCert{}
	cert.IssuedCertificate = connector.IssuedCertificate{
		Serial: connector.SerialOf(big.NewInt(c.serial)), Subject: name, DER: der,
	}
	cert.State = connector.CertificateValid
	c.asked[id], c.issued[cert.Serial] = cert, cert
	return cert
}

func (c *testCA) Renew(_ context.Context, req connector.RenewRequest) (
	connector.IssuedCertificate, error,
) {
	c.mu.Lock()
	defer c.mu.Unlock()
	effect, err := c.answer()
	if !effect {
		return connector.IssuedCertificate{}, err
	}
	if have, ok := c.asked[req.RequestID]; ok {
		return have.IssuedCertificate, err
	}
	old, ok := c.issued[req.Serial]
	if !ok {
		return connector.IssuedCertificate{}, connector.ErrCANotFound
	}
	parsed, perr := x509.ParseCertificate(old.DER)
	require.NoError(c.t, perr)
	cert := c.issue(req.RequestID, old.Subject, parsed.PublicKey)
	cert.profile, cert.renews = req.ProfileID, req.Serial
	return cert.IssuedCertificate, err
}

func (c *testCA) Revoke(_ context.Context, req connector.RevokeRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := req.Check(); err != nil {
		return err
	}
	effect, err := c.answer()
	if !effect {
		return err
	}
	cert, ok := c.issued[req.Serial]
	if !ok {
		return connector.ErrCANotFound
	}
	cert.State, cert.Reason = connector.CertificateRevoked, req.Reason
	if req.Reason == connector.ReasonCertificateHold {
		cert.State = connector.CertificateOnHold
	}
	return err
}

func (c *testCA) Release(_ context.Context, serial connector.Serial) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.answer(); err != nil {
		return err
	}
	c.issued[serial].State = connector.CertificateValid
	return nil
}

func (c *testCA) Certificate(_ context.Context, serial connector.Serial) (
	connector.CertificateStatus, error,
) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.answer(); err != nil {
		return connector.CertificateStatus{}, err
	}
	cert, ok := c.issued[serial]
	if !ok {
		return connector.CertificateStatus{}, connector.ErrCANotFound
	}
	return cert.CertificateStatus, nil
}

// state gives the state and reason of a certificate.
func (c *testCA) state(serial string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, ok := c.issued[connector.Serial(serial)]
	if !ok {
		return "unknown"
	}
	if cert.State == connector.CertificateRevoked {
		return fmt.Sprintf("revoked %d", int(cert.Reason))
	}
	return string(cert.State)
}

// valid lists the serial numbers of certificates that are good.
func (c *testCA) valid() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]bool{}
	for serial, cert := range c.issued {
		if cert.State == connector.CertificateValid {
			out[string(serial)] = true
		}
	}
	return out
}

// setDown has the CA not answer, after doing what it was asked or without.
func (c *testCA) setDown(down, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down, c.after = down, after
}

// testKRA is a KRA that keeps everything in memory.
type testKRA struct {
	ca        *testCA
	key       *rsa.PrivateKey
	transport *x509.Certificate

	mu   sync.Mutex
	down bool
	keys map[string]*archived // by key id
	byID map[string]*archived // by request id
	last connector.KeyPairRequest
}

type archived struct {
	info connector.KeyInfo
	der  []byte // PKCS #8
}

var transportKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
})

func newTestKRA(ca *testCA) *testKRA {
	key, err := transportKey()
	require.NoError(ca.t, err)
	cert, err := x509.ParseCertificate(ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "KRA transport"}, NotAfter: time.Now().AddDate(1, 0, 0),
	}, ca.cert, key.Public()))
	require.NoError(ca.t, err)
	return &testKRA{
		ca: ca, key: key, transport: cert, keys: map[string]*archived{}, byID: map[string]*archived{},
	}
}

func (k *testKRA) GenerateKeyPair(_ context.Context, req connector.KeyPairRequest) (
	connector.KeyPairResponse, error,
) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return connector.KeyPairResponse{}, connector.ErrUnavailable
	}
	k.last = req
	a, ok := k.byID[req.RequestID]
	if !ok || req.RequestID == "" {
		a = &archived{info: connector.KeyInfo{CUID: req.CUID, UserID: req.UserID, Type: req.Type}}
		var private crypto.Signer
		var err error
		if req.Type == connector.KeyEC {
			curve, cerr := keyblob.Curve(req.Bits)
			require.NoError(k.ca.t, cerr)
			private, err = ecdsa.GenerateKey(curve, rand.Reader)
		} else {
			private, err = rsa.GenerateKey(rand.Reader, req.Bits)
		}
		require.NoError(k.ca.t, err)
		a.der, _, err = keyblob.PKCS8(private)
		require.NoError(k.ca.t, err)
		a.info.PublicKey, err = x509.MarshalPKIXPublicKey(private.Public())
		require.NoError(k.ca.t, err)
		if req.Archive {
			a.info.KeyID = connector.KeyID(fmt.Sprint(len(k.keys) + 1))
			k.keys[string(a.info.KeyID)], k.byID[req.RequestID] = a, a
		}
	}
	return k.wrap(a, req.CardTransport)
}

// wrap gives a key under the transport key that came with the request.
func (k *testKRA) wrap(a *archived, t connector.CardTransport) (connector.KeyPairResponse, error) {
	resp := connector.KeyPairResponse{
		KeyID: a.info.KeyID, PublicKey: a.info.PublicKey, Wrap: t.AESWrap, IV: make([]byte, 16),
	}
	sealed, alg, algorithm := t.DRMTransAESKey, keys.AES, byte(coolkey.AlgorithmAESKWP)
	switch {
	case len(sealed) == 0:
		sealed, alg, algorithm = t.DRMTransDESKey, keys.DES3, coolkey.AlgorithmDESKCV
		resp.Wrap, resp.IV = connector.WrapDES3CBC, make([]byte, 8)
	case t.AESWrap == connector.WrapAESCBC:
		algorithm = coolkey.AlgorithmAESCBC
	}
	raw, err := rsa.DecryptOAEP(sha256.New(), nil, k.key, sealed, nil)
	if err != nil {
		return resp, connector.KRAErrorf(connector.KRANoWrapped, "%w", err)
	}
	key, err := keys.New(alg, raw)
	if err != nil {
		return resp, err
	}
	resp.Wrapped, err = keyblob.WrapPair(algorithm, key, resp.IV, a.der)
	return resp, err
}

func (k *testKRA) RecoverKey(_ context.Context, req connector.KeyRecoveryRequest) (
	connector.KeyPairResponse, error,
) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.keys[string(req.KeyID)]
	if k.down {
		return connector.KeyPairResponse{}, connector.ErrUnavailable
	}
	if !ok || a.info.UserID != req.UserID {
		return connector.KeyPairResponse{}, connector.ErrKeyNotFound
	}
	return k.wrap(a, req.CardTransport)
}

func (k *testKRA) FindKey(_ context.Context, q connector.KeyQuery) (connector.KeyInfo, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return connector.KeyInfo{}, connector.ErrUnavailable
	}
	if a, ok := k.byID[q.RequestID]; ok {
		return a.info, nil
	}
	return connector.KeyInfo{}, connector.ErrKeyNotFound
}

// holds tells whether the key of a certificate is archived.
func (k *testKRA) holds(cert *x509.Certificate) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.keys {
		if string(a.info.PublicKey) == string(cert.RawSubjectPublicKeyInfo) {
			return true
		}
	}
	return false
}

func (k *testKRA) setDown(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}
