// Package approval is the rule by which several agents together may have done with an archived key
// what none of them may do alone: a request is approved by m of n agents, the one who made it never
// being enough, within its lifetime.
//
// It is pure: no storage, no clock, no identity check. It must not know what happens to a key once
// a request is fulfilled.
package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds, in bytes.
const (
	MaxAgents = 64
	MaxName   = 128
	MaxReason = 512
)

// Errors for each decision that a caller can take.
var (
	ErrRule         = errors.New("rule of approval is impossible")
	ErrForm         = errors.New("request is malformed")
	ErrNotAgent     = errors.New("not a recovery agent")
	ErrTwice        = errors.New("this agent has had a say already")
	ErrEnded        = errors.New("request has ended")
	ErrExpired      = errors.New("request has expired")
	ErrNotRequester = errors.New("only the agent who made the request may do this")
	ErrNotApproved  = errors.New("request lacks approvals")
)

// Rule says who may approve and how many must.
type Rule struct {
	// Agents are the names of the agents, n of them.
	Agents []string
	// Need is how many must approve, m. The one who made the request counts, but is never enough.
	Need int
	// Lifetime is how long a request may be approved and fulfilled.
	Lifetime time.Duration
}

// Check fails for a rule that nobody could ever satisfy, or that is none.
func (r Rule) Check() error {
	switch {
	case len(r.Agents) > MaxAgents:
		return fmt.Errorf("%w: %d agents, at most %d", ErrRule, len(r.Agents), MaxAgents)
	case r.Need < 1 || r.Need > len(r.Agents):
		return fmt.Errorf("%w: %d of %d agents", ErrRule, r.Need, len(r.Agents))
	case len(r.Agents) < 2:
		return fmt.Errorf("%w: one agent alone", ErrRule)
	case r.Lifetime <= 0:
		return fmt.Errorf("%w: lifetime %s", ErrRule, r.Lifetime)
	}
	for i, a := range r.Agents {
		if !text(a, MaxName) || slices.Contains(r.Agents[:i], a) {
			return fmt.Errorf("%w: name of agent %d is malformed or another's", ErrRule, i+1)
		}
	}
	return nil
}

// Purpose is what is to be done with the key.
type Purpose string

// The purposes.
const (
	Export Purpose = "export" // the key is given to the requester, encrypted
	Share  Purpose = "share"  // another user may recover it to a card, as its owner may
)

// State is where a request is. Only Open, Rejected, Cancelled and Fulfilled are stored: the others
// follow from the rule and the time.
type State string

// The states.
const (
	Open      State = "open"
	Approved  State = "approved"
	Expired   State = "expired"
	Rejected  State = "rejected"
	Cancelled State = "cancelled"
	Fulfilled State = "fulfilled"
)

// Vote is what one agent said.
type Vote struct {
	Agent   string    `json:"agent"`
	Approve bool      `json:"approve"`
	At      time.Time `json:"at"`
}

// Request is a request on an archived key. Its methods give a changed copy and never change it.
type Request struct {
	ID        int64     `json:"id"`
	KeyID     int64     `json:"keyId"`
	Purpose   Purpose   `json:"purpose"`
	User      string    `json:"user,omitempty"` // of Share: who may recover the key
	Reason    string    `json:"reason"`
	Requester string    `json:"requester"`
	State     State     `json:"state"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`
	Ended     time.Time `json:"ended,omitzero"`
	Votes     []Vote    `json:"votes"` // in the order in which they came
}

// New makes an open request. It holds no vote, not even its maker's.
func (r Rule) New(q Request, now time.Time) (Request, error) {
	switch {
	case !slices.Contains(r.Agents, q.Requester):
		return Request{}, ErrNotAgent
	case !text(q.Reason, MaxReason):
		return Request{}, fmt.Errorf("%w: reason: 1 to %d bytes of text", ErrForm, MaxReason)
	case q.Purpose == Share && !text(q.User, 255):
		return Request{}, fmt.Errorf("%w: user to share with: 1 to 255 bytes of text", ErrForm)
	case q.Purpose == Export && q.User != "":
		return Request{}, fmt.Errorf("%w: an export has no other user", ErrForm)
	case q.Purpose != Share && q.Purpose != Export:
		return Request{}, fmt.Errorf("%w: purpose: want %s or %s", ErrForm, Export, Share)
	}
	return Request{KeyID: q.KeyID, Purpose: q.Purpose, User: q.User, Reason: q.Reason,
		Requester: q.Requester, State: Open, Created: now, Expires: now.Add(r.Lifetime)}, nil
}

// At gives the state under a rule at a time. An agent who is none any more does not count.
func (q Request) At(r Rule, now time.Time) State {
	switch {
	case q.State != Open:
		return q.State
	case !now.Before(q.Expires):
		return Expired
	case q.approved(r):
		return Approved
	}
	return Open
}

func (q Request) approved(r Rule) bool {
	said, others := map[string]bool{}, false
	for _, v := range q.Votes {
		if v.Approve && slices.Contains(r.Agents, v.Agent) {
			said[v.Agent] = true
			others = others || v.Agent != q.Requester
		}
	}
	return others && len(said) >= r.Need
}

// open fails unless the agent is one and the request is still open at that time.
func (q Request) open(r Rule, agent string, now time.Time) error {
	if !slices.Contains(r.Agents, agent) {
		return ErrNotAgent
	}
	switch q.At(r, now) {
	case Open, Approved:
		return nil
	case Expired:
		return ErrExpired
	}
	return fmt.Errorf("%w: it is %s", ErrEnded, q.State)
}

// Vote notes what an agent says. Nobody has a second say. A rejection ends the request.
func (q Request) Vote(r Rule, agent string, approve bool, now time.Time) (Request, error) {
	if err := q.open(r, agent, now); err != nil {
		return q, err
	}
	if slices.ContainsFunc(q.Votes, func(v Vote) bool { return v.Agent == agent }) {
		return q, ErrTwice
	}
	q.Votes = append(slices.Clone(q.Votes), Vote{Agent: agent, Approve: approve, At: now})
	if !approve {
		q.State, q.Ended = Rejected, now
	}
	return q, nil
}

// Cancel ends a request; only its maker may.
func (q Request) Cancel(r Rule, agent string, now time.Time) (Request, error) {
	if err := q.open(r, agent, now); err != nil {
		return q, err
	}
	if agent != q.Requester {
		return q, ErrNotRequester
	}
	q.State, q.Ended = Cancelled, now
	return q, nil
}

// Fulfil ends an approved request, once and for its maker only.
func (q Request) Fulfil(r Rule, agent string, now time.Time) (Request, error) {
	if err := q.open(r, agent, now); err != nil {
		return q, err
	}
	switch {
	case agent != q.Requester:
		return q, ErrNotRequester
	case !q.approved(r):
		return q, ErrNotApproved
	}
	q.State, q.Ended = Fulfilled, now
	return q, nil
}

// text tells printable UTF-8 of 1 to limit bytes.
func text(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
