package tokendb

import (
	"context"
	"slices"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// RecordsOf returns the records of a certificate, whichever token they are of.
func (c *Card) RecordsOf(ctx context.Context, id token.CertID) ([]token.Certificate, error) {
	list, err := c.db.certificates(ctx, store.CertQuery{Issuer: id.Issuer, Serial: id.Serial})
	if err != nil {
		return nil, c.fail(ErrDatabase, statusUnreachable, "reading certificates", err)
	}
	return list, nil
}

// adopt records certificates that were brought to the card though they were issued before,
// and takes them out of list. They are not pending meanwhile: a session that is cut has
// nothing to undo, as they were good before it.
func (e *certEdit) adopt(list, adopted []token.Certificate) []token.Certificate {
	for _, n := range adopted {
		n.Presence = token.Held
		e.put = append(e.put, n)
		list = slices.DeleteFunc(list, func(have token.Certificate) bool { return have.CertID == n.CertID })
	}
	return list
}

// takeAway records that the card does not hold a certificate any more, which nobody else
// may hold either: then it is to be revoked.
func (c *Card) takeAway(e *certEdit, n *token.Certificate) {
	n.Presence = token.Gone
	if n.Valid(c.db.now()) && !c.revoking(n.CertID) {
		e.begin = append(e.begin, c.revocation(*n, Revoke{Reason: cessation}))
	}
}
