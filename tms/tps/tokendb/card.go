package tokendb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// maxAttempts bounds how often a change is tried again when someone else
// changed the record in the meantime.
const maxAttempts = 4

// Card is one token in one session: its record as last read or written, and
// what the session has begun with it. It must not be used concurrently.
type Card struct {
	db      *DB
	session Session
	rec     token.Record
	open    []token.Intent
	certs   []token.Certificate
	carry   carried
	// admitted is what Admit allowed; it is asked again whenever the record
	// turns out to have changed.
	admitted *Admission
	user     string
	typ      string
}

// Record returns the record as last read or written. A card never seen has one
// too, which is not stored: Known tells.
func (c *Card) Record() token.Record { return c.rec }

// Known reports whether the card has a stored record.
func (c *Card) Known() bool { return c.rec.Rev > 0 }

// OpenIntents returns what earlier sessions, or this one, began with the card
// and never ended, oldest first. The caller owns the slice.
func (c *Card) OpenIntents() []token.Intent { return append([]token.Intent(nil), c.open...) }

// Policy returns the token's policy layered over the configured default.
func (c *Card) Policy() token.Policy { return c.rec.Policy.Over(c.db.rules.Policy) }

// SetUser says who has logged in: the actor of all that follows, and the person
// the activities name.
func (c *Card) SetUser(uid string) {
	c.user, c.session.Actor = uid, uid
}

// SetType says which token type was decided on; the activities that follow name
// it.
func (c *Card) SetType(tokenType string) { c.typ = tokenType }

// read reads record and open intents.
func (c *Card) read(ctx context.Context) error {
	rec, err := c.db.store.Token(ctx, c.rec.CUID)
	switch {
	case err == nil:
		c.rec = rec
	case errors.Is(err, store.ErrNotFound):
		c.rec.Rev = 0
	default:
		return c.fail(ErrDatabase, statusUnreachable, "reading the record", err)
	}
	c.open, err = c.db.store.OpenIntents(ctx, c.rec.CUID)
	if err != nil {
		return c.fail(ErrDatabase, statusUnreachable, "reading open intents", err)
	}
	c.certs, err = c.db.certificates(ctx, store.CertQuery{CUID: c.rec.CUID})
	if err != nil {
		return c.fail(ErrDatabase, statusUnreachable, "reading certificates", err)
	}
	c.recall()
	return nil
}

// Admission is what an operation asks before it begins.
type Admission struct {
	// Op is the operation, To the state it leads to.
	Op token.Op
	To token.State
	// AllowUnknown lets a card without a record take part
	// (op.<op>.allowUnknownToken).
	AllowUnknown bool
}

// Admit decides whether the operation may happen to this card. The move from
// the recorded state must be allowed by the configured list. A card never seen
// is given a record, Unformatted, if unknown tokens are allowed. The errors are
// ErrUnknownToken (16), ErrNotAllowed (26; enrollment tells a lost token, 32,
// and a terminated one, 35, apart; PIN reset answers 27) and ErrDatabase.
func (c *Card) Admit(ctx context.Context, a Admission) error {
	if !c.Known() {
		if !a.AllowUnknown {
			return c.fail(ErrUnknownToken, statusUnknownToken, "", nil)
		}
		if err := c.add(ctx, a); err != nil {
			return err
		}
	}
	if err := c.allowed(c.rec, a); err != nil {
		return err
	}
	c.admitted = &a
	return nil
}

// allowed is the transition check.
func (c *Card) allowed(rec token.Record, a Admission) error {
	if c.db.rules.Operations.Allows(rec.Status, a.To) {
		return nil
	}
	step := token.Transition{From: rec.Status, To: a.To}
	return c.fail(ErrNotAllowed, refusal(a.Op, rec.Status),
		fmt.Sprintf("%s needs %s", a.Op, step.Describe()), nil)
}

