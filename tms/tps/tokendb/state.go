package tokendb

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	return c.apply(ctx, edit{
		why:        token.CleanMessage("state changed: " + message),
		activities: []token.Activity{c.activity(token.OpStatusChange, token.Success, message)},
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

// KeepCertificate records that a certificate is not revoked, and why; activity
// token_modify.
func (c *Card) KeepCertificate(ctx context.Context, id token.CertID, why string) error {
	return c.apply(ctx, edit{
		why: "certificate kept: " + id.Serial, to: asItIs,
		activities: []token.Activity{
			c.activity(token.OpModify, token.Success,
				fmt.Sprintf("certificate %s not revoked: %s", id.Serial, why)),
		},
	})
}

// CallOff gives up revocations and releases of these certificates that could not be
// carried out; activity cert_revocation or cert_unrevocation, failed.
func (c *Card) CallOff(ctx context.Context, list []token.CertID, cause error) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	var errs []error
	for _, s := range c.Resume(token.IntentRevokeCert) {
		r, err := s.Revocation()
		if err != nil || !slices.Contains(list, r.CertID) {
			continue
		}
		e := c.ending(s.intent, token.OutcomeFailed, cause.Error())
		op := token.OpCertRevocation
		if r.Reason == reasonRelease {
			op = token.OpCertUnrevocation
		}
		e.activities = []token.Activity{c.activity(op, token.Failure,
			fmt.Sprintf("certificate %s: %v", r.Serial, cause))}
		errs = append(errs, c.apply(ctx, e))
	}
	return errors.Join(errs...)
}
