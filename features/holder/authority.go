package holder

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Authority is a certification authority for one run of the harness.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

// lifetime of all certificates; a run is over much sooner.
const lifetime = 24 * time.Hour

// TheAuthority is the one that issues everything in this run.
var TheAuthority = sync.OnceValues(newAuthority)

func newAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Harness CA", Organization: []string{"tokenwright"}},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	cert, err := issue(t, t, key.Public(), key)
	return &Authority{Certificate: cert, key: key}, err
}

func issue(t, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	id := sha1.Sum(spki)
	t.SerialNumber, t.SubjectKeyId = serial.Add(serial, big.NewInt(1)), id[:]
	t.NotBefore = time.Now().Add(-time.Hour)
	t.NotAfter = t.NotBefore.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key, by)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate for %s: %w", t.Subject, err)
	}
	return x509.ParseCertificate(der)
}

// oidUID is the attribute type of a user's name at log-in (RFC 4519 §2.39).
var oidUID = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// user issues a certificate to a person.
func (a *Authority) user(p Person, usage x509.KeyUsage, key crypto.PublicKey) (*x509.Certificate, error) {
	return issue(&x509.Certificate{
		Subject: pkix.Name{
			CommonName: p.Name, Organization: []string{"tokenwright"},
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: oidUID, Value: p.UID}},
		},
		EmailAddresses: []string{p.Mail},
		KeyUsage:       usage,
		ExtKeyUsage:    []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}, a.Certificate, key, a.key)
}

// Server issues a certificate to a server at 127.0.0.1, with a key of its own.
func (a *Authority) Server() (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	cert, err := issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    []string{"localhost"},
		IPAddresses: loopback,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.Certificate, key.Public(), a.key)
	return cert, key, err
}
