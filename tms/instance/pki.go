package instance

import (
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
	"net"
	"os"
	"path/filepath"
	"time"
)

// Lifetimes of what an instance's own CA issues. The clocks of two machines may differ by skew.
const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	leafLifetime = 2 * 365 * 24 * time.Hour
	skew         = time.Hour
)

// issuer is the CA of an instance: P-256, for TLS among its parts and nothing else.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  time.Time
}

// certificate is a certificate with its key, ready to be written.
type certificate struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

func newIssuer(name string, now time.Time) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ca key: %w", err)
	}
	tmpl, err := template(name+" TLS CA", now, caLifetime)
	if err != nil {
		return nil, err
	}
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.MaxPathLenZero = true, true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("ca certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("ca certificate: %w", err)
	}
	return &issuer{cert: cert, key: key, now: now}, nil
}

func template(name string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certificate serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"tokenwright"}},
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(life),
	}, nil
}

// server issues a certificate for a listener that is reached as localhost and as host.
func (i *issuer) server(name, host string) (certificate, error) {
	tmpl, err := template(name, i.now, leafLifetime)
	if err != nil {
		return certificate{}, err
	}
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	tmpl.DNSNames = []string{"localhost"}
	tmpl.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(host); ip != nil {
		if !ip.IsLoopback() {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		}
	} else if host != "" && host != "localhost" {
		tmpl.DNSNames = append(tmpl.DNSNames, host)
	}
	return i.issue(tmpl)
}

// client issues a certificate by which one subsystem shows itself to another.
func (i *issuer) client(name string) (certificate, error) {
	tmpl, err := template(name, i.now, leafLifetime)
	if err != nil {
		return certificate{}, err
	}
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return i.issue(tmpl)
}

func (i *issuer) issue(tmpl *x509.Certificate) (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, fmt.Errorf("key of %s: %w", tmpl.Subject.CommonName, err)
	}
	tmpl.KeyUsage, tmpl.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, tmpl, i.cert, &key.PublicKey, i.key)
	if err != nil {
		return certificate{}, fmt.Errorf("certificate of %s: %w", tmpl.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	return certificate{cert, key}, err
}

// write puts a certificate and its key into dir under a nickname.
func (c certificate) write(dir, nickname string) error {
	if err := writeCert(filepath.Join(dir, nickname+".crt"), c.Certificate); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return fmt.Errorf("key %s: %w", nickname, err)
	}
	defer clear(der)
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(block)
	return writeNew(filepath.Join(dir, nickname+".key"), block, secretMode)
}

func writeCert(path string, cert *x509.Certificate) error {
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		publicMode)
}

// writeNew writes a file that must not be there, and waits until it is on the disk.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// loadPair reads the certificate and key of a nickname.
func loadPair(dir, nickname string) (tls.Certificate, error) {
	base := under(filepath.Join(dir, certsDir), nickname)
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate %s: %w", nickname, err)
	}
	return pair, nil
}

// loadCert reads the first certificate of a nickname, without key.
func loadCert(dir, nickname string) (*x509.Certificate, error) {
	path := under(filepath.Join(dir, certsDir), nickname) + ".crt"
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", nickname, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("certificate %s: %s holds none in PEM form", nickname, path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", nickname, err)
	}
	return cert, nil
}

// loadPool reads the CAs that peers are trusted by.
func loadPool(dir string) (*x509.CertPool, error) {
	path := filepath.Join(dir, certsDir, trustAnchorName+".crt")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("trusted CAs: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("trusted CAs: %s holds no certificate in PEM form", path)
	}
	return pool, nil
}
