package ocsp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"
)

// List is a Source that knows no more than a CA's latest revocation list: what is not on it is good,
// or unknown if so told, as nobody can tell from a list what was ever issued. What it knows may be
// relied on as long as the list.
type List struct {
	issuer  *x509.Certificate
	unknown bool
	now     func() time.Time
	state   atomic.Pointer[listState]
}

type listState struct {
	number     *big.Int
	this, next time.Time
	revoked    map[string]Status // by serial number in decimal digits
}

// NewList makes a List of an issuer's, without any list yet. unknown says that what is not on the list
// is unknown, not good.
func NewList(issuer *x509.Certificate, unknown bool, now func() time.Time) *List {
	return &List{issuer: issuer, unknown: unknown, now: now}
}

// Take puts a full list in DER into the place of the former one, if it is the issuer's and not older,
// and says whether it was another one.
func (l *List) Take(der []byte) (changed bool, err error) {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return false, fmt.Errorf("revocation list: %w", err)
	}
	if err := crl.CheckSignatureFrom(l.issuer); err != nil {
		return false, fmt.Errorf("revocation list: %w", err)
	}
	for _, e := range crl.Extensions {
		if e.Critical { // a delta, or one of some certificates only
			return false, fmt.Errorf("revocation list: is no full one: critical extension %s", e.Id)
		}
	}
	if crl.Number == nil || crl.NextUpdate.IsZero() {
		return false, errors.New("revocation list: lacks its number or the time of the next one")
	}
	if old := l.state.Load(); old != nil {
		switch crl.Number.Cmp(old.number) {
		case 0:
			return false, nil
		case -1:
			return false, fmt.Errorf("revocation list: number %v is older than %v", crl.Number, old.number)
		}
	}
	s := &listState{number: crl.Number, this: crl.ThisUpdate, next: crl.NextUpdate,
		revoked: make(map[string]Status, len(crl.RevokedCertificateEntries))}
	for _, e := range crl.RevokedCertificateEntries {
		s.revoked[e.SerialNumber.String()] = Status{State: Revoked, Reason: e.ReasonCode,
			RevokedAt: e.RevocationTime, Rev: e.RevocationTime.Unix()<<4 | int64(e.ReasonCode&15)}
	}
	l.state.Store(s)
	return true, nil
}

// Status implements Source. ErrNotYet when there is no list, or none that holds.
func (l *List) Status(_ context.Context, serial *big.Int) (Status, error) {
	s := l.state.Load()
	if s == nil {
		return Status{}, fmt.Errorf("%w: there is no revocation list", ErrNotYet)
	}
	if !l.now().Before(s.next) {
		return Status{}, fmt.Errorf("%w: the revocation list ended at %s", ErrNotYet,
			s.next.Format(time.RFC3339))
	}
	out, revoked := s.revoked[serial.String()]
	if !revoked && l.unknown {
		out.State = Unknown
	}
	out.Known, out.Until = s.this, s.next
	return out, nil
}

// Until is how long the list holds; zero when there is none.
func (l *List) Until() time.Time {
	if s := l.state.Load(); s != nil {
		return s.next
	}
	return time.Time{}
}
