package administration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokenwright/features/loopback"
	"tokenwright/features/steps/scene"
)

// authority issues certificates to people, as some CA of the organisation does.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64
}

// administers gives somebody a certificate and a role, before the system starts.
func administers(ctx context.Context, who, roles string) error {
	st, sn := from(ctx), scene.From(ctx)
	if st.authority == nil {
		if err := st.makeAuthority(); err != nil {
			return err
		}
		port, err := loopback.Port()
		if err != nil {
			return err
		}
		err = errors.Join(sn.Configure("admin.listen", loopback.Addr(port)),
			sn.Configure("admin.clientCA", filepath.Join(st.folder, "people.crt")))
		if err != nil {
			return err
		}
	}
	path, err := st.issue(who)
	if err != nil {
		return err
	}
	st.people[who] = path
	if strings.TrimSpace(roles) == "nobody" { // trusted, but not listed
		return nil
	}
	st.listed = append(st.listed, who)
	return errors.Join(sn.Configure("admin.users.list", strings.Join(st.listed, ",")),
		sn.Configure("admin.users."+who+".subject", "CN="+who),
		sn.Configure("admin.users."+who+".roles", roles))
}

func (s *state) makeAuthority() error {
	var err error
	if s.folder, err = os.MkdirTemp("", "tokenwright-people-"); err != nil {
		return err
	}
	s.authority = &authority{}
	if s.authority.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	tmpl := s.authority.template("People")
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, s.authority.key.Public(), s.authority.key)
	if err != nil {
		return err
	}
	if s.authority.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return writePEM(filepath.Join(s.folder, "people.crt"), "CERTIFICATE", der)
}

func (a *authority) template(name string) *x509.Certificate {
	a.made++
	return &x509.Certificate{SerialNumber: big.NewInt(a.made), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true}
}

func (s *state) issue(name string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	tmpl := s.authority.template(name)
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, s.authority.cert, key.Public(), s.authority.key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.folder, name)
	return path, errors.Join(writePEM(path+".crt", "CERTIFICATE", der),
		writePEM(path+".key", "PRIVATE KEY", private))
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func (s *state) pair(who string) (tls.Certificate, error) {
	path, ok := s.people[who]
	if !ok {
		return tls.Certificate{}, fmt.Errorf("%s has no certificate", who)
	}
	return tls.LoadX509KeyPair(path+".crt", path+".key")
}
