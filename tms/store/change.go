package store

import (
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// MaxParts bounds how many activities, begun intents, ended intents and
// certificates one change may carry, each.
const MaxParts = 64

// Change is one step in the history of one token. Everything in it happens
// together at At, or not at all.
//
// Old and New say what happens to the record:
//
//	Old nil, New set   the record is added; ErrExists if there is one
//	both set           the record is replaced; ErrConflict unless the stored
//	                   one is still at Old.Rev
//	Old set, New nil   the record is deleted, under the same condition
//	both nil           no record is touched; only history is written
//
// Of Old only Rev counts. Of New the store takes everything but Created (kept
// when the record is replaced, At when it is added), Modified (At), ModifiedBy
// and ModifiedWhy (Actor, Why), and Rev (one more than before).
type Change struct {
	CUID keys.CUID
	Old  *token.Record
	New  *token.Record
	// Activities are appended to the history. CUID, Session, Actor, and At of
	// each are filled in from the change where they are empty; ID is always
	// set by the store.
	Activities []token.Activity
	// Begin are intents recorded as open. CUID, Session and Actor are filled in
	// from the change where they are empty, At always.
	Begin []token.Intent
	// End closes open intents of this card; ErrNotFound if one is not open.
	End []IntentEnd
	// Certs are certificate records of this card, added, or put in the place of
	// those of the same certificate, whose Created is kept. Drop deletes some; one
	// that is not there is no error. Nothing but the record's revision guards them:
	// whoever goes by what they say changes the record too.
	Certs []token.Certificate
	Drop  []token.CertID
	// Mark changes the status of certificates, wherever they are recorded. It comes
	// after Certs and Drop.
	Mark []CertMark
	// Actor did it, Why says it in words, Session is the id its logs carry.
	Actor   string
	Why     string
	Session string
	// At is the time of the change. It is required: a store has no clock.
	At time.Time
}

// IntentEnd closes one intent.
type IntentEnd struct {
	ID      string
	Outcome token.Outcome
}

// Normalize returns the change with everything filled in that follows from
// other parts, or ErrInvalid with the reason. Homes call it first. The result
// shares no slice and no record with c.
func (c Change) Normalize() (Change, error) {
	if err := c.check(); err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c.At = c.At.UTC()
	if c.Old != nil {
		old := *c.Old
		c.Old = &old
	}
	if c.New != nil {
		c.New = c.normalRecord()
		if err := c.New.Validate(); err != nil {
			return Change{}, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	c.End = append([]IntentEnd(nil), c.End...)
	if err := c.fillActivities(); err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := c.fillIntents(); err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := c.fillCerts(); err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c, nil
}

func (c Change) normalRecord() *token.Record {
	r := *c.New
	r.Created, r.Modified = c.At, c.At
	r.ModifiedBy, r.ModifiedWhy = c.Actor, c.Why
	r.Rev = 1
	if c.Old != nil {
		r.Rev = c.Old.Rev + 1
	}
	return &r
}

func (c Change) check() error {
	switch {
	case c.CUID == keys.CUID{}:
		return errors.New("change: no CUID")
	case c.At.IsZero():
		return errors.New("change: no time")
	case c.Actor == "":
		return errors.New("change: no actor")
	case c.Why == "":
		return errors.New("change: no reason")
	case len(c.Actor) > token.MaxName || len(c.Session) > token.MaxName:
		return fmt.Errorf("change: actor or session over %d bytes", token.MaxName)
	case len(c.Why) > token.MaxMessage:
		return fmt.Errorf("change: reason over %d bytes", token.MaxMessage)
	case c.New != nil && c.New.CUID != c.CUID, c.Old != nil && c.Old.CUID != c.CUID:
		return errors.New("change: record of another card")
	case c.Old != nil && c.Old.Rev < 1:
		return errors.New("change: old record was never stored")
	case max(len(c.Activities), len(c.Begin), len(c.End), len(c.Certs), len(c.Drop),
		len(c.Mark)) > MaxParts:
		return fmt.Errorf("change: more than %d parts", MaxParts)
	case c.Old == nil && c.New == nil && len(c.Activities)+len(c.Begin)+len(c.End)+
		len(c.Certs)+len(c.Drop)+len(c.Mark) == 0:
		return errors.New("change: empty")
	}
	for _, e := range c.End {
		if e.ID == "" || !e.Outcome.Closes() {
			return fmt.Errorf("change: intent %q ended with outcome %q", e.ID, e.Outcome)
		}
	}
	return nil
}

func (c *Change) fillActivities() error {
	list := append([]token.Activity(nil), c.Activities...)
	for i := range list {
		a := &list[i]
		if (a.CUID == keys.CUID{}) {
			a.CUID = c.CUID
		}
		if a.CUID != c.CUID {
			return errors.New("activity of another card")
		}
		a.Session = either(a.Session, c.Session)
		a.Actor = either(a.Actor, c.Actor)
		a.Message = either(a.Message, c.Why)
		if a.At.IsZero() {
			a.At = c.At
		}
		a.At = a.At.UTC()
		if err := a.Validate(); err != nil {
			return err
		}
	}
	c.Activities = list
	return nil
}

func (c *Change) fillIntents() error {
	list := append([]token.Intent(nil), c.Begin...)
	for i := range list {
		n := &list[i]
		if (n.CUID == keys.CUID{}) {
			n.CUID = c.CUID
		}
		if n.CUID != c.CUID {
			return errors.New("intent of another card")
		}
		n.Session = either(n.Session, c.Session)
		n.Actor = either(n.Actor, c.Actor)
		n.At = c.At
		n.Ended, n.EndedBy = time.Time{}, ""
		if err := n.Validate(); err != nil {
			return err
		}
	}
	c.Begin = list
	return nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
