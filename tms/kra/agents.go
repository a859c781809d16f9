package kra

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/keywrap"
)

// Bounds of the passphrase that an exported key is encrypted under, in bytes.
const (
	MinPassphrase = 12
	MaxPassphrase = 256
)

// Errors of what agents ask for, beside those of package approval and keydb.ErrNotFound.
var (
	ErrNoAgents   = errors.New("no recovery agents are configured")
	ErrPassphrase = errors.New("passphrase does not do")
)

// Fulfilled is what an approved request gave.
type Fulfilled struct {
	Request approval.Request
	// Key is what an export gives: the private key as PEM "ENCRYPTED PRIVATE KEY", PKCS #8 in PBES2
	// under the passphrase. nil for a share.
	Key []byte
}

// Agents is what recovery agents may do with the archive. Every method takes the authenticated name
// of the agent who asks.
type Agents struct{ s *Service }

// Agents gives what recovery agents may do.
func (s *Service) Agents() Agents { return Agents{s} }

// Rule is the rule of approval.
func (a Agents) Rule() approval.Rule { return a.s.cfg.Agents }

// may fails for whoever is no agent.
func (a Agents) may(agent string) error {
	rule := a.Rule()
	if len(rule.Agents) == 0 {
		return ErrNoAgents
	}
	for _, name := range rule.Agents {
		if name == agent {
			return nil
		}
	}
	return approval.ErrNotAgent
}

func (a Agents) event(kind keydb.EventKind, agent string, k keydb.Key,
	q approval.Request,
) keydb.Event {
	return keydb.Event{At: a.s.now(), Kind: kind, Actor: "agent " + agent, KeyID: k.ID, Request: q.ID,
		CUID: k.CUID.String(), UserID: k.UserID}
}

// Keys lists archived keys, without private keys.
func (a Agents) Keys(ctx context.Context, agent string, f keydb.KeyFilter) ([]keydb.Key, error) {
	if err := a.may(agent); err != nil {
		return nil, err
	}
	return a.s.db.Keys(ctx, f)
}

// Key gives one record, without its private key.
func (a Agents) Key(ctx context.Context, agent string, id int64) (keydb.Key, error) {
	if err := a.may(agent); err != nil {
		return keydb.Key{}, err
	}
	k, err := a.s.db.ByID(ctx, id)
	k.Sealed = nil
	return k, err
}

// Make makes a request on the key q.KeyID for q.Purpose, q.User and q.Reason.
func (a Agents) Make(ctx context.Context, agent string, q approval.Request) (
	approval.Request, error,
) {
	if err := a.may(agent); err != nil {
		return approval.Request{}, err
	}
	k, err := a.s.db.ByID(ctx, q.KeyID)
	if err != nil {
		return approval.Request{}, err
	}
	q.Requester = agent
	if q, err = a.Rule().New(q, a.s.now()); err != nil {
		return approval.Request{}, err
	}
	e := a.event(keydb.RequestMade, agent, k, q)
	e.Detail = fmt.Sprintf("%s: %s", q.Purpose, q.Reason)
	if q.User != "" {
		e.Detail = fmt.Sprintf("%s with %s: %s", q.Purpose, q.User, q.Reason)
	}
	return a.s.db.AddRequest(ctx, q, e)
}

// Vote notes an approval or a rejection.
func (a Agents) Vote(ctx context.Context, agent string, id int64, approve bool) (
	approval.Request, error,
) {
	kind := keydb.RequestApproved
	if !approve {
		kind = keydb.RequestRejected
	}
	return a.change(ctx, agent, id, kind, func(q approval.Request, now time.Time) (
		approval.Request, error,
	) {
		return q.Vote(a.Rule(), agent, approve, now)
	})
}

// Cancel ends the agent's own request.
func (a Agents) Cancel(ctx context.Context, agent string, id int64) (approval.Request, error) {
	return a.change(ctx, agent, id, keydb.RequestCancelled,
		func(q approval.Request, now time.Time) (approval.Request, error) {
			return q.Cancel(a.Rule(), agent, now)
		})
}

