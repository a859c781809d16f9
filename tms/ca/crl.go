package ca

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/lint"
	"tokenwright/tms/connector"
)

// CRLOptions say when revocation lists are issued.
type CRLOptions struct {
	// Interval is the time between two lists; 0 means 4 hours.
	Interval time.Duration
	// Grace is how much longer a list may be used than until the next is due; 0 means 1 hour.
	Grace time.Duration
	// FullEvery: every so manieth list is a full one, deltas are between; 0 or 1: no deltas.
	FullEvery int
	// OnChange issues a full list after every change as well.
	OnChange bool
}

func (o CRLOptions) orDefault() CRLOptions {
	if o.Interval <= 0 {
		o.Interval = 4 * time.Hour
	}
	if o.Grace <= 0 {
		o.Grace = time.Hour
	}
	o.FullEvery = max(o.FullEvery, 1)
	return o
}

// IssueCRL issues a revocation list, full or a delta to the latest full one. Its number is higher
// than that of every list before.
func (a *Authority) IssueCRL(ctx context.Context, delta bool) (certdb.CRL, error) {
	list, err := a.issueCRL(ctx, delta)
	if err != nil {
		return certdb.CRL{}, fmt.Errorf("issuing revocation list: %w", err)
	}
	a.log.Info("revocation list issued", "number", list.Number, "base", list.Base,
		"entries", list.Entries, "nextUpdate", list.NextUpdate)
	if a.o.Publisher != nil {
		if err := a.o.Publisher.PublishCRL(ctx, list.DER, delta); err != nil {
			a.log.Error("revocation list not published", "number", list.Number, "error", err)
		}
	}
	return list, nil
}

func (a *Authority) issueCRL(ctx context.Context, delta bool) (certdb.CRL, error) {
	now := a.now()
	life := a.o.CRL.Interval
	if !delta {
		life *= time.Duration(a.o.CRL.FullEvery)
	}
	list, entries, err := a.o.DB.NewCRL(ctx, delta, now, now.Add(life+a.o.CRL.Grace))
	if err != nil {
		return list, err
	}
	if list.Number <= 0 || list.Number == math.MaxInt64 {
		return list, errors.New("numbers of lists are used up")
	}
	if err := a.failpoint(FailAfterNumber); err != nil {
		return list, err
	}
	if list.DER, err = a.signCRL(list, entries); err != nil {
		return list, err
	}
	if err := lint.RevocationList(list.DER); err != nil {
		return list, err
	}
	return list, a.o.DB.SaveCRL(ctx, list, a.cause(ctx, "crl"))
}

// signCRL encodes and signs a list. // RFC 5280 §5
func (a *Authority) signCRL(list certdb.CRL, entries []certdb.Entry) ([]byte, error) {
	t := &x509.RevocationList{Number: big.NewInt(list.Number), ThisUpdate: list.ThisUpdate,
		NextUpdate: list.NextUpdate}
	for _, e := range entries {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: e.Serial.Int(), RevocationTime: e.RevokedAt, ReasonCode: int(e.Reason)})
	}
	switch {
	case list.Base != 0:
		base, err := asn1.Marshal(list.Base)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = []pkix.Extension{{Id: der.OIDDeltaCRL, Critical: true, Value: base}}
	case a.o.CRL.FullEvery > 1 && a.o.URL != "":
		freshest, err := der.CRLPointsExt(der.OIDFreshestCRL, a.o.URL+PathDelta)
		if err != nil {
			return nil, err
		}
		t.ExtraExtensions = []pkix.Extension{freshest}
	}
	return x509.CreateRevocationList(a.o.Random, t, a.o.Certificate, a.o.Key)
}

// CRL gives the latest list; ErrCANotFound when there is none yet.
func (a *Authority) CRL(ctx context.Context, delta bool) (certdb.CRL, error) {
	c, err := a.o.DB.LatestCRL(ctx, delta)
	if errors.Is(err, certdb.ErrNotFound) {
		return c, connector.CAErrorf(connector.CANotFound, "no revocation list was issued yet")
	}
	return c, err
}

// DueCRL issues the list that the schedule asks for now, if any, and says whether it did.
func (a *Authority) DueCRL(ctx context.Context) (issued bool, err error) {
	full, err := a.o.DB.LatestCRL(ctx, false)
	if errors.Is(err, certdb.ErrNotFound) {
		_, err = a.IssueCRL(ctx, false)
		return err == nil, err
	}
	if err != nil {
		return false, err
	}
	last := full.ThisUpdate
	if delta, err := a.o.DB.LatestCRL(ctx, true); err == nil && delta.Base == full.Number {
		last = delta.ThisUpdate
	} else if err != nil && !errors.Is(err, certdb.ErrNotFound) {
		return false, err
	}
	if a.now().Before(last.Add(a.o.CRL.Interval)) {
		return false, nil
	}
	deltas, err := a.o.DB.DeltasSince(ctx, full.Number)
	if err != nil {
		return false, err
	}
	_, err = a.IssueCRL(ctx, deltas+1 < a.o.CRL.FullEvery)
	return err == nil, err
}
