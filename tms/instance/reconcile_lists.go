package instance

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"strconv"
	"time"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/tps/routing/compare"
)

// caList lists a CA of this instance, a page at a time.
type caList struct {
	authority *ca.Authority
	now       func() time.Time
}

// goodStates are the states in which somebody may use a certificate, or will again.
var goodStates = []struct {
	state certdb.State
	name  connector.CertificateState
}{
	{certdb.Valid, connector.CertificateValid}, {certdb.OnHold, connector.CertificateOnHold},
}

// Good implements compare.CertificateList.
func (l caList) Good(ctx context.Context, f func(compare.Issued) error) error {
	issuer := l.authority.Chain()[0].Subject.String()
	for _, s := range goodStates {
		err := l.each(ctx, certdb.Query{State: &s.state}, func(r certdb.Record) error {
			if !l.now().Before(r.NotAfter) {
				return nil
			}
			out := compare.Issued{
				Issuer: issuer, Serial: string(r.Serial), Subject: r.Subject, UserID: r.UserID,
				Request: r.RequestID, State: s.name, Created: r.Created,
			}
			if r.CUID != "" {
				cuid, err := keys.ParseCUID(r.CUID)
				if err != nil {
					return err
				}
				out.CUID = cuid
			}
			return f(out)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// errEnough ends a walk through a list.
var errEnough = errors.New("enough")

// Certifies implements compare.CertificateList.
func (l caList) Certifies(ctx context.Context, cuid keys.CUID, spki []byte) (bool, error) {
	err := l.each(ctx, certdb.Query{CUID: cuid.String()}, func(r certdb.Record) error {
		if r.State == certdb.ToBeSigned {
			return nil
		}
		cert, err := x509.ParseCertificate(r.DER)
		if err == nil && bytes.Equal(cert.RawSubjectPublicKeyInfo, spki) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// each gives f every certificate that q asks for.
func (l caList) each(ctx context.Context, q certdb.Query, f func(certdb.Record) error) error {
	for q.Limit = certdb.MaxPage; ; {
		page, err := l.authority.DB().List(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < q.Limit {
			return nil
		}
		last := page[len(page)-1]
		q.After = &last
	}
}

// keyList lists the KRA of this instance, a page at a time.
type keyList struct{ service *kra.Service }

// Keys implements compare.KeyList.
func (l keyList) Keys(ctx context.Context, f func(compare.Archived) error) error {
	for q := (keydb.KeyFilter{Limit: keydb.MaxPage}); ; {
		page, err := l.service.List(ctx, q)
		if err != nil {
			return err
		}
		for _, k := range page {
			q.After = k.ID
			if err := f(compare.Archived{Created: k.Created, KeyInfo: connector.KeyInfo{
				KeyID: connector.KeyID(strconv.FormatInt(k.ID, 10)), CUID: k.CUID, UserID: k.UserID,
				Type: k.Type, Bits: k.Bits, PublicKey: k.PublicKey,
			}}); err != nil {
				return err
			}
		}
		if len(page) < q.Limit {
			return nil
		}
	}
}
