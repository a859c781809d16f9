// Package ca is a certificate authority: it issues, renews, revokes, holds and releases
// certificates, and publishes their state as revocation lists and OCSP answers.
//
// It owns the order in which a certificate comes to be: what is to be signed is checked by lint and
// on record before a key signs it, and the signed certificate is on record before anybody gets it.
// Whoever asks again with the same request id gets the same certificate. It must not know who the
// callers are, how requests travel, or where keys live: it is handed contracts. Encodings,
// profiles, records and OCSP have packages of their own below it.
package ca

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/ocsp"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
)

// Failpoints, in the order in which an enrollment passes them, and then a revocation, hold or
// release. Options.Failpoint is called with the name; an error of it ends the step there, as a cut
// of power would.
const (
	FailBeforeIntent = "ca.before-intent"
	FailAfterIntent  = "ca.after-intent"  // recorded, not signed
	FailAfterSign    = "ca.after-sign"    // signed, not recorded
	FailAfterRecord  = "ca.after-record"  // recorded, not answered
	FailBeforeChange = "ca.before-change" // of state: decided, not recorded
	FailAfterChange  = "ca.after-change"  // recorded, not answered
	FailAfterNumber  = "ca.after-crl-number"
)

// Options are what an Authority is made of. Key, Certificate and DB are required.
type Options struct {
	Name        string        // for logs: ca1
	Key         crypto.Signer // of the CA
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // up to the root, without Certificate
	DB          *certdb.DB          // the caller's to close
	Profiles    profile.Set
	// OCSPKey is the key of the responder; nil: there is no responder.
	OCSPKey crypto.Signer
	// URL is where certificate, lists and responder are offered: http://host:port. "" leaves
	// their addresses out of certificates.
	URL string
	// Retired: nothing is issued any more; the state of what was issued goes on being kept.
	Retired bool
	// SkipLint leaves out lint before each signature. Profiles are linted in any case.
	SkipLint bool
	CRL      CRLOptions
	// OCSPValidity is how long an OCSP answer may be used; 0 means 4 hours.
	OCSPValidity time.Duration
	// OCSPMemory is how many bytes of OCSP answers are kept; 0 means ocsp.DefaultMemory.
	OCSPMemory int64
	// OCSPURL is where a responder is that is not this one; "" leaves that of this one, if there is
	// one, in certificates.
	OCSPURL   string
	Publisher Publisher        // nil: nothing is published in a directory
	Random    io.Reader        // nil means crypto/rand
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger     // nil discards
	Failpoint func(name string) error
}

// Publisher puts certificates and lists where others look for them, as an LDAP directory.
type Publisher interface {
	// PublishCertificate publishes the certificate of a user.
	PublishCertificate(ctx context.Context, userID string, der []byte) error
	// PublishCRL publishes the latest list, full or delta.
	PublishCRL(ctx context.Context, der []byte, delta bool) error
}

// Authority is a certificate authority. It is safe for concurrent use. Several processes may run
// one on the same database and key.
type Authority struct {
	o         Options
	log       *slog.Logger
	algorithm der.Algorithm
	issuer    profile.Issuer
	responder atomic.Pointer[ocsp.Responder]
}

var _ connector.CA = (*Authority)(nil)

// New checks the options, tries the profiles out on throw-away keys, and gives an Authority.
func New(o Options) (*Authority, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Key == nil || o.Certificate == nil || o.DB == nil {
		return nil, errors.New("certificate authority has no key, certificate or database")
	}
	o.CRL = o.CRL.orDefault()
	a := &Authority{o: o, log: o.Log.With("ca", o.Name)}
	var err error
	if a.algorithm, err = der.AlgorithmOf(o.Key.Public()); err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", o.Name, err)
	}
	if err := CheckCertificate(o.Certificate, o.Key.Public()); err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", o.Name, err)
	}
	a.issuer = profile.Issuer{KeyID: o.Certificate.SubjectKeyId}
	if o.URL != "" {
		if err := der.CheckURL(o.URL); err != nil {
			return nil, fmt.Errorf("certificate authority %s: %w", o.Name, err)
		}
		a.issuer.IssuerURL, a.issuer.CRL = o.URL+PathCertificate, o.URL+PathCRL
		if o.OCSPKey != nil {
			a.issuer.OCSP = o.URL + PathOCSP
		}
	}
	if o.OCSPURL != "" {
		if err := der.CheckURL(o.OCSPURL); err != nil {
			return nil, fmt.Errorf("certificate authority %s: ocsp: %w", o.Name, err)
		}
		a.issuer.OCSP = o.OCSPURL
	}
	if err := o.Profiles.Check(o.Key.Public(), a.issuer, o.Now()); err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", o.Name, err)
	}
	if left := o.Certificate.NotAfter.Sub(o.Now()); left < 180*24*time.Hour {
		a.log.Warn("certificate of the CA ends soon or has ended; certificates end with it",
			"notAfter", o.Certificate.NotAfter)
	}
	return a, nil
}

// CheckCertificate says whether a certificate makes a key a CA's: the key is its own, and it may
// sign certificates and lists.
func CheckCertificate(cert *x509.Certificate, public crypto.PublicKey) error {
	equal, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !equal.Equal(public):
		return errors.New("certificate is of another key")
	case !cert.IsCA || !cert.BasicConstraintsValid:
		return errors.New("certificate is no CA's: basic constraints say so")
	case cert.KeyUsage&x509.KeyUsageCertSign == 0 || cert.KeyUsage&x509.KeyUsageCRLSign == 0:
		return errors.New("certificate does not allow keyCertSign and cRLSign")
	case len(cert.SubjectKeyId) == 0 || len(cert.SubjectKeyId) > 64:
		return errors.New("certificate has no subject key identifier, or one of over 64 bytes")
	}
	return nil
}

// Name gives the name for logs.
func (a *Authority) Name() string { return a.o.Name }

// Chain gives the CA's certificate and those above it.
func (a *Authority) Chain() []*x509.Certificate {
	return append([]*x509.Certificate{a.o.Certificate}, a.o.Chain...)
}

// Retired says whether the CA issues nothing any more.
func (a *Authority) Retired() bool { return a.o.Retired }

// Profiles gives the profiles it issues by.
func (a *Authority) Profiles() profile.Set { return a.o.Profiles }

// DB gives the records, for lists.
func (a *Authority) DB() *certdb.DB { return a.o.DB }

func (a *Authority) failpoint(name string) error {
	if a.o.Failpoint == nil {
		return nil
	}
	return a.o.Failpoint(name)
}

func (a *Authority) now() time.Time { return a.o.Now().UTC().Truncate(time.Second) }

// cause says who makes a change.
func (a *Authority) cause(ctx context.Context, op string) certdb.Cause {
	return certdb.Cause{Op: op, Actor: connector.Caller(ctx), Session: connector.Session(ctx),
		At: a.o.Now()}
}
