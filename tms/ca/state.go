package ca

import (
	"context"
	"errors"
	"time"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
)

// find gives the record of a certificate that was issued.
func (a *Authority) find(ctx context.Context, serial connector.Serial) (certdb.Record, error) {
	rec, err := a.o.DB.Certificate(ctx, serial)
	if errors.Is(err, certdb.ErrNotFound) || err == nil && rec.State == certdb.ToBeSigned {
		return rec, connector.CAErrorf(connector.CANotFound, "certificate %s", serial)
	}
	return rec, err
}

// Certificate implements connector.CA.
func (a *Authority) Certificate(ctx context.Context, serial connector.Serial) (
	out connector.CertificateStatus, err error,
) {
	rec, err := a.find(ctx, serial)
	if err != nil {
		return out, err
	}
	out.Serial, out.Subject, out.DER = rec.Serial, rec.Subject, rec.DER
	out.State = connector.CertificateValid
	switch rec.State {
	case certdb.Revoked:
		out.State = connector.CertificateRevoked
	case certdb.OnHold:
		out.State = connector.CertificateOnHold
	}
	if rec.State != certdb.Valid {
		out.Reason, out.RevokedAt = rec.Reason, rec.RevokedAt
	}
	return out, nil
}

// Revoke implements connector.CA. A certificate on hold may be revoked for good.
func (a *Authority) Revoke(ctx context.Context, r connector.RevokeRequest) error {
	if err := r.Check(); err != nil {
		return err
	}
	to, op := certdb.Revoked, "revoke"
	if r.Reason == connector.ReasonCertificateHold {
		to, op = certdb.OnHold, "hold"
	}
	return a.change(ctx, r.Serial, op, func(rec certdb.Record, now time.Time) (certdb.Change, error) {
		c := certdb.Change{State: to, Reason: r.Reason, RevokedAt: now}
		switch {
		case rec.State == certdb.Valid, rec.State == certdb.OnHold && to == certdb.Revoked:
			return c, nil
		case rec.State == to && rec.Reason == r.Reason:
			return c, errUnchanged
		}
		return c, connector.CAErrorf(connector.CAAlreadyRevoked, "certificate %s, for %s",
			rec.Serial, rec.Reason)
	})
}

// Release implements connector.CA.
func (a *Authority) Release(ctx context.Context, serial connector.Serial) error {
	return a.change(ctx, serial, "release",
		func(rec certdb.Record, now time.Time) (certdb.Change, error) {
			switch rec.State {
			case certdb.Valid:
				return certdb.Change{}, errUnchanged
			case certdb.OnHold:
				return certdb.Change{State: certdb.Valid, RevokedAt: now}, nil
			}
			return certdb.Change{}, connector.CAErrorf(connector.CANotOnHold,
				"certificate %s is revoked for %s", rec.Serial, rec.Reason)
		})
}

var errUnchanged = errors.New("nothing to change")

// change changes the state of a certificate by what decide says of its record. When another caller
// changes it at the same time, decide is asked again.
func (a *Authority) change(ctx context.Context, serial connector.Serial, op string,
	decide func(certdb.Record, time.Time) (certdb.Change, error),
) error {
	for {
		rec, err := a.find(ctx, serial)
		if err != nil {
			return err
		}
		c, err := decide(rec, a.now())
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.failpoint(FailBeforeChange); err != nil {
			return err
		}
		c.Serial, c.Rev, c.Cause = rec.Serial, rec.Rev, a.cause(ctx, op)
		done, err := a.o.DB.Change(ctx, c)
		if errors.Is(err, certdb.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		a.log.Info("certificate changed", "serial", string(done.Serial), "op", op,
			"reason", done.Reason.String(), "caller", connector.Caller(ctx),
			"session", connector.Session(ctx))
		if a.o.CRL.OnChange {
			if _, err := a.IssueCRL(ctx, false); err != nil {
				a.log.Error("revocation list not issued after a change", "error", err)
			}
		}
		return a.failpoint(FailAfterChange)
	}
}
