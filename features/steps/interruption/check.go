package interruption

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// records is the token database.
type records interface {
	store.Store
	store.CertLister
}

func recordOf(ctx context.Context, db records, cuid keys.CUID) (token.Record, error) {
	r, err := db.Token(ctx, cuid)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return r, err
}

func certificatesOf(ctx context.Context, db records, cuid keys.CUID) ([]token.Certificate, error) {
	page, err := db.Certificates(ctx, store.CertQuery{CUID: cuid, Limit: store.MaxLimit})
	if err == nil && page.Next != "" {
		err = errors.New("more certificates than a page holds")
	}
	return page.Certificates, err
}

// held lists the certificates that the card holds by its records.
func (w *world) held(ctx context.Context) ([]token.Certificate, error) {
	list, err := certificatesOf(ctx, w.sys.Store(), w.card.CUID())
	return slices.DeleteFunc(list, func(c token.Certificate) bool { return c.Presence != token.Held }), err
}

// issued lists what the CA has issued for the card and is not revoked.
func (w *world) issued(ctx context.Context, cuid keys.CUID) ([]certdb.Record, error) {
	var out []certdb.Record
	for _, state := range []certdb.State{certdb.Valid, certdb.OnHold} {
		q := certdb.Query{CUID: strings.ToUpper(hex.EncodeToString(cuid[:])), State: &state, Limit: certdb.MaxPage}
		page, err := w.sys.Certificates().List(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page) == certdb.MaxPage {
			return nil, errors.New("more certificates than a page holds")
		}
		out = append(out, page...)
	}
	return out, nil
}

// known wants a record of every certificate that is good, or the request for it among what is left to be
// settled: that holds at any moment.
func (w *world) known(ctx context.Context, cuid keys.CUID) error {
	db := w.sys.Store()
	good, err := w.issued(ctx, cuid)
	if err != nil {
		return err
	}
	// A server that has just started may be closing one while it makes the other.
	open, err := db.OpenIntents(ctx, cuid)
	if err != nil {
		return err
	}
	list, err := certificatesOf(ctx, db, cuid)
	if err != nil {
		return err
	}
	for _, c := range good {
		onRecord := slices.ContainsFunc(list, func(r token.Certificate) bool { return r.Serial == string(c.Serial) })
		asked := slices.ContainsFunc(open, func(i token.Intent) bool { return i.ID == c.RequestID })
		if !onRecord && !asked {
			return fmt.Errorf("certificate %s (%s) is good and nobody knows of it", c.Serial, c.Profile)
		}
	}
	return nil
}

// archived wants the key of every good encryption certificate that the KRA has made in the archive.
func (w *world) archived(ctx context.Context, cuid keys.CUID) error {
	good, err := w.issued(ctx, cuid)
	if err != nil {
		return err
	}
	for _, c := range good {
		if !strings.Contains(c.Profile, "Encryption") || w.onCard {
			continue
		}
		k, err := w.sys.KRA().FindKey(ctx, connector.KeyQuery{Certificate: c.DER})
		if err == nil && k.UserID != person {
			err = fmt.Errorf("it is %q's", k.UserID)
		}
		if err != nil {
			return fmt.Errorf("the key of encryption certificate %s in the archive: %w", c.Serial, err)
		}
	}
	return nil
}

// settled wants nothing left open, and every good certificate of the card on it, but for those that have
// a successor.
func (w *world) settled(ctx context.Context) error {
	cuid := w.card.CUID()
	open, err := w.sys.Store().OpenIntents(ctx, cuid)
	if err != nil {
		return err
	}
	if len(open) > 0 {
		return fmt.Errorf("%d intents are left open, the first: %s", len(open), open[0])
	}
	good, err := w.issued(ctx, cuid)
	if err != nil {
		return err
	}
	list, err := certificatesOf(ctx, w.sys.Store(), cuid)
	if err != nil {
		return err
	}
	for _, c := range good {
		fine := slices.ContainsFunc(list, func(r token.Certificate) bool {
			return r.Serial == string(c.Serial) &&
				(r.Presence == token.Held || r.Status == token.CertRenewed)
		})
		if !fine {
			return fmt.Errorf("certificate %s (%s) is good and the card does not hold it", c.Serial, c.Profile)
		}
	}
	return nil
}

// invariants are what has to hold of the card, and of the one that it takes the place of, after one more
// try.
func (w *world) invariants(ctx context.Context) error {
	if err := w.settled(ctx); err != nil {
		return err
	}
	cuids := []keys.CUID{w.card.CUID()}
	if w.former != nil {
		cuids = append(cuids, w.former.CUID())
	}
	for _, cuid := range cuids {
		if err := errors.Join(w.known(ctx, cuid), w.archived(ctx, cuid)); err != nil {
			return err
		}
	}
	if err := w.promised(ctx); err != nil {
		return fmt.Errorf("the card: %w", err)
	}
	return nil
}
