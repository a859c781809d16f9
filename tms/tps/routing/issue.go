package routing

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// Request asks for a certificate for a token: Enroll for a key, or Renew for the
// successor of another certificate. It is stored with its intent; its RequestID is
// the intent's and need not be given.
type Request struct {
	CA string
	// Record is what the certificate's record will say of it besides what stands in
	// the certificate.
	KeyType   string
	Type      string
	UserID    string `json:",omitempty"`
	Container int
	KRA       string                   `json:",omitempty"`
	KeyID     string                   `json:",omitempty"`
	Enroll    *connector.EnrollRequest `json:",omitempty"`
	Renew     *connector.RenewRequest  `json:",omitempty"`
}

// Issued is a certificate with its record.
type Issued struct {
	Record token.Certificate
	Cert   *x509.Certificate
}

// Issue has a CA issue a certificate for the card. When it returns the certificate is
// noted as pending, or, after an error, known not to exist, or there is an intent that
// says what was asked for.
func (r *Router) Issue(ctx context.Context, card *tokendb.Card, req Request) (Issued, error) {
	ca, err := r.CA(req.CA)
	if err != nil {
		return Issued{}, err
	}
	detail, err := json.Marshal(req)
	if err != nil {
		return Issued{}, fmt.Errorf("certificate request: %w", err)
	}
	step, err := card.BeginFor(ctx, token.IntentIssueCert, req.KeyType, string(detail))
	if err != nil {
		return Issued{}, err
	}
	if err := r.failpoint(FailIssueIntent); err != nil {
		return Issued{}, err
	}
	return r.issue(ctx, ca, step, req, func(_ context.Context, cert token.Certificate) error {
		step.NoteIssued(cert)
		return nil
	})
}

// issue asks the CA, for the first time or again, and has issued record what came of it.
func (r *Router) issue(ctx context.Context, ca connector.CA, step *tokendb.Step, req Request,
	issued func(context.Context, token.Certificate) error,
) (Issued, error) {
	cert, err := ask(ctx, ca, step.Intent(), req)
	if fp := r.failpoint(FailIssueDone); fp != nil {
		return Issued{}, fp
	}
	if err != nil {
		if refused(err) {
			err = errors.Join(err, step.Failed(ctx, err))
		}
		return Issued{}, err
	}
	parsed, err := x509.ParseCertificate(cert.DER)
	if err != nil {
		return Issued{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	out := Issued{Cert: parsed, Record: record(req, step.Intent(), parsed)}
	if err := issued(ctx, out.Record); err != nil {
		return Issued{}, err
	}
	// Checked once it is noted: a certificate that is wrong is to be revoked.
	if err := check(req, cert, parsed); err != nil {
		return Issued{}, err
	}
	return out, r.failpoint(FailIssueOutcome)
}

func ask(ctx context.Context, ca connector.CA, i token.Intent, req Request) (
	connector.IssuedCertificate, error,
) {
	switch {
	case req.Enroll != nil:
		e := *req.Enroll
		e.RequestID = i.ID
		return ca.Enroll(ctx, e)
	case req.Renew != nil:
		n := *req.Renew
		n.RequestID = i.ID
		return ca.Renew(ctx, n)
	}
	return connector.IssuedCertificate{}, connector.CAErrorf(connector.CABadRequest,
		"neither for a key nor for a certificate")
}

// refused tells whether a CA has said that it did not issue a certificate. After any
// other error it may have.
func refused(err error) bool {
	var e *connector.CAError
	return errors.As(err, &e) && e.Code != connector.CAInternal ||
		errors.Is(err, connector.ErrUnauthorized)
}

// record makes the record of a certificate.
func record(req Request, i token.Intent, cert *x509.Certificate) token.Certificate {
	return token.Certificate{
		CertID: token.CertID{Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16)},
		CUID:   i.CUID, Origin: i.CUID,
		Subject: cert.Subject.String(), Authority: hex.EncodeToString(cert.AuthorityKeyId),
		CA: req.CA, KRA: req.KRA, KeyID: req.KeyID, UserID: req.UserID,
		Type: req.Type, KeyType: req.KeyType, Container: req.Container,
		Status: token.CertActive, Presence: token.Pending,
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
	}
}

func check(req Request, cert connector.IssuedCertificate, parsed *x509.Certificate) error {
	if connector.SerialOf(parsed.SerialNumber) != cert.Serial {
		return fmt.Errorf("%w: it has serial number %x", ErrCertificate, parsed.SerialNumber)
	}
	if req.Enroll != nil && !bytes.Equal(req.Enroll.PublicKey, parsed.RawSubjectPublicKeyInfo) {
		return fmt.Errorf("%w: %s is for another key", ErrCertificate, cert.Serial)
	}
	return nil
}
