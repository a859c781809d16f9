package tokendb

import (
	"context"
	"slices"

	"tokenwright/tms/token"
)

// Reasons by which the rules of this package have certificates revoked.
const (
	superseded = 4 // another key has taken the place of its key
	cessation  = 5 // it never came to be used
)

// Enrolled is what a finished enrollment, renewal or recovery leaves on the card.
type Enrolled struct {
	AppletID string
	Type     string
	KeyInfo  string
	// UserID is whose token it is; empty for a device.
	UserID string
	// Renewed are certificates that have a successor for the same key; Kept are those
	// among them that the card still holds.
	Renewed, Kept []token.CertID
	// Adopted are certificates that were brought to the card, or found there, and were
	// issued before; Removed those that were taken away from it.
	Adopted []token.Certificate
	Removed []token.CertID
	// Message says in words what was done.
	Message string
}

// FinishEnroll records that the card holds what was issued for it in this session:
// the token is ACTIVE and its user's; activity of the admitted operation's name.
// Certificates whose keys were replaced are to be revoked, and recovered ones on hold
// to be released: Resume gives the steps.
// Whatever was begun on the card and never ended is repaired by it. It is written
// even if the client has gone.
func (c *Card) FinishEnroll(ctx context.Context, f Enrolled) error {
	if c.admitted == nil {
		return c.fail(ErrNotAllowed, statusNotAllowed, "enrollment was not admitted", nil)
	}
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	c.SetType(f.Type)
	op := c.admitted.Op
	return c.apply(ctx, edit{
		why:        token.CleanMessage(string(op) + " finished"),
		activities: []token.Activity{c.activity(op, token.Success, f.Message)},
		end:        c.endOnCard(),
		certs:      func(list []token.Certificate) certEdit { return c.enrolled(list, f) },
		to: func(r token.Record) (token.Record, error) {
			if err := c.allowed(r, *c.admitted); err != nil {
				return r, err
			}
			r = r.InState(token.Active)
			r.UserID, r.AppletID, r.Type, r.KeyInfo = f.UserID, f.AppletID, f.Type, f.KeyInfo
			return r, nil
		},
	})
}

// enrolled is what a finished enrollment makes of the certificate records.
func (c *Card) enrolled(list []token.Certificate, f Enrolled) certEdit {
	var e certEdit
	for _, n := range e.adopt(list, f.Adopted) {
		switch {
		case slices.Contains(f.Removed, n.CertID):
			c.takeAway(&e, &n)
		case n.Presence == token.Pending:
			n.Presence = token.Held
			if n.Status == token.CertOnHold {
				e.begin = append(e.begin, c.revocation(n, Revoke{Reason: reasonRelease}))
			}
		case n.Presence == token.Replaced:
			c.supersede(&e, &n)
		case slices.Contains(f.Renewed, n.CertID):
			n.Status = token.CertRenewed
			if !slices.Contains(f.Kept, n.CertID) {
				n.Presence = token.Gone
			}
		default:
			continue
		}
		e.put = append(e.put, n)
	}
	return e
}

// supersede has a certificate whose key is destroyed revoked, unless it can't be
// used anyway.
func (c *Card) supersede(e *certEdit, n *token.Certificate) {
	n.Presence = token.Gone
	if n.Valid(c.db.now()) && !c.revoking(n.CertID) {
		e.begin = append(e.begin, c.revocation(*n, Revoke{Reason: superseded}))
	}
}

// Abandon undoes in the records what an operation that did not finish began:
// certificates that never came to be used, and those whose keys it destroyed, are to
// be revoked (Resume gives the steps), and a token that thereby holds none any more
// is FORMATTED and nobody's. Steps on the card stay open until an operation
// finishes there. Calling it when there is nothing to undo changes nothing.
func (c *Card) Abandon(ctx context.Context) error {
	if !c.Known() || !slices.ContainsFunc(c.certs, unsettled) {
		return nil
	}
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	return c.apply(ctx, edit{
		why:   "unfinished operation undone",
		certs: c.abandoned,
		to: func(r token.Record) (token.Record, error) {
			if r.Status == token.Active && len(c.Holds()) == 0 {
				r = r.InState(token.Formatted)
				r.UserID = ""
			}
			return r, nil
		},
	})
}

// unsettled tells whether an operation that concerns the certificate is under way,
// or ended without a word.
func unsettled(n token.Certificate) bool {
	return n.Presence == token.Pending || n.Presence == token.Replaced
}

func (c *Card) abandoned(list []token.Certificate) certEdit {
	var e certEdit
	for _, n := range list {
		switch {
		case n.Presence == token.Pending && n.Shared():
			e.drop = append(e.drop, n.CertID) // it is another token's, and stays so
			continue
		case n.Presence == token.Pending:
			n.Presence = token.Gone
			if n.Status != token.CertRevoked && !c.revoking(n.CertID) {
				e.begin = append(e.begin, c.revocation(n, Revoke{Reason: cessation}))
			}
		case n.Presence == token.Replaced:
			c.supersede(&e, &n)
		default:
			continue
		}
		e.put = append(e.put, n)
	}
	return e
}

// FinishPINReset records that the PIN was set; once takes the right to have it reset
// again (policy RESET_PIN_RESET_TO_NO); activity pin_reset. It is written even if
// the client has gone.
func (c *Card) FinishPINReset(ctx context.Context, appletID, keyInfo string, once bool) error {
	if c.admitted == nil {
		return c.fail(ErrNotAllowed, statusNotPINReset, "PIN reset was not admitted", nil)
	}
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	return c.apply(ctx, edit{
		why:        "PIN reset finished",
		activities: []token.Activity{c.activity(token.OpPINReset, token.Success, "PIN set")},
		end:        c.endOnly(token.IntentSetPIN),
		to: func(r token.Record) (token.Record, error) {
			if err := c.allowed(r, *c.admitted); err != nil {
				return r, err
			}
			if once {
				r.Policy = r.Policy.With(token.PINReset, false)
			}
			r.AppletID, r.KeyInfo = appletID, keyInfo
			return r, nil
		},
	})
}
