package tokendb

import (
	"context"
	"fmt"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Cleared says what a token forgets when it is released for reuse
// (tokenservice.status.unformatted.clear*).
type Cleared struct {
	UserID, Type, AppletID, KeyInfo, Policy bool
}

// CheckState tells whether a person may move the token to a state: ErrUnknownToken or
// ErrNotAllowed when not.
func (c *Card) CheckState(to token.State) error {
	switch {
	case !c.Known():
		return c.fail(ErrUnknownToken, statusUnknownToken, "", nil)
	case !c.db.rules.Manual.AllowsByHand(c.rec, to):
		step := token.Transition{From: c.rec.Status, To: to}
		return c.fail(ErrNotAllowed, statusNotAllowed, step.Describe(), nil)
	}
	return nil
}

// ChangeState moves the token to a state, as a person asked for who may do so;
// activity token_status_change. What becomes of its certificates is the caller's to
// see to before.
func (c *Card) ChangeState(ctx context.Context, to token.State, forget Cleared) error {
	from := c.rec.Status
	message := token.Transition{From: from, To: to}.Describe()
	because := c.because(message)
	return c.apply(ctx, edit{
		why:        token.CleanMessage("state changed: " + because),
		activities: []token.Activity{c.byHand(token.OpStatusChange, because)},
		to: func(r token.Record) (token.Record, error) {
			if r.Status != from || !c.db.rules.Manual.AllowsByHand(r, to) {
				return r, c.fail(ErrNotAllowed, statusNotAllowed, message, nil)
			}
			r = r.InState(to)
			if to == token.Unformatted {
				r = forget.from(r)
			}
			return r, nil
		},
	})
}

func (f Cleared) from(r token.Record) token.Record {
	if f.UserID {
		r.UserID = ""
	}
	if f.Type {
		r.Type = ""
	}
	if f.AppletID {
		r.AppletID = ""
	}
	if f.KeyInfo {
		r.KeyInfo = ""
	}
	if f.Policy {
		r.Policy = token.Policy{}
	}
	return r
}

// Revoking is a certificate that a change of state has revoked, held or released.
type Revoking struct {
	token.Certificate
	Revoke
}

// BeginChange announces a change of state that certificates depend on: those of list
// are revoked, held or released, and with the end of the last one the token moves to
// the state. Those of kept are not, though they might have been, as their token type
// says. All of it is one change of the record: whoever finds the steps, finds them all.
// Resume gives them. Activity token_modify for each kept one.
func (c *Card) BeginChange(ctx context.Context, to token.State, list []Revoking,
	kept []token.CertID,
) error {
	e := edit{why: token.CleanMessage("about to change state to " + to.String()), to: asItIs}
	for _, n := range list {
		n.Then, n.Why = &to, c.session.Why
		e.begin = append(e.begin, c.revocation(n.Certificate, n.Revoke))
	}
	for _, id := range kept {
		e.activities = append(e.activities, c.activity(token.OpModify, token.Success,
			fmt.Sprintf("certificate %s not revoked: as its token type says", id.Serial)))
	}
	if len(e.begin)+len(e.activities) == 0 {
		return nil
	}
	return c.apply(ctx, e)
}

// Announced gives the state that the token will move to when the revocations that go
// before it are carried out.
func (c *Card) Announced() (to token.State, ok bool) {
	for _, s := range c.Resume(token.IntentRevokeCert) {
		if r, err := s.Revocation(); err == nil && r.Then != nil {
			return *r.Then, true
		}
	}
	return to, false
}

// follow has the change that ends the last revocation of an announced change of state
// make that too; activity token_status_change in the name of who asked for it. A move
// that is not allowed any more, since an operation was faster, is not made.
func (c *Card) follow(e *edit, ending token.Intent, how Revoke) {
	if how.Then == nil {
		return
	}
	for _, s := range c.Resume(token.IntentRevokeCert) {
		if r, err := s.Revocation(); err == nil && r.Then != nil && s.intent.ID != ending.ID {
			return
		}
	}
	from, to := c.rec.Status, *how.Then
	if !c.db.rules.Manual.AllowsByHand(c.rec, to) {
		return
	}
	message := token.Transition{From: from, To: to}.Describe()
	because := message
	if how.Why != "" {
		because += ": " + how.Why
	}
	a := c.byHand(token.OpStatusChange, because)
	a.Actor = ending.Actor
	e.activities = append(e.activities, a)
	e.why = token.CleanMessage("state changed: " + because)
	e.to = func(r token.Record) (token.Record, error) {
		if r.Status != from {
			return r, c.fail(ErrNotAllowed, statusNotAllowed, message, nil)
		}
		return r.InState(to), nil
	}
}

// CallOff gives up an announced change of state with what is left to do of it; activity
// cert_revocation or cert_unrevocation, failed. What a CA has done already stays done.
func (c *Card) CallOff(ctx context.Context, cause error) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	e := edit{why: token.CleanMessage("change of state given up: " + cause.Error()), to: asItIs}
	for _, s := range c.Resume(token.IntentRevokeCert) {
		r, err := s.Revocation()
		if err != nil || r.Then == nil {
			continue
		}
		e.end = append(e.end, store.IntentEnd{ID: s.intent.ID, Outcome: token.OutcomeFailed})
		op := token.OpCertRevocation
		if r.Reason == reasonRelease {
			op = token.OpCertUnrevocation
		}
		e.activities = append(e.activities, c.activity(op, token.Failure,
			fmt.Sprintf("certificate %s: %v", r.Serial, cause)))
	}
	if len(e.end) == 0 {
		return nil
	}
	return c.apply(ctx, e)
}
