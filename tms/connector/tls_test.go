package connector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

// authority issues certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	a := authority{pool: x509.NewCertPool()}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		Subject: pkix.Name{CommonName: "test ca"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.pool.AddCert(a.cert)
	return a
}

func (a authority) issue(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// serve puts a handler behind TLS that asks for client certificates.
func (a authority) serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{a.issue(t, "tks")},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: a.pool}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (a authority) client(t testing.TB, hosts string, s *SharedSecret, change func(*ClientConfig)) (
	*TKSClient, tls.Certificate,
) {
	t.Helper()
	own := a.issue(t, "tps")
	cfg := ClientConfig{Hosts: hosts, Secret: s, Timeout: 10 * time.Second,
		TLS: &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{own}}}
	if change != nil {
		change(&cfg)
	}
	c, err := NewTKSClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c, own
}

func secretOf(t testing.TB, alg keys.Algorithm, text string) *SharedSecret {
	t.Helper()
	k, err := keys.New(alg, []byte(text))
	require.NoError(t, err)
	s, err := NewSharedSecret(k)
	require.NoError(t, err)
	return s
}

func aesSecret(t testing.TB) *SharedSecret {
	return secretOf(t, keys.AES, "0123456789abcdef0123456789abcdef")
}

// fakeTKS records requests and answers what it was told to.
type fakeTKS struct {
	err     error
	keys    keys.SessionKeys
	session SessionKeyRequest
	keySet  KeySetDataRequest
	ids     []string // session and caller of each call
}

func (f *fakeTKS) note(ctx context.Context) {
	f.ids = append(f.ids, Session(ctx)+"/"+Caller(ctx))
}

func (f *fakeTKS) ComputeSessionKey(ctx context.Context, r SessionKeyRequest) (
	SessionKeyResponse, error,
) {
	f.note(ctx)
	f.session = r
	return SessionKeyResponse{Keys: f.keys, HostCryptogram: [8]byte{1, 2, 3}}, f.err
}

func (f *fakeTKS) CreateKeySetData(ctx context.Context, r KeySetDataRequest) (
	KeySetDataResponse, error,
) {
	f.note(ctx)
	f.keySet = r
	return KeySetDataResponse{KeySetData: []byte{2}}, f.err
}

func (f *fakeTKS) EncryptData(_ context.Context, r EncryptDataRequest) (
	EncryptDataResponse, error,
) {
	return EncryptDataResponse{Data: r.Data, Encrypted: r.Data}, f.err
}

func (f *fakeTKS) ComputeRandomData(_ context.Context, n int) ([]byte, error) {
	return make([]byte, n), f.err
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	var b strings.Builder
	_, err := io.Copy(&b, io.LimitReader(res.Body, 1<<20))
	require.NoError(t, err)
	return b.String()
}
