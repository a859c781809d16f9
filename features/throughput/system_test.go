package throughput

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/lab"
	"tokenwright/features/loopback"
	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/vault"
	"tokenwright/tms/tps/auth"
)

// system is a whole token management system. Its user directory lets everybody in.
type system struct {
	dir   string
	port  int
	inst  *instance.Instance
	count counter
	kra   *kra.Service
	stash *stash
	tls   *tls.Config // whom clients trust
}

// kind is a kind of keys that people are enrolled with.
type kind struct {
	name   string
	config map[string]string // of the TPS
	rsa    bool
}

// kinds are keys that the card makes on a curve, and RSA keys that come from the KRA's pool, one of
// them archived.
func kinds() []kind {
	const typ = "op.enroll.userKey.keyGen."
	curve, pool := map[string]string{}, map[string]string{}
	for _, k := range []string{"signing", "encryption"} {
		curve[typ+k+".alg"], curve[typ+k+".keySize"] = "5", "256"
		curve[typ+k+".serverKeygen.enable"] = "false"
		pool[typ+k+".serverKeygen.enable"], pool[typ+k+".keySize"] = "true", "2048"
	}
	return []kind{{name: "P-256", config: curve}, {name: "RSA-2048", config: pool, rsa: true}}
}

// newSystem makes a system: authorities in this process, or behind HTTPS with certificates on both
// sides, as is the TPS then.
func newSystem(b *testing.B, k kind, remote bool) *system {
	b.Helper()
	s := &system{dir: filepath.Join(b.TempDir(), "instance"), stash: &stash{}}
	var err error
	s.port, err = loopback.Port()
	require.NoError(b, err)
	tks, err := loopback.Port()
	require.NoError(b, err)
	require.NoError(b, lab.MakeInstance(b.Context(), s.dir, s.port, tks))
	issuer, archive := s.newCA(b), s.newKRA(b)
	if remote {
		issuer, archive = overHTTPS(b, issuer, archive)
	}
	config := lab.Config(1)
	for key, value := range k.config {
		config[instance.TPS][key] = value
	}
	config[instance.TPS]["tps.connector.tks1.port"] = fmt.Sprint(tks)
	config[instance.TKS] = map[string]string{"tks.drm_transport_cert_nickname": transportName}
	s.inst, err = instance.Open(b.Context(), s.dir, instance.Options{
		Override: config, Auth: map[string]auth.Authenticator{"ldap1": everybody{}},
		CAs: map[string]connector.CA{"ca1": issuer}, KRAs: map[string]connector.KRA{"kra1": archive},
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.inst.Close()) })
	if remote {
		s.serve(b)
	}
	return s
}

func (s *system) serve(b *testing.B) {
	b.Helper()
	text, err := os.ReadFile(lab.CAFile(s.dir))
	require.NoError(b, err)
	s.tls = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	require.True(b, s.tls.RootCAs.AppendCertsFromPEM(text))
	require.NoError(b, s.inst.Listen(b.Context()))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.inst.Serve(ctx) }()
	b.Cleanup(func() {
		stop()
		require.NoError(b, <-done)
	})
}

const day = 24 * time.Hour

func (s *system) newCA(b *testing.B) connector.CA {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	ocsp, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	cert, err := ca.SelfSign(key, "CN=Token CA,O=tokenwright", time.Now().Add(-time.Hour), 3650*day)
	require.NoError(b, err)
	db, err := certdb.Open(b.Context(), filepath.Join(b.TempDir(), "ca.db"))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	profiles, err := profile.Defaults()
	require.NoError(b, err)
	a, err := ca.New(ca.Options{Name: "ca1", Certificate: cert, DB: db, Profiles: profiles,
		Key: countedSigner{key, &s.count}, OCSPKey: countedSigner{ocsp, &s.count},
		URL: "http://ca.example.org"})
	require.NoError(b, err)
	return a
}

const transportName = "transportCert"

func (s *system) newKRA(b *testing.B) connector.KRA {
	b.Helper()
	dir, ctx := b.TempDir(), b.Context()
	keys, err := soft.Create(filepath.Join(dir, "keystore"), []byte("benchmark"),
		soft.WithCost(soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, keys.Close()) })
	for _, name := range []string{"storage", "audit"} {
		_, err := keys.Generate(ctx, name, keystore.AES256)
		require.NoError(b, err)
	}
	audit, err := keys.Key(ctx, "audit")
	require.NoError(b, err)
	db, err := keydb.Open(ctx, filepath.Join(dir, "keys.db"), audit.CMAC)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	safe, err := vault.New(ctx, keys, "storage", rand.Reader)
	require.NoError(b, err)
	transport, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	s.writeTransport(b, transport)
	s.kra, err = kra.New(kra.Config{RSABits: []int{2048}, Curves: []int{256},
		Pool: map[int]int{2048: poolOf}}, kra.Options{DB: db, Vault: safe,
		Transport: countedDecrypter{transport, &s.count}, RSA: s.stash.take})
	require.NoError(b, err)
	b.Cleanup(func() {
		s.stash.close()
		require.NoError(b, s.kra.Close())
	})
	return s.kra
}

// writeTransport gives the TKS the certificate of the KRA's transport key.
func (s *system) writeTransport(b *testing.B, key crypto.Signer) {
	b.Helper()
	cert, err := ca.SelfSign(key, "CN=KRA transport,O=tokenwright", time.Now().Add(-time.Hour), day)
	require.NoError(b, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	require.NoError(b, os.WriteFile(
		filepath.Join(s.dir, instance.TKS, "certs", transportName+".crt"), text, 0o600))
}

// overHTTPS puts both authorities behind HTTPS.
func overHTTPS(b *testing.B, issuer connector.CA, archive connector.KRA) (
	connector.CA, connector.KRA,
) {
	b.Helper()
	server, client := newPeer(b, "authorities"), newPeer(b, "tps")
	o := connector.HandlerOptions{Clients: []connector.Client{
		{Name: "tps1", Fingerprint: connector.Fingerprint(client.Leaf)},
	}}
	peerOf := func(h http.Handler, err error) connector.PeerConfig {
		require.NoError(b, err)
		web := httptest.NewUnstartedServer(h)
		web.TLS = &tls.Config{Certificates: []tls.Certificate{server.Certificate},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client.pool}
		web.StartTLS()
		b.Cleanup(web.Close)
		return connector.PeerConfig{Hosts: web.Listener.Addr().String(), TLS: &tls.Config{
			RootCAs: server.pool, Certificates: []tls.Certificate{client.Certificate}}}
	}
	c, err := connector.NewCAClient(peerOf(connector.CAHandler(issuer, o)))
	require.NoError(b, err)
	k, err := connector.NewKRAClient(peerOf(connector.KRAHandler(archive, o)))
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = c.Close()
		_ = k.Close()
	})
	return c, k
}

// peer is a self-signed certificate and who trusts it.
type peer struct {
	tls.Certificate
	pool *x509.CertPool
}

func newPeer(b *testing.B, name string) peer {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(day)}
	template.Subject.CommonName = name
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(b, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(b, err)
	p := peer{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		x509.NewCertPool()}
	p.pool.AddCert(leaf)
	return p
}
