package ldap_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/loopback"
	"tokenwright/features/servers"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/token"
)

// issuer is a CA of a test.
type issuer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	dir  string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{dir: t.TempDir()}
	i.cert, i.key = i.issue(t, "ca")
	return i
}

// issue makes a certificate, the first one the CA's own, and writes it and its key.
func (i *issuer) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
	}
	parent, signer := i.cert, i.key
	if parent == nil {
		template.IsCA, parent, signer = true, template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for ext, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		require.NoError(t, os.WriteFile(i.path(name+ext), pem.EncodeToMemory(block), 0o600))
	}
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}

func (i *issuer) path(file string) string { return filepath.Join(i.dir, file) }

// Records travel over TLS, by StartTLS or from the first byte, with a password or a certificate to log
// in; whoever is not trusted is not told the password.
func TestOverTLS(t *testing.T) {
	ca := newIssuer(t)
	ca.issue(t, "server")
	ca.issue(t, "tps")
	port, err := loopback.Port()
	require.NoError(t, err)
	d := start(t, func(ctx context.Context) (*servers.Directory, error) {
		return servers.StartSlapd(ctx, servers.SlapdOptions{Cert: ca.path("server.crt"),
			Key: ca.path("server.key"), CA: ca.path("ca.crt"), TLSPort: port})
	})
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	pair, err := tls.LoadX509KeyPair(ca.path("tps.crt"), ca.path("tps.key"))
	require.NoError(t, err)
	plain, err := d.Fresh()
	require.NoError(t, err)
	for name, edit := range map[string]func(*ldap.Config){
		"StartTLS": func(c *ldap.Config) { c.Security = ldap.StartTLS },
		"LDAPS":    func(c *ldap.Config) { c.Security, c.Addrs = ldap.LDAPS, []string{loopback.Addr(port)} },
		"certificate": func(c *ldap.Config) {
			c.Security, c.External, c.Password, c.BindDN = ldap.StartTLS, true, "", ""
			c.TLS.Certificates = []tls.Certificate{pair}
		},
		"second address": func(c *ldap.Config) {
			c.Security, c.Addrs = ldap.StartTLS, append([]string{"127.0.0.1:1"}, c.Addrs...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := plain
			c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			edit(&c)
			s, err := ldap.Open(t.Context(), c)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			_, err = s.Apply(t.Context(), store.Change{CUID: mine, Actor: "a", Why: "w", At: began,
				Activities: []token.Activity{{Op: token.OpFormat, Result: token.Success}}})
			require.NoError(t, err)
		})
	}
	for name, edit := range map[string]func(*ldap.Config){
		"untrusted server": func(c *ldap.Config) {
			c.Security, c.TLS = ldap.StartTLS, &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		},
		"wrong password": func(c *ldap.Config) { c.Password = "wrong secret" },
		"plain to another machine": func(c *ldap.Config) {
			c.Addrs = []string{"192.0.2.1:389"}
		},
		"certificate over no TLS": func(c *ldap.Config) { c.External = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := plain
			edit(&c)
			_, err := ldap.Open(t.Context(), c)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}