// change changes a request and records it, or that it was refused.
func (a Agents) change(ctx context.Context, agent string, id int64, kind keydb.EventKind,
	do func(approval.Request, time.Time) (approval.Request, error),
) (approval.Request, error) {
	if err := a.may(agent); err != nil {
		return approval.Request{}, err
	}
	q, err := a.s.db.Request(ctx, id)
	if err != nil {
		return approval.Request{}, err
	}
	k, err := a.s.db.ByID(ctx, q.KeyID)
	if err != nil {
		return approval.Request{}, err
	}
	return a.s.db.ChangeRequest(ctx, id, func(old approval.Request) (
		approval.Request, keydb.Event, error,
	) {
		q, err := do(old, a.s.now())
		e := a.event(kind, agent, k, q)
		if err != nil {
			e.Refused, e.Detail = true, err.Error()
		}
		return q, e, err
	})
}

// Fulfil ends an approved request of the agent, once: a share is in force, an export gives the key
// under the passphrase. The export is recorded before the key is given; an answer that is lost is
// not given again.
func (a Agents) Fulfil(ctx context.Context, agent string, id int64, passphrase string) (
	Fulfilled, error,
) {
	if err := a.may(agent); err != nil {
		return Fulfilled{}, err
	}
	q, err := a.s.db.Request(ctx, id)
	if err != nil {
		return Fulfilled{}, err
	}
	kind, out := keydb.KeyShared, Fulfilled{}
	if q.Purpose == approval.Export {
		kind = keydb.KeyExported
		// Whether the request may be fulfilled is decided below; here it saves opening the key.
		if _, err := q.Fulfil(a.Rule(), agent, a.s.now()); err == nil {
			if out.Key, err = a.export(ctx, q.KeyID, passphrase); err != nil {
				return Fulfilled{}, err
			}
		}
	}
	out.Request, err = a.change(ctx, agent, id, kind,
		func(q approval.Request, now time.Time) (approval.Request, error) {
			next, err := q.Fulfil(a.Rule(), agent, now)
			if err == nil && q.Purpose == approval.Export && out.Key == nil {
				return q, approval.ErrNotApproved // it is, since a moment ago: ask again
			}
			return next, err
		})
	if err == nil {
		err = a.s.failpoint(failFulfilled)
	}
	if err != nil {
		return Fulfilled{}, err
	}
	a.s.log.Warn("agents' request fulfilled", "request", id, "key", q.KeyID, "purpose", q.Purpose,
		"agent", agent)
	return out, nil
}

// export gives a key under a passphrase.
func (a Agents) export(ctx context.Context, id int64, passphrase string) ([]byte, error) {
	if n := len(passphrase); n < MinPassphrase || n > MaxPassphrase || !utf8.ValidString(passphrase) {
		return nil, fmt.Errorf("%w: want %d to %d bytes of UTF-8", ErrPassphrase, MinPassphrase,
			MaxPassphrase)
	}
	k, err := a.s.db.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	plain, err := a.s.openSealed(ctx, k)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	der, err := keywrap.EncryptPKCS8(a.s.random, passphrase, plain)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}

// Requests lists requests, the latest first.
func (a Agents) Requests(ctx context.Context, agent string, f keydb.RequestFilter) (
	[]approval.Request, error,
) {
	if err := a.may(agent); err != nil {
		return nil, err
	}
	return a.s.db.Requests(ctx, f)
}

// Request gives one request.
func (a Agents) Request(ctx context.Context, agent string, id int64) (approval.Request, error) {
	if err := a.may(agent); err != nil {
		return approval.Request{}, err
	}
	return a.s.db.Request(ctx, id)
}

// Events lists the audit trail, the oldest first.
func (a Agents) Events(ctx context.Context, agent string, f keydb.EventFilter) (
	[]keydb.Event, error,
) {
	if err := a.may(agent); err != nil {
		return nil, err
	}
	return a.s.db.Events(ctx, f)
}

// Verify goes through the whole audit trail and gives its last event.
func (a Agents) Verify(ctx context.Context, agent string) (keydb.Event, error) {
	if err := a.may(agent); err != nil {
		return keydb.Event{}, err
	}
	return a.s.db.Verify(ctx)
}
