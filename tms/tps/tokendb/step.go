package tokendb

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Step is a step on the card that cannot be undone, announced by [Card.Begin].
// End it with Done, or with Failed when the card said that it did not happen.
// When nobody knows (the answer was lost), leave it: the open intent is what
// the next session goes by.
type Step struct {
	card   *Card
	intent token.Intent
}

// Intent returns what was recorded.
func (s *Step) Intent() token.Intent { return s.intent }

// Begin records that the step is about to be taken, durably, before it is. The
// operation must have been admitted; if the record has changed since, the
// admission is decided again. A step that takes the applet away takes the
// certificates with it, and their records say so from now on. When Begin fails the
// step must not be taken.
func (c *Card) Begin(ctx context.Context, kind token.IntentKind, from, to string) (*Step, error) {
	i := token.Intent{Kind: kind, From: from, To: to}
	if kind == token.IntentLoadApplet || kind == token.IntentDeleteApplet {
		return c.begin(ctx, i, func(token.Certificate) bool { return true })
	}
	return c.begin(ctx, i, nil)
}

// begin records an intent; costs tells which certificates that the card holds the
// step destroys the keys of.
func (c *Card) begin(ctx context.Context, i token.Intent, costs func(token.Certificate) bool) (
	*Step, error,
) {
	if c.admitted == nil {
		return nil, c.fail(ErrNotAllowed, statusNotAllowed,
			fmt.Sprintf("%s before the operation was admitted", i.Kind), nil)
	}
	i.ID, i.CUID = c.db.nextIntent(c.session), c.rec.CUID
	i.Session, i.Actor, i.Op = c.session.ID, c.session.Actor, c.admitted.Op
	e := edit{
		why:   token.CleanMessage("about to " + i.String()),
		begin: []token.Intent{i},
		to:    c.whileAllowed,
	}
	if costs != nil {
		e.certs = func(list []token.Certificate) certEdit { return c.lose(list, costs) }
	}
	if err := c.apply(ctx, e); err != nil {
		return nil, err
	}
	return &Step{card: c, intent: i}, nil
}

// whileAllowed leaves the record as it is, so long as the operation would still
// be admitted.
func (c *Card) whileAllowed(r token.Record) (token.Record, error) {
	return r, c.allowed(r, *c.admitted)
}

// Done records that the step took effect, and what that makes of the record:
// new key information after PUT KEY, with the activity key_changeover; the
// applet's build after a load, none after a removal. It is written even if the
// client has gone.
func (s *Step) Done(ctx context.Context) error {
	return s.card.ended(ctx, s.intent, token.OutcomeDone, "")
}

// Failed records that the step did not take effect, and why; after PUT KEY with
// the activity key_changeover, failed. It is written even if the client has
// gone. Use it only when the card itself said so.
func (s *Step) Failed(ctx context.Context, cause error) error {
	return s.card.ended(ctx, s.intent, token.OutcomeFailed, cause.Error())
}

func (c *Card) ended(ctx context.Context, i token.Intent, o token.Outcome, detail string) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	return c.apply(ctx, c.ending(i, o, detail))
}

// ending is the change that closes one intent.
func (c *Card) ending(i token.Intent, o token.Outcome, detail string) edit {
	message := fmt.Sprintf("%s: %s", i, o)
	if detail != "" {
		message += ": " + detail
	}
	e := edit{
		why: token.CleanMessage(message),
		end: []store.IntentEnd{{ID: i.ID, Outcome: o}},
		to:  func(r token.Record) (token.Record, error) { return effect(r, i, o), nil },
	}
	if i.Session != c.session.ID { // as the server does by itself, and another session may
		e.ending = i.ID
	}
	if i.Kind == token.IntentPutKey {
		result := token.Success
		if o == token.OutcomeFailed {
			result = token.Failure
		}
		e.activities = []token.Activity{c.activity(token.OpKeyChangeover, result, message)}
	}
	return e
}

// effect is what a step that took effect, or did not, makes of the record.
func effect(r token.Record, i token.Intent, o token.Outcome) token.Record {
	switch {
	case i.Kind == token.IntentPutKey && o == token.OutcomeDone:
		r.KeyInfo = i.To
	case i.Kind == token.IntentPutKey && o == token.OutcomeFailed:
		r.KeyInfo = i.From
	case i.Kind == token.IntentLoadApplet && o == token.OutcomeDone:
		r.AppletID = i.To
	case i.Kind == token.IntentDeleteApplet && o == token.OutcomeDone:
		r.AppletID = ""
	}
	return r
}