// add stores the record of a card never seen. Another session may have added it
// since it was looked up; then that one counts.
func (c *Card) add(ctx context.Context, a Admission) error {
	rec := token.NewRecord(c.rec.CUID, c.db.rules.Policy)
	stored, err := c.db.store.Apply(ctx, store.Change{
		CUID: rec.CUID, New: &rec,
		Activities: []token.Activity{
			c.activity(token.OpAdd, token.Success, "token added by "+string(a.Op)),
		},
		Actor: c.session.Actor, Session: c.session.ID,
		Why: "first seen by " + string(a.Op), At: c.db.now(),
	})
	switch {
	case err == nil:
		c.rec = stored
		return nil
	case errors.Is(err, store.ErrExists):
		return c.read(ctx)
	}
	return c.fail(ErrDatabase, statusCannotAdd, "adding the record", err)
}

// CheckKeyInfo compares the key information the card shows, in hex, with the
// recorded one and with what an unfinished key changeover intended; each is
// acceptable. It changes nothing. An empty record passes only when unknown
// tokens are allowed. The error is ErrKeyInfo (17).
func (c *Card) CheckKeyInfo(info string, allowUnknown bool) error {
	if err := token.AcceptKeyInfo(c.rec, c.open, info, allowUnknown); err != nil {
		return c.fail(ErrKeyInfo, statusSecureChannel, "", err)
	}
	return nil
}

// activity returns an activity of this session.
func (c *Card) activity(op token.Op, res token.Result, message string) token.Activity {
	return token.Activity{
		CUID: c.rec.CUID, UserID: c.user, IP: c.session.IP, Op: op, Result: res,
		Message: token.CleanMessage(message), Type: either(c.typ, c.rec.Type),
	}
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// edit is one change of this card's record.
type edit struct {
	why        string
	activities []token.Activity
	begin      []token.Intent
	end        []store.IntentEnd
	mark       []store.CertMark
	// certs makes the changes of certificate records of the present ones; it is
	// asked again as to is. A nil certs changes none.
	certs func([]token.Certificate) certEdit
	// ending is the intent of an earlier session that the change is all about, if any:
	// should someone else have ended it in the meantime, there is nothing left to do.
	ending string
	// to makes the new record of the current one; it is asked again when the
	// record has changed in the meantime. An error stops the change.
	to func(token.Record) (token.Record, error)
}

// apply makes the change by compare-and-set, reading and deciding again when
// someone else was faster.
func (c *Card) apply(ctx context.Context, e edit) error {
	for attempt := 1; ; attempt++ {
		if !c.Known() {
			return c.fail(ErrDatabase, statusCannotUpdate, e.why, store.ErrNotFound)
		}
		next, err := e.to(c.rec)
		if err != nil {
			return err
		}
		var ce certEdit
		if e.certs != nil {
			ce = e.certs(c.Certificates())
		}
		all, ce := c.carry.with(e, ce)
		old, at := c.rec, c.db.now()
		begin := append(e.begin[:len(e.begin):len(e.begin)], ce.begin...)
		stored, err := c.db.store.Apply(ctx, store.Change{
			CUID: c.rec.CUID, Old: &old, New: &next,
			Activities: e.activities, Begin: begin, End: all.end,
			Certs: ce.put, Drop: ce.drop, Mark: e.mark,
			Actor: c.session.Actor, Session: c.session.ID, Why: all.why, At: at,
		})
		if err == nil {
			c.rec, c.carry = stored, carried{}
			c.settled(all.end, begin, at)
			c.settleCerts(ce, e.mark)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) || attempt == maxAttempts {
			return c.fail(ErrDatabase, statusCannotUpdate, e.why, err)
		}
		if err := c.read(ctx); err != nil {
			return err
		}
		if e.ending != "" && !c.isOpen(e.ending) {
			return nil
		}
	}
}

func (c *Card) isOpen(id string) bool {
	return slices.ContainsFunc(c.open, func(i token.Intent) bool { return i.ID == id })
}

// settled keeps the list of open intents in step with a change just stored.
func (c *Card) settled(ended []store.IntentEnd, begun []token.Intent, at time.Time) {
	c.open = slices.DeleteFunc(c.open, func(i token.Intent) bool {
		return slices.ContainsFunc(ended, func(end store.IntentEnd) bool { return end.ID == i.ID })
	})
	for _, i := range begun {
		i.At = at
		c.open = append(c.open, i)
	}
}

func (c *Card) fail(kind error, code int, detail string, cause error) error {
	return &Error{Kind: kind, Code: code, CUID: c.rec.CUID.String(), State: c.rec.Status,
		Detail: detail, Cause: cause}
}
