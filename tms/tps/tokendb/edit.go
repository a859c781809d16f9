package tokendb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Edit is what a person changes of a record; nil leaves what there is.
type Edit struct {
	UserID *string
	Policy *token.Policy
	// Merge keeps the rules that Policy does not state.
	Merge bool
}

// of applies the edit, and says in words what it changes.
func (e Edit) of(r token.Record) (token.Record, string) {
	var words []string
	if e.UserID != nil && *e.UserID != r.UserID {
		words = append(words, fmt.Sprintf("user %q to %q", r.UserID, *e.UserID))
		r.UserID = *e.UserID
	}
	if e.Policy != nil {
		p := *e.Policy
		if e.Merge {
			p = p.Over(r.Policy)
		}
		if p != r.Policy {
			words = append(words, fmt.Sprintf("policy %q to %q", r.Policy, p))
			r.Policy = p
		}
	}
	return r, strings.Join(words, ", ")
}

// Edit changes user and policy of the record, as a person asked for who may do so;
// activity token_modify. An edit that changes nothing is none.
func (c *Card) Edit(ctx context.Context, e Edit) error {
	if !c.Known() {
		return c.fail(ErrUnknownToken, statusUnknownToken, "", nil)
	}
	before := c.rec
	next, words := e.of(before)
	if words == "" {
		return nil
	}
	if err := next.Validate(); err != nil {
		return c.fail(ErrNotAllowed, statusNotAllowed, err.Error(), nil)
	}
	a := c.byHand(token.OpModify, c.because(words))
	a.UserID = next.UserID
	return c.apply(ctx, edit{
		why: token.CleanMessage(c.because("record changed: " + words)), activities: []token.Activity{a},
		to: func(r token.Record) (token.Record, error) {
			if r.UserID != before.UserID || r.Policy != before.Policy {
				return r, c.fail(ErrNotAllowed, statusNotAllowed, "somebody else has just changed it", nil)
			}
			r, _ = e.of(r)
			return r, nil
		},
	})
}

// because adds the reason of the session, if there is one, to what is done.
func (c *Card) because(what string) string {
	if c.session.Why == "" {
		return what
	}
	return what + ": " + c.session.Why
}

// byHand is the activity of a change that somebody made to the record: it is about the
// person whose token it is.
func (c *Card) byHand(op token.Op, message string) token.Activity {
	a := c.activity(op, token.Success, message)
	a.UserID = c.rec.UserID
	return a
}

// Add records a card that nobody has seen yet, UNFORMATTED, as a person asked for who
// may do so; activity add. The error is store.ErrExists when it is there already.
func (d *DB) Add(ctx context.Context, s Session, cuid keys.CUID, e Edit) (token.Record, error) {
	c := &Card{db: d, session: s, rec: token.NewRecord(cuid, d.rules.Policy)}
	rec, _ := e.of(c.rec)
	a := c.byHand(token.OpAdd, c.because("token added by hand"))
	a.UserID = rec.UserID
	if err := rec.Validate(); err != nil {
		return rec, c.fail(ErrNotAllowed, statusNotAllowed, err.Error(), nil)
	}
	stored, err := d.store.Apply(ctx, store.Change{
		CUID: cuid, New: &rec, Activities: []token.Activity{a},
		Actor: s.Actor, Session: s.ID, Why: token.CleanMessage(c.because("added by hand")), At: d.now(),
	})
	if err != nil {
		return rec, c.fail(ErrDatabase, statusCannotAdd, "adding the record", err)
	}
	return stored, nil
}

// Delete removes the record with those of its certificates, as a person asked for who
// may do so; activity delete. A token with a certificate that is valid still, or with a
// step at a CA or KRA that is not settled, stays: nobody would know of it any more.
func (c *Card) Delete(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		if !c.Known() {
			return c.fail(ErrUnknownToken, statusUnknownToken, "", nil)
		}
		if why := c.needed(); why != "" {
			return c.fail(ErrNotAllowed, statusNotAllowed, why, nil)
		}
		err := c.delete(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) || attempt == maxAttempts {
			return c.fail(ErrDatabase, statusCannotUpdate, "deleting the record", err)
		}
		if err := c.read(ctx); err != nil {
			return err
		}
	}
}

// needed tells why the record may not go; empty when it may.
func (c *Card) needed() string {
	now := c.db.now()
	for _, n := range c.certs {
		if n.Valid(now) {
			return fmt.Sprintf("certificate %s is valid still: terminate the token first", n.Serial)
		}
	}
	for _, i := range c.open {
		if !i.Kind.OnCard() {
			return "a step at a CA or KRA is not settled yet: " + i.String()
		}
	}
	return ""
}

// delete makes the change, in as many parts as the certificates need.
func (c *Card) delete(ctx context.Context) error {
	var drop []token.CertID
	for _, n := range c.certs {
		drop = append(drop, n.CertID)
	}
	change := store.Change{
		CUID: c.rec.CUID, Actor: c.session.Actor, Session: c.session.ID,
		Why: token.CleanMessage(c.because("deleted by hand")),
	}
	for part := range slices.Chunk(drop, store.MaxParts) {
		old, next := c.rec, c.rec
		change.Old, change.New, change.Drop, change.At = &old, &next, part, c.db.now()
		stored, err := c.db.store.Apply(ctx, change)
		if err != nil {
			return err
		}
		c.rec = stored
	}
	old := c.rec
	change.Old, change.New, change.Drop, change.At = &old, nil, nil, c.db.now()
	change.Activities = []token.Activity{
		c.byHand(token.OpDelete, c.because("token deleted, "+old.Status.String())),
	}
	for _, i := range c.open {
		change.End = append(change.End, store.IntentEnd{ID: i.ID, Outcome: token.OutcomeRepaired})
	}
	if _, err := c.db.store.Apply(ctx, change); err != nil {
		return err
	}
	c.rec.Rev, c.certs, c.open = 0, nil, nil
	return nil
}

// Next gives the states that a person may move the token to.
func (d *DB) Next(r token.Record) []token.State { return d.rules.Manual.NextByHand(r) }

// Effective gives the policy that holds for a token.
func (d *DB) Effective(r token.Record) token.Policy { return r.Policy.Over(d.rules.Policy) }
