package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/ocsp"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
)

const (
	// responderProfile is the profile on the records of the responder's certificates. It is no file:
	// only the CA itself issues by it.
	responderProfile  = "caOCSPSigning"
	responderLifetime = 90 * 24 * time.Hour
	// apartProfile is the same for responders that are no part of the CA.
	apartProfile = "caOCSPSigningApart"
)

var oidOCSPSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}

// Responder gives the OCSP responder, nil when there is none or StartResponder was not called.
func (a *Authority) Responder() *ocsp.Responder { return a.responder.Load() }

// StartResponder sees to a certificate of the responder's key, and makes the responder if there is
// none yet. It is for start and for once in a while: a certificate that has a third of its life
// left is replaced.
func (a *Authority) StartResponder(ctx context.Context) error {
	if a.o.OCSPKey == nil {
		return nil
	}
	cert, err := a.responderCert(ctx)
	if err != nil {
		return fmt.Errorf("certificate of the ocsp responder: %w", err)
	}
	signer := ocsp.Signer{Key: a.o.OCSPKey, Cert: cert}
	if r := a.responder.Load(); r != nil {
		if bytes.Equal(r.SignerCert().Raw, cert.Raw) {
			return nil
		}
		return r.SetSigner(signer)
	}
	r, err := ocsp.New(ocsp.Options{Issuer: a.o.Certificate, Signer: signer, Source: Source(a.o.DB),
		Validity: a.o.OCSPValidity, Memory: a.o.OCSPMemory, Now: a.o.Now, Random: a.o.Random, Log: a.log})
	if err != nil {
		return err
	}
	a.responder.Store(r)
	return nil
}

