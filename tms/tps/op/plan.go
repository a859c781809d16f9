package op

import (
	"context"
	"fmt"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/wire"
)

// plan is what an enrollment does to the keys of a card: a renewal, or a list of
// keys to make and to bring back.
type plan struct {
	renewals []profile.Renewal
	renewal  bool
	keys     []planned
	listed   []listed
	lost     token.Record // the earlier token, if keys come back from it
}

// planned is one key of a plan.
type planned struct {
	profile.Key
	// last is the certificate that comes back with its key; nil means a new key.
	last *token.Certificate
}

func (p plan) renews() bool { return p.renewal }

// String names the plan for activities.
func (p plan) String() string {
	switch {
	case p.renewal:
		return "certificates renewed"
	case p.lost.CUID != token.Record{}.CUID:
		return fmt.Sprintf("token %s (%s) replaced", p.lost.CUID, p.lost.Status)
	}
	return "token enrolled"
}

// decide makes the plan from the token's state and policy, and from what the user's
// other tokens are.
func (n *enrollment) decide(ctx context.Context) error {
	rec := n.Card.Record()
	active := rec.Status == token.Active
	if active && rec.UserID != n.owner() {
		return contact.Refuse(wire.StatusNotTokenOwner, "token is another user's")
	}
	lost, err := n.others(ctx)
	if err != nil {
		return err
	}
	switch {
	case n.Registration != nil:
		return n.decideRegistered(ctx)
	case active && n.Allows(token.Renew) && n.keepsKeys():
		n.Op, n.plan.renewal, n.plan.renewals = token.OpRenewal, true, n.set.Renewal
		return n.readmit(ctx)
	case active && !n.Allows(token.ReEnroll):
		return contact.Refuse(wire.StatusDisabledToken, "policy allows neither to enroll the token again "+
			"nor to renew it")
	case !active && lost.Rev > 0:
		return n.decideRecovery(ctx, lost)
	}
	for _, name := range n.set.KeyTypes {
		n.plan.keys = append(n.plan.keys, planned{Key: n.set.Keys[name]})
	}
	return nil
}

// keepsKeys tells whether the keys on the card are there, and stay: without them there
// is nothing to renew.
func (n *enrollment) keepsKeys() bool {
	return n.Facts.Applet.Present && !n.Interrupted() && !n.Allows(token.ForceFormat)
}

// readmit has the activities of the session carry the name of what turned out to be
// done.
func (n *enrollment) readmit(ctx context.Context) error {
	n.Log.Info("operation decided", "operation", string(n.Op), "type", n.TokenType)
	return n.admitted(ctx)
}

// others looks through the user's other tokens: one that is active is enough to
// Refuse another, and the last one out of use is what a recovery is for.
func (n *enrollment) others(ctx context.Context) (lost token.Record, err error) {
	if n.owner() == "" {
		return lost, nil
	}
	list, err := n.Card.OthersOf(ctx, n.owner())
	if err != nil {
		return lost, contact.Failf(wire.StatusDB, err, "looking for the user's tokens")
	}
	anyActive := false
	for _, r := range list {
		switch r.Status {
		case token.Active:
			anyActive = true
		case token.PermLost, token.Suspended, token.Damaged:
			if lost.Rev == 0 { // the latest comes first
				lost = r
			}
		}
	}
	if anyActive && !n.Settings.ManyActive {
		return lost, contact.Refuse(wire.StatusHasActiveToken, "user has an active token already")
	}
	if anyActive {
		return token.Record{}, nil
	}
	return lost, nil
}
