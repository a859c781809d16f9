package ca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/lint"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
)

// serialLen is how many random bytes a serial number has.
const serialLen = 16

// order is a certificate that is asked for.
type order struct {
	record certdb.Record // who and what for; RequestID may be empty
	op     string
	build  func(now time.Time) (profile.Content, error)
}

// Enroll implements connector.CA.
func (a *Authority) Enroll(ctx context.Context, r connector.EnrollRequest) (
	connector.IssuedCertificate, error,
) {
	if err := r.Check(); err != nil {
		return connector.IssuedCertificate{}, err
	}
	in := profile.InputOf(r)
	rec := certdb.Record{RequestID: r.RequestID, Profile: r.ProfileID, UserID: r.UserID,
		TokenType: r.TokenType}
	if in.CUID != "" {
		rec.CUID = strings.ToUpper(hex.EncodeToString(r.CUID[:]))
	}
	r.RequestID = ""
	return a.issue(ctx, r, order{record: rec, op: "enroll",
		build: func(now time.Time) (profile.Content, error) {
			p, ok := a.o.Profiles[r.ProfileID]
			if !ok {
				return profile.Content{}, connector.CAErrorf(connector.CANotFound, "profile %s",
					r.ProfileID)
			}
			return p.Build(in, a.issuer, now)
		}})
}

// Renew implements connector.CA. A certificate that is revoked or on hold is not renewed.
func (a *Authority) Renew(ctx context.Context, r connector.RenewRequest) (
	connector.IssuedCertificate, error,
) {
	if err := r.Check(); err != nil {
		return connector.IssuedCertificate{}, err
	}
	p, ok := a.o.Profiles[r.ProfileID]
	if !ok {
		return connector.IssuedCertificate{}, connector.CAErrorf(connector.CANotFound, "profile %s",
			r.ProfileID)
	}
	old, err := a.find(ctx, r.Serial)
	if err != nil {
		return connector.IssuedCertificate{}, err
	}
	rec := certdb.Record{RequestID: r.RequestID, Profile: r.ProfileID, UserID: old.UserID,
		CUID: old.CUID, TokenType: old.TokenType, Renews: old.Serial}
	r.RequestID = ""
	return a.issue(ctx, r, order{record: rec, op: "renew",
		build: func(now time.Time) (profile.Content, error) {
			if old.State != certdb.Valid {
				return profile.Content{}, connector.CAErrorf(connector.CARefused,
					"certificate %s is revoked or on hold", old.Serial)
			}
			original, err := x509.ParseCertificate(old.DER)
			if err != nil {
				return profile.Content{}, fmt.Errorf("certificate %s: %w", old.Serial, err)
			}
			return p.Renew(original, old.Profile, a.issuer, now)
		}})
}

// issue gives the certificate of a request: the one on record for its id, or a new one. what is
// the request without its id, by which a repetition is told from another request.
func (a *Authority) issue(ctx context.Context, what any, o order) (
	out connector.IssuedCertificate, err error,
) {
	if o.record.Digest, err = digest(o.op, what); err != nil {
		return out, err
	}
	if o.record.RequestID == "" {
		id := make([]byte, serialLen)
		if _, err := io.ReadFull(a.o.Random, id); err != nil {
			return out, fmt.Errorf("request id: %w", err)
		}
		o.record.RequestID = "own:" + hex.EncodeToString(id)
	}
	rec, err := a.o.DB.ByRequest(ctx, o.record.RequestID)
	if errors.Is(err, certdb.ErrNotFound) {
		rec, err = a.begin(ctx, o)
	}
	if errors.Is(err, certdb.ErrRequest) { // the same request came twice at once
		rec, err = a.o.DB.ByRequest(ctx, o.record.RequestID)
	}
	if err != nil {
		return out, err
	}
	if !bytes.Equal(rec.Digest, o.record.Digest) {
		return out, connector.CAErrorf(connector.CAConflict, "request %s", rec.RequestID)
	}
	if rec.State == certdb.ToBeSigned {
		if rec, err = a.finish(ctx, rec); err != nil {
			return out, err
		}
	}
	if err := a.failpoint(FailAfterRecord); err != nil {
		return out, err
	}
	a.publish(ctx, rec)
	return connector.IssuedCertificate{Serial: rec.Serial, Subject: rec.Subject, DER: rec.DER}, nil
}

// digest tells requests apart.
func digest(op string, what any) ([]byte, error) {
	text, err := json.Marshal(what)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	sum := sha256.Sum256(append([]byte(op+"\n"), text...))
	return sum[:], nil
}

