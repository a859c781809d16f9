package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/lint"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
)

// issuingProfile is the profile on the records of CAs' certificates.
const issuingProfile = "caCACert"

// caUsage is keyCertSign and cRLSign.
const caUsage = der.KeyUsage(1<<5 | 1<<6)

// SelfSign makes the certificate of a root.
func SelfSign(key crypto.Signer, subject string, from time.Time, life time.Duration) (
	*x509.Certificate, error,
) {
	cert, err := selfSign(key, subject, from, life)
	if err != nil {
		return nil, fmt.Errorf("root certificate: %w", err)
	}
	return cert, nil
}

func selfSign(key crypto.Signer, subject string, from time.Time, life time.Duration) (
	*x509.Certificate, error,
) {
	name, err := der.ParseName(subject)
	if err != nil {
		return nil, err
	}
	raw, err := name.Encode()
	if err != nil {
		return nil, err
	}
	alg, err := der.AlgorithmOf(key.Public())
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	serial, err := newSerial(rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := der.KeyID(spki)
	if err != nil {
		return nil, err
	}
	exts, err := der.Collect(der.Try(der.KeyUsageExt(caUsage)),
		der.Try(der.BasicConstraintsExt(true, -1)), der.Try(der.SubjectKeyIDExt(id)))
	if err != nil {
		return nil, err
	}
	from = from.UTC().Truncate(time.Second)
	tbs, err := der.TBS{Serial: serial, Algorithm: alg, Issuer: raw, Subject: raw, NotBefore: from,
		NotAfter: from.Add(life), PublicKey: spki, Extensions: exts}.Encode()
	if err != nil {
		return nil, err
	}
	cert, err := alg.SignCertificate(rand.Reader, key, tbs)
	if err != nil {
		return nil, err
	}
	if err := lint.Certificate(cert); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(cert)
}

// NewCSR makes a certificate signing request by which another CA certifies this one's key.
func NewCSR(key crypto.Signer, subject string) ([]byte, error) {
	name, err := der.ParseName(subject)
	if err != nil {
		return nil, err
	}
	raw, err := name.Encode()
	if err != nil {
		return nil, err
	}
	exts, err := der.Collect(der.Try(der.BasicConstraintsExt(true, 0)),
		der.Try(der.KeyUsageExt(caUsage)))
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: raw,
		ExtraExtensions: exts}, key)
}

// CSR is a certificate signing request whose signature is good.
type CSR struct {
	Subject   string // RFC 4514
	PublicKey []byte // DER SubjectPublicKeyInfo
	DNS       []string
	IPs       []string
	Mail      []string
}

// maxCSR bounds a request, in bytes.
const maxCSR = 32 << 10

// ParseCSR reads a certificate signing request in PEM or DER form and verifies its signature: that
// is the proof that whoever asks has the key.
func ParseCSR(text []byte) (CSR, error) {
	c, err := parseCSR(text)
	if err != nil {
		return CSR{}, connector.CAErrorf(connector.CABadRequest, "certificate signing request: %w", err)
	}
	return c, nil
}

func parseCSR(text []byte) (c CSR, err error) {
	if len(text) > maxCSR {
		return c, fmt.Errorf("more than %d bytes", maxCSR)
	}
	raw := text
	if block, _ := pem.Decode(text); block != nil {
		if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
			return c, fmt.Errorf("pem block is a %.40q", block.Type)
		}
		raw = block.Bytes
	}
	r, err := x509.ParseCertificateRequest(raw)
	if err != nil {
		return c, err
	}
	if err := r.CheckSignature(); err != nil {
		return c, fmt.Errorf("signature: %w", err)
	}
	name, err := der.DecodeName(r.RawSubject)
	if err != nil {
		return c, err
	}
	c = CSR{Subject: name.String(), PublicKey: r.RawSubjectPublicKeyInfo, DNS: r.DNSNames,
		Mail: r.EmailAddresses}
	for _, ip := range r.IPAddresses {
		c.IPs = append(c.IPs, ip.String())
	}
	return c, nil
}

// Request gives the enrollment that a certificate signing request asks for by a profile. Names in
// the request become attributes csr_dns_0, csr_ip_0, csr_mail_0 and so on, and mail.
func (c CSR) Request(profileID string) connector.EnrollRequest {
	r := connector.EnrollRequest{ProfileID: profileID, PublicKey: c.PublicKey, Subject: c.Subject,
		Attributes: map[string]string{}}
	for name, list := range map[string][]string{"dns": c.DNS, "ip": c.IPs, "mail": c.Mail} {
		for i, v := range list {
			if i < 3 {
				r.Attributes[fmt.Sprintf("csr_%s_%d", name, i)] = v
			}
		}
	}
	if len(c.Mail) > 0 {
		r.Attributes["mail"] = c.Mail[0]
	}
	return r
}

// CertifyCA issues the certificate of a CA below this one, which itself may issue to end entities
// only.
func (a *Authority) CertifyCA(ctx context.Context, csr CSR, life time.Duration) (
	*x509.Certificate, error,
) {
	out, err := a.issueOwn(ctx, issuingProfile, func(now time.Time) (profile.Content, error) {
		return a.caContent(csr, now, life)
	})
	if err != nil {
		return nil, fmt.Errorf("certifying a CA: %w", err)
	}
	return x509.ParseCertificate(out.DER)
}

func (a *Authority) caContent(csr CSR, now time.Time, life time.Duration) (
	c profile.Content, err error,
) {
	name, err := der.ParseName(csr.Subject)
	if err != nil {
		return c, err
	}
	if c.Subject, err = name.Encode(); err != nil {
		return c, err
	}
	c.Text, c.PublicKey = name.String(), csr.PublicKey
	c.NotBefore = now.UTC().Truncate(time.Second).Add(-5 * time.Minute)
	c.NotAfter = c.NotBefore.Add(life)
	id, err := der.KeyID(csr.PublicKey)
	if err != nil {
		return c, err
	}
	exts := []der.Result{der.Try(der.KeyUsageExt(caUsage)), der.Try(der.BasicConstraintsExt(true, 0)),
		der.Try(der.SubjectKeyIDExt(id)), der.Try(der.AuthorityKeyIDExt(a.issuer.KeyID))}
	if a.issuer.IssuerURL != "" {
		exts = append(exts, der.Try(der.AuthorityInfoExt(a.issuer.OCSP, a.issuer.IssuerURL)),
			der.Try(der.CRLPointsExt(der.OIDCRLPoints, a.issuer.CRL)))
	}
	c.Extensions, err = der.Collect(exts...)
	return c, err
}

// CheckChain says whether a CA's certificate, and the chain above it, fit a key and one another.
// The last one must be self-signed.
func CheckChain(public crypto.PublicKey, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("no certificate")
	}
	if err := CheckCertificate(chain[0], public); err != nil {
		return err
	}
	for i, c := range chain {
		above := c
		if i+1 < len(chain) {
			above = chain[i+1]
		}
		if !bytes.Equal(c.RawIssuer, above.RawSubject) {
			return fmt.Errorf("certificate %d of the chain, %s, is not issued by %s", i+1, c.Subject,
				above.Subject)
		}
		if err := c.CheckSignatureFrom(above); err != nil {
			return fmt.Errorf("certificate %d of the chain: %w", i+1, err)
		}
	}
	return nil
}