// responderCert gives the latest certificate of the responder's key, or a new one.
func (a *Authority) responderCert(ctx context.Context) (*x509.Certificate, error) {
	spki, err := x509.MarshalPKIXPublicKey(a.o.OCSPKey.Public())
	if err != nil {
		return nil, err
	}
	valid := certdb.Valid
	list, err := a.o.DB.List(ctx, certdb.Query{Profile: responderProfile, State: &valid, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(list) == 1 {
		cert, err := x509.ParseCertificate(list[0].DER)
		if err != nil {
			return nil, err
		}
		left := cert.NotAfter.Sub(a.o.Now())
		ended := !a.o.Now().Before(a.o.Certificate.NotAfter.Add(-responderLifetime / 3))
		if bytes.Equal(cert.RawSubjectPublicKeyInfo, spki) &&
			bytes.Equal(cert.AuthorityKeyId, a.issuer.KeyID) &&
			(left > responderLifetime/3 || left > 0 && ended) {
			return cert, nil
		}
	}
	out, err := a.issueOwn(ctx, responderProfile, func(now time.Time) (profile.Content, error) {
		return a.responderContent(spki, a.o.Name, now, responderLifetime)
	})
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(out.DER)
}

// CertifyResponder certifies the key of an OCSP responder that is no part of the CA: it may answer for
// the CA's certificates in the CA's name. // RFC 6960 §2.6
func (a *Authority) CertifyResponder(ctx context.Context, spki []byte, name string,
	life time.Duration,
) (*x509.Certificate, error) {
	out, err := a.issueOwn(ctx, apartProfile, func(now time.Time) (profile.Content, error) {
		return a.responderContent(spki, name, now, life)
	})
	if err != nil {
		return nil, fmt.Errorf("certifying an ocsp responder: %w", err)
	}
	return x509.ParseCertificate(out.DER)
}

// issueOwn issues a certificate that no request asked for. A retired CA does so too.
func (a *Authority) issueOwn(ctx context.Context, profileID string,
	build func(time.Time) (profile.Content, error),
) (connector.IssuedCertificate, error) {
	own := a.unretired()
	return own.issue(ctx, profileID, order{record: certdb.Record{Profile: profileID}, op: "own",
		build: build})
}

// unretired is the same authority for its own needs.
func (a *Authority) unretired() *Authority {
	b := &Authority{o: a.o, log: a.log, algorithm: a.algorithm, issuer: a.issuer}
	b.o.Retired = false
	return b
}

// responderContent is what a responder's certificate holds. // RFC 6960 §4.2.2.2
func (a *Authority) responderContent(spki []byte, of string, now time.Time, life time.Duration) (
	c profile.Content, err error,
) {
	name := der.Name{{Type: "CN", Value: "OCSP responder of " + of}}
	if above, err := der.DecodeName(a.o.Certificate.RawSubject); err == nil {
		for _, attr := range above {
			if attr.Type != "CN" {
				name = append(name, attr)
			}
		}
	}
	if c.Subject, err = name.Encode(); err != nil {
		return c, err
	}
	c.Text, c.PublicKey = name.String(), spki
	c.NotBefore = now.UTC().Truncate(time.Second).Add(-5 * time.Minute)
	c.NotAfter = c.NotBefore.Add(life)
	id, err := der.KeyID(spki)
	if err != nil {
		return c, err
	}
	c.Extensions, err = der.Collect(
		der.Try(der.KeyUsageExt(1<<0)),
		der.Try(der.ExtKeyUsageExt([]asn1.ObjectIdentifier{oidOCSPSigning})),
		der.Try(der.BasicConstraintsExt(false, -1)),
		der.Try(der.SubjectKeyIDExt(id)),
		der.Try(der.AuthorityKeyIDExt(a.issuer.KeyID)),
		der.Try(pkix.Extension{Id: der.OIDOCSPNoCheck, Value: []byte{5, 0}}, nil),
	)
	return c, err
}

// Source gives the certificate database as an OCSP responder sees it. Open for reading is enough.
func Source(db *certdb.DB) ocsp.Feed { return source{db} }

type source struct{ db *certdb.DB }

// Status implements ocsp.Source.
func (s source) Status(ctx context.Context, serial *big.Int) (ocsp.Status, error) {
	number := connector.SerialOf(serial)
	if number == "" {
		return ocsp.Status{State: ocsp.Unknown}, nil
	}
	st, err := s.db.Status(ctx, number)
	if errors.Is(err, certdb.ErrNotFound) {
		return ocsp.Status{State: ocsp.Unknown}, nil
	}
	return statusOf(st), err
}

func statusOf(st certdb.Status) ocsp.Status {
	out := ocsp.Status{State: ocsp.Good, Rev: st.Rev}
	switch st.State {
	case certdb.ToBeSigned:
		out.State = ocsp.Unknown
	case certdb.Revoked, certdb.OnHold:
		out.State, out.Reason, out.RevokedAt = ocsp.Revoked, int(st.Reason), st.RevokedAt
	}
	return out
}

// Revision implements ocsp.Feed.
func (s source) Revision(ctx context.Context) (int64, error) { return s.db.Revision(ctx) }

// Live implements ocsp.Feed.
func (s source) Live(ctx context.Context, at time.Time, after *ocsp.Entry, limit int) (
	[]ocsp.Entry, error,
) {
	var from *certdb.Live
	if after != nil {
		from, _ = after.Mark.(*certdb.Live)
	}
	list, err := s.db.Live(ctx, at, from, limit)
	return entries(list), err
}

// Changed implements ocsp.Feed.
func (s source) Changed(ctx context.Context, rev int64, limit int) ([]ocsp.Entry, error) {
	list, err := s.db.Changed(ctx, rev, limit)
	return entries(list), err
}

func entries(list []certdb.Live) []ocsp.Entry {
	out := make([]ocsp.Entry, len(list))
	for i := range list {
		out[i] = ocsp.Entry{Serial: list[i].Serial.Int(), Status: statusOf(list[i].Status),
			Ends: list[i].NotAfter, Mark: &list[i]}
	}
	return out
}
