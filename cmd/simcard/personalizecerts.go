package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// authority issues the certificates of one card and is thrown away with it.
type authority struct {
	key    crypto.Signer
	cert   *x509.Certificate
	from   time.Time
	to     time.Time
	random io.Reader
}

// newAuthority makes an authority that is as valid as its certificates.
func newAuthority(random io.Reader, from, to time.Time) (*authority, error) {
	key, err := keyKind{ec: true, bits: 256}.generate(random)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, from: from, to: to, random: random}
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization: []string{"Virtual card"}, CommonName: "Throw-away authority of one card",
		},
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:     x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId: keyID(key.Public()),
	}
	der, err := a.sign(template, template, key.Public())
	if err != nil {
		return nil, err
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// issue makes the certificate of one of a user's keys.
func (a *authority) issue(spec keySpec, user string, key crypto.PublicKey) ([]byte, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization: []string{"Virtual card"}, CommonName: user,
			OrganizationalUnit: []string{spec.purpose.name},
		},
		BasicConstraintsValid: true, KeyUsage: spec.usage, ExtKeyUsage: spec.extended,
		SubjectKeyId: keyID(key),
	}
	if mail := user + "@example.test"; isMail(mail) {
		template.EmailAddresses = []string{mail}
	}
	return a.sign(template, a.cert, key)
}

// isMail tells whether a name makes an address without further ado.
func isMail(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>[]:;,\"`, r)
	}) && strings.Count(s, "@") == 1
}

// sign signs without randomness (RFC 6979): the same choices make the same certificate.
func (a *authority) sign(template, parent *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	serial := make([]byte, 8)
	if _, err := io.ReadFull(a.random, serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7F | 0x40
	template.SerialNumber = new(big.Int).SetBytes(serial)
	template.NotBefore, template.NotAfter = a.from, a.to
	return x509.CreateCertificate(nil, template, parent, key, a.key)
}

// keyID shortens a hash of the public key (RFC 7093 §2 method 1).
func keyID(key crypto.PublicKey) []byte {
	if k, ok := key.(*ecdsa.PublicKey); ok {
		if point, err := k.Bytes(); err == nil {
			sum := sha256.Sum256(point)
			return sum[:20]
		}
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(der)
	return sum[:20]
}

// caFile is the name of the authority's certificate in the folder for certificates.
const caFile = "ca.pem"

// checkCertOut tells before a card is made whether its certificates would find their names taken.
func checkCertOut(dir string, keys []keySpec) error {
	if dir == "" {
		return nil
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	names := []string{caFile}
	for _, k := range keys {
		names = append(names, k.purpose.name+".pem")
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s: there is something already; it is left alone", path)
		}
	}
	return nil
}

// writeCertificates writes the authority's certificate and one for each key into dir, under names
// that are free. It gives the path of the former.
func writeCertificates(dir string, ca []byte, keys []madeKey) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // certificates are for everybody
		return "", err
	}
	authority := filepath.Join(dir, caFile)
	if err := writePEM(authority, ca); err != nil {
		return "", err
	}
	for i := range keys {
		keys[i].Certificate = filepath.Join(dir, keys[i].Purpose+".pem")
		if err := writePEM(keys[i].Certificate, keys[i].der); err != nil {
			return "", err
		}
	}
	return authority, nil
}

func writePEM(path string, der []byte) error {
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return writeNew(path, b, 0o644)
}

// writeNew writes a file that must not exist, and takes it away again when that fails halfway.
func writeNew(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s exists already", path)
		}
		return err
	}
	_, err = f.Write(b)
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}
