package profile

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"tokenwright/tms/ca/der"
)

// Issuer is what a CA adds to every certificate.
type Issuer struct {
	KeyID     []byte // of the CA's key
	OCSP      string // address of the responder, "" for none
	IssuerURL string // address of the CA's certificate, "" for none
	CRL       string // address of the revocation list, "" for none
}

// Content is what goes into a certificate, but for what its CA decides by itself: serial number,
// issuer, and the end when the CA's own certificate ends before.
type Content struct {
	Subject    []byte // DER Name
	Text       string // the same as RFC 4514 text
	NotBefore  time.Time
	NotAfter   time.Time
	PublicKey  []byte
	Extensions []pkix.Extension
}

// Build gives the content of a certificate. Errors wrap ErrRequest.
func (p *Profile) Build(in Input, ca Issuer, now time.Time) (Content, error) {
	c, err := p.build(in, ca, now)
	if err != nil {
		return Content{}, fmt.Errorf("profile %s: %w", p.ID, err)
	}
	return c, nil
}

func (p *Profile) build(in Input, ca Issuer, now time.Time) (c Content, err error) {
	if !p.Enabled || p.Renewal {
		return c, fmt.Errorf("%w: it is disabled or for renewals only", ErrRequest)
	}
	_, kind, err := parseKey(in.PublicKey)
	if err != nil {
		return c, err
	}
	if !slices.Contains(p.keyTypes, kind) {
		return c, fmt.Errorf("%w: it takes no %s keys", ErrRequest, kind)
	}
	if err := p.checkInputs(in); err != nil {
		return c, err
	}
	name, err := p.name(in)
	if err != nil {
		return c, err
	}
	if c.Subject, err = name.Encode(); err != nil {
		return c, fmt.Errorf("%w: subject: %w", ErrRequest, err)
	}
	c.Text, c.PublicKey = name.String(), in.PublicKey
	c.NotBefore = now.UTC().Truncate(time.Second).Add(-p.backdate)
	c.NotAfter = c.NotBefore.Add(p.lifetime)
	usage := p.usageEC
	if kind.isRSA() {
		usage = p.usageRSA
	}
	alternatives, err := p.alternatives(in)
	if err != nil {
		return c, err
	}
	var e extensions
	e.add(der.KeyUsageExt(usage))
	if len(p.purposes) > 0 {
		e.add(der.ExtKeyUsageExt(p.purposes))
	}
	if len(alternatives) > 0 {
		e.add(der.AltNamesExt(alternatives, false))
	}
	if len(p.policies) > 0 {
		e.add(der.PoliciesExt(p.policies))
	}
	c.Extensions, err = e.finish(in.PublicKey, ca)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return c, nil
}

func (p *Profile) checkInputs(in Input) error {
	for _, name := range p.inputs {
		v := in.value(name)
		if name == "subject" {
			v = in.Subject
		}
		if v == "" {
			return fmt.Errorf("%w: %s is missing", ErrRequest, name)
		}
	}
	return nil
}

func (p *Profile) name(in Input) (der.Name, error) {
	if p.wholeName {
		n, err := der.ParseName(in.Subject)
		if err != nil {
			return nil, fmt.Errorf("%w: subject: %w", ErrRequest, err)
		}
		return n, nil
	}
	var out der.Name
	for _, a := range p.subject {
		v, missing := a.value.expand(in.value)
		if missing != "" {
			return nil, fmt.Errorf("%w: subject: %s has no value", ErrRequest, missing)
		}
		out = append(out, der.Attr{Type: a.kind, Value: v})
	}
	return out, nil
}

func (p *Profile) alternatives(in Input) ([]der.AltName, error) {
	var out []der.AltName
	for _, n := range p.names {
		v, missing := n.value.expand(in.value)
		switch {
		case missing != "" && n.required:
			return nil, fmt.Errorf("%w: alternative name %s: %s has no value", ErrRequest, n.kind, missing)
		case missing == "":
			out = append(out, der.AltName{Kind: n.kind, Value: v})
		}
	}
	return out, nil
}

// extensions gathers extensions and the first error.
type extensions struct {
	list []pkix.Extension
	err  error
}

func (e *extensions) add(x pkix.Extension, err error) {
	if e.err == nil {
		e.err = err
	}
	e.list = append(e.list, x)
}

// finish adds what every certificate has.
func (e *extensions) finish(spki []byte, ca Issuer) ([]pkix.Extension, error) {
	id, err := der.KeyID(spki)
	if err != nil {
		return nil, err
	}
	e.add(der.BasicConstraintsExt(false, -1))
	e.add(der.SubjectKeyIDExt(id))
	e.add(der.AuthorityKeyIDExt(ca.KeyID))
	if ca.OCSP != "" || ca.IssuerURL != "" {
		e.add(der.AuthorityInfoExt(ca.OCSP, ca.IssuerURL))
	}
	if ca.CRL != "" {
		e.add(der.CRLPointsExt(der.OIDCRLPoints, ca.CRL))
	}
	return e.list, e.err
}

// renewed are the extensions that a renewed certificate has from its original.
var renewed = []asn1.ObjectIdentifier{
	der.OIDKeyUsage, der.OIDExtKeyUsage, der.OIDSubjectAltName, der.OIDPolicies,
}

// Renew gives the content of the successor of a certificate that was issued by profile of. Errors
// wrap ErrRequest.
func (p *Profile) Renew(original *x509.Certificate, of string, ca Issuer, now time.Time) (
	Content, error,
) {
	c, err := p.renew(original, of, ca, now)
	if err != nil {
		return Content{}, fmt.Errorf("profile %s: %w", p.ID, err)
	}
	return c, nil
}

func (p *Profile) renew(original *x509.Certificate, of string, ca Issuer, now time.Time) (
	c Content, err error,
) {
	switch {
	case !p.Enabled || !p.Renewal:
		return c, fmt.Errorf("%w: it is disabled or renews nothing", ErrRequest)
	case p.Of != nil && !slices.Contains(p.Of, of):
		return c, fmt.Errorf("%w: it renews no certificates of profile %s", ErrRequest, of)
	case p.grace && now.Before(original.NotAfter.Add(-p.before)):
		return c, fmt.Errorf("%w: too early, the certificate ends %s", ErrRequest,
			original.NotAfter.Format(time.DateOnly))
	case p.grace && now.After(original.NotAfter.Add(p.after)):
		return c, fmt.Errorf("%w: too late, the certificate ended %s", ErrRequest,
			original.NotAfter.Format(time.DateOnly))
	}
	if _, kind, err := parseKey(original.RawSubjectPublicKeyInfo); err != nil {
		return c, err
	} else if !slices.Contains(p.keyTypes, kind) {
		return c, fmt.Errorf("%w: it takes no %s keys", ErrRequest, kind)
	}
	lifetime := p.lifetime
	if lifetime == 0 {
		lifetime = original.NotAfter.Sub(original.NotBefore)
	}
	c = Content{Subject: bytes.Clone(original.RawSubject), Text: original.Subject.String(),
		PublicKey: bytes.Clone(original.RawSubjectPublicKeyInfo),
		NotBefore: now.UTC().Truncate(time.Second).Add(-p.backdate)}
	c.NotAfter = c.NotBefore.Add(lifetime)
	if n, err := der.DecodeName(original.RawSubject); err == nil {
		c.Text = n.String()
	}
	var e extensions
	for _, oid := range renewed {
		for _, x := range original.Extensions {
			if x.Id.Equal(oid) {
				e.add(x, nil)
			}
		}
	}
	c.Extensions, err = e.finish(c.PublicKey, ca)
	return c, err
}