// Settle closes what earlier sessions began with the card's keys and never
// ended, by the key information the card shows. Call it once the card has
// proved, in a secure channel, that it holds those keys. A key changeover that
// turns out to have happened is recorded as such. Steps on the applet stay open
// until an operation replaces the applet. ErrKeyInfo (17) when nothing explains
// what the card shows.
func (c *Card) Settle(ctx context.Context, info string) error {
	match, at := token.MatchKeyInfo(c.rec, c.open, info)
	if match == token.KeyInfoDiffers {
		return c.CheckKeyInfo(info, true)
	}
	for n, i := range c.OpenIntents() {
		if i.Kind != token.IntentPutKey {
			continue
		}
		outcome := token.OutcomeRepaired
		switch {
		case n != at:
		case match == token.KeyInfoIntended:
			outcome = token.OutcomeDone
		case match == token.KeyInfoFormer:
			outcome = token.OutcomeFailed
		}
		err := c.ended(ctx, i, outcome, "found by a later session on a card with "+info)
		if err != nil {
			return err
		}
	}
	return nil
}

// Formatted is what a finished format leaves on the card.
type Formatted struct {
	AppletID string
	Type     string
	// KeyInfo is the key information of the card's present keys, hex.
	KeyInfo string
}

// FinishFormat records that the card is formatted: nobody's, FORMATTED, with
// the applet, type and keys given; whatever was begun on the card and never ended
// is repaired by it; activity format. Records of certificates that are revoked are
// removed; those that are not say that the card does not hold them any more. It is
// written even if the client has gone.
func (c *Card) FinishFormat(ctx context.Context, f Formatted) error {
	if c.admitted == nil {
		return c.fail(ErrNotAllowed, statusNotAllowed, "format was not admitted", nil)
	}
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	c.SetType(f.Type)
	return c.apply(ctx, edit{
		why:        "format finished",
		activities: []token.Activity{c.activity(token.OpFormat, token.Success, "token formatted")},
		end:        c.endOnCard(),
		certs:      c.formatted,
		to: func(r token.Record) (token.Record, error) {
			if err := c.allowed(r, *c.admitted); err != nil {
				return r, err
			}
			r = r.InState(token.Formatted)
			r.UserID, r.AppletID, r.Type, r.KeyInfo = "", f.AppletID, f.Type, f.KeyInfo
			return r, nil
		},
	})
}

// endOnCard closes all that was begun on the card: what this session began is done,
// what others did is repaired by it.
func (c *Card) endOnCard() []store.IntentEnd {
	return c.ends(token.IntentKind.OnCard)
}

// endOnly closes all steps of one kind.
func (c *Card) endOnly(kind token.IntentKind) []store.IntentEnd {
	return c.ends(func(k token.IntentKind) bool { return k == kind })
}

func (c *Card) ends(which func(token.IntentKind) bool) []store.IntentEnd {
	var out []store.IntentEnd
	for _, i := range c.open {
		switch {
		case !which(i.Kind):
		case i.Session == c.session.ID:
			out = append(out, store.IntentEnd{ID: i.ID, Outcome: token.OutcomeDone})
		default:
			out = append(out, store.IntentEnd{ID: i.ID, Outcome: token.OutcomeRepaired})
		}
	}
	return out
}

// Fail records in the history that the operation failed, and why; what was
// begun and never ended is named. It is written even if the client has gone,
// and for a card without a record too. The record and open intents stay as they
// are. The cause must hold no secret.
func (c *Card) Fail(ctx context.Context, op token.Op, cause error) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	if err := c.Flush(ctx); err != nil {
		return err
	}
	message := cause.Error()
	for _, i := range c.open {
		if i.Session == c.session.ID {
			message = fmt.Sprintf("unfinished: %s; %s", i, message)
		}
	}
	_, err := c.db.store.Apply(ctx, store.Change{
		CUID:       c.rec.CUID,
		Activities: []token.Activity{c.activity(op, token.Failure, message)},
		Actor:      c.session.Actor, Session: c.session.ID,
		Why: string(op) + " failed", At: c.db.now(),
	})
	if err != nil {
		return c.fail(ErrDatabase, statusCannotUpdate, "recording the failure", err)
	}
	return nil
}

// Status returns the number that the client is told for an error of this
// package, 0 when err is not one.
func Status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