// begin decides what is to be signed, holds it against lint, and records it.
func (a *Authority) begin(ctx context.Context, o order) (rec certdb.Record, err error) {
	if a.o.Retired {
		return rec, connector.CAErrorf(connector.CARefused, "%s is retired and issues nothing",
			a.o.Name)
	}
	now := a.o.Now()
	content, err := o.build(now)
	if errors.Is(err, profile.ErrRequest) {
		return rec, connector.CAErrorf(connector.CARefused, "%w", err)
	}
	if err != nil {
		return rec, err
	}
	if end := a.o.Certificate.NotAfter; content.NotAfter.After(end) {
		content.NotAfter = end.UTC()
	}
	if start := a.o.Certificate.NotBefore; content.NotBefore.Before(start) {
		content.NotBefore = start.UTC()
	}
	if !content.NotAfter.After(now) {
		return rec, connector.CAErrorf(connector.CARefused, "the CA's own certificate has ended")
	}
	if err := a.failpoint(FailBeforeIntent); err != nil {
		return rec, err
	}
	rec = o.record
	rec.Subject, rec.NotBefore, rec.NotAfter = content.Text, content.NotBefore, content.NotAfter
	rec.Requester, rec.Created = connector.Caller(ctx), now
	for try := 0; ; try++ {
		if rec.Serial, rec.TBS, err = a.encode(content); err != nil {
			return rec, err
		}
		err = a.o.DB.Begin(ctx, rec, a.cause(ctx, o.op))
		if !errors.Is(err, certdb.ErrSerial) || try == 3 {
			break
		}
		a.log.Error("serial number was taken: is the source of random numbers broken?")
	}
	if err != nil {
		return rec, err
	}
	return rec, a.failpoint(FailAfterIntent)
}

// encode gives a certificate with a fresh serial number, ready to be signed.
func (a *Authority) encode(c profile.Content) (connector.Serial, []byte, error) {
	serial, err := newSerial(a.o.Random)
	if err != nil {
		return "", nil, err
	}
	tbs, err := der.TBS{Serial: serial, Algorithm: a.algorithm, Issuer: a.o.Certificate.RawSubject,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Subject: c.Subject, PublicKey: c.PublicKey,
		Extensions: c.Extensions}.Encode()
	if err != nil {
		return "", nil, fmt.Errorf("encoding certificate: %w", err)
	}
	if !a.o.SkipLint {
		unsigned, err := a.algorithm.Unsigned(tbs)
		if err != nil {
			return "", nil, fmt.Errorf("encoding certificate: %w", err)
		}
		if err := lint.Certificate(unsigned); err != nil {
			return "", nil, connector.CAErrorf(connector.CARefused, "%w", err)
		}
	}
	return connector.SerialOf(serial), tbs, nil
}

// newSerial gives a random positive number of 128 bits.
func newSerial(random io.Reader) (*big.Int, error) {
	var b [serialLen]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, fmt.Errorf("serial number: %w", err)
		}
		if n := new(big.Int).SetBytes(b[:]); n.Sign() > 0 {
			return n, nil
		}
	}
}

// finish signs what was recorded and records the certificate. It may come long after begin, in
// another process: a certificate that was begun before a crash is signed when it is asked for
// again, and it is the same to the byte but for the signature.
func (a *Authority) finish(ctx context.Context, rec certdb.Record) (certdb.Record, error) {
	cert, err := a.algorithm.SignCertificate(a.o.Random, a.o.Key, rec.TBS)
	if err != nil {
		return rec, err
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		return rec, fmt.Errorf("certificate %s: %w", rec.Serial, err)
	}
	if !bytes.Equal(parsed.RawIssuer, a.o.Certificate.RawSubject) ||
		!bytes.Equal(parsed.AuthorityKeyId, a.issuer.KeyID) {
		return rec, connector.CAErrorf(connector.CAConflict,
			"request %s was begun under another certificate of the CA", rec.RequestID)
	}
	err = a.o.Certificate.CheckSignature(parsed.SignatureAlgorithm, parsed.RawTBSCertificate,
		parsed.Signature)
	if err != nil {
		return rec, fmt.Errorf("certificate %s: signature does not verify: %w", rec.Serial, err)
	}
	if err := a.failpoint(FailAfterSign); err != nil {
		return rec, err
	}
	done, err := a.o.DB.Finish(ctx, rec.Serial, cert)
	if err != nil {
		return rec, err
	}
	a.log.Info("certificate issued", "serial", string(done.Serial), "profile", done.Profile,
		"subject", done.Subject, "request", done.RequestID, "caller", connector.Caller(ctx),
		"session", connector.Session(ctx))
	return done, nil
}

// publish puts a certificate into the directory, if it belongs there. A directory that is out of
// reach does not keep anybody from a certificate.
func (a *Authority) publish(ctx context.Context, rec certdb.Record) {
	p := a.o.Profiles[rec.Profile]
	if a.o.Publisher == nil || p == nil || !p.Publish || rec.UserID == "" {
		return
	}
	if err := a.o.Publisher.PublishCertificate(ctx, rec.UserID, rec.DER); err != nil {
		a.log.Error("certificate not published", "serial", string(rec.Serial), "error", err)
	}
}
