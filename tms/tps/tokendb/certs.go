package tokendb

import (
	"context"
	"slices"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// certEdit is a change of certificate records, and what it announces.
type certEdit struct {
	put   []token.Certificate
	drop  []token.CertID
	begin []token.Intent
}

// Certificates returns the records of the certificates that the token has, or had,
// the oldest first. The caller owns the slice.
func (c *Card) Certificates() []token.Certificate { return slices.Clone(c.certs) }

// Holds returns the certificates that the card holds.
func (c *Card) Holds() []token.Certificate {
	return slices.DeleteFunc(c.Certificates(), func(n token.Certificate) bool {
		return n.Presence != token.Held
	})
}

// Now tells the time by the clock of records.
func (c *Card) Now() time.Time { return c.db.now() }

// settleCerts keeps the list of certificates in step with a change just stored.
func (c *Card) settleCerts(e certEdit, marks []store.CertMark) {
	for _, n := range e.put {
		at := slices.IndexFunc(c.certs, func(have token.Certificate) bool {
			return have.CertID == n.CertID
		})
		if at < 0 {
			c.certs = append(c.certs, n)
		} else {
			c.certs[at] = n
		}
	}
	c.certs = slices.DeleteFunc(c.certs, func(have token.Certificate) bool {
		return slices.Contains(e.drop, have.CertID)
	})
	for i := range c.certs {
		for _, m := range marks {
			if c.certs[i].CertID == m.CertID {
				c.certs[i].Status = m.Status
			}
		}
	}
}

// lose says of the certificates that a step destroys the keys of that the card does
// not hold them any more. A format decides by itself what is revoked; after other
// operations what is replaced has to be.
func (c *Card) lose(list []token.Certificate, costs func(token.Certificate) bool) certEdit {
	var e certEdit
	for _, n := range list {
		if n.Presence != token.Held || !costs(n) {
			continue
		}
		n.Presence = token.Replaced
		if c.admitted.Op == token.OpFormat {
			n.Presence = token.Gone
		}
		e.put = append(e.put, n)
	}
	return e
}

// formatted is what a finished format makes of the certificate records.
func (c *Card) formatted(list []token.Certificate) certEdit {
	var e certEdit
	for _, n := range list {
		switch {
		case n.Status == token.CertRevoked:
			e.drop = append(e.drop, n.CertID)
		case n.Presence == token.Replaced:
			c.supersede(&e, &n)
			e.put = append(e.put, n)
		case n.Presence != token.Gone:
			n.Presence = token.Gone
			e.put = append(e.put, n)
		}
	}
	return e
}

// certificates answers a question whole.
func (d *DB) certificates(ctx context.Context, q store.CertQuery) ([]token.Certificate, error) {
	var all []token.Certificate
	for q.Limit = store.MaxLimit; ; {
		page, err := d.store.Certificates(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Certificates...)
		if q.After = page.Next; q.After == "" {
			return all, nil
		}
	}
}

// OthersOf returns the records of a user's tokens other than this one, the latest
// modified first.
func (c *Card) OthersOf(ctx context.Context, uid string) ([]token.Record, error) {
	var all []token.Record
	for q := (store.TokenQuery{UserID: uid, Limit: store.MaxLimit}); ; {
		page, err := c.db.store.Tokens(ctx, q)
		if err != nil {
			return nil, c.fail(ErrDatabase, statusUnreachable, "reading the user's tokens", err)
		}
		for _, r := range page.Tokens {
			if r.CUID != c.rec.CUID {
				all = append(all, r)
			}
		}
		if q.After = page.Next; q.After == "" {
			return all, nil
		}
	}
}

// CertificatesOf returns the records of another token's certificates, the oldest
// first.
func (c *Card) CertificatesOf(ctx context.Context, cuid keys.CUID) ([]token.Certificate, error) {
	list, err := c.db.certificates(ctx, store.CertQuery{CUID: cuid})
	if err != nil {
		return nil, c.fail(ErrDatabase, statusUnreachable, "reading certificates", err)
	}
	return list, nil
}

// HeldElsewhere tells whether another active token holds a certificate too.
func (c *Card) HeldElsewhere(ctx context.Context, id token.CertID) (bool, error) {
	list, err := c.db.certificates(ctx, store.CertQuery{Issuer: id.Issuer, Serial: id.Serial})
	if err != nil {
		return false, c.fail(ErrDatabase, statusUnreachable, "reading certificates", err)
	}
	for _, n := range list {
		if n.CUID == c.rec.CUID || n.Presence != token.Held {
			continue
		}
		rec, err := c.db.store.Token(ctx, n.CUID)
		if err != nil {
			return false, c.fail(ErrDatabase, statusUnreachable, "reading another token", err)
		}
		if rec.Status == token.Active {
			return true, nil
		}
	}
	return false, nil
}

// Adopt records that a certificate of another token is about to come to this one,
// which does not hold it yet.
func (c *Card) Adopt(ctx context.Context, cert token.Certificate) error {
	cert.CUID, cert.Presence = c.rec.CUID, token.Pending
	return c.apply(ctx, edit{
		why: "certificate recovered: " + cert.Serial, to: c.whileAllowed,
		certs: func([]token.Certificate) certEdit {
			return certEdit{put: []token.Certificate{cert}}
		},
	})
}
