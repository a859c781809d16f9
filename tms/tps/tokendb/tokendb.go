// Package tokendb holds the rules over the token records that operations on a
// card follow: which card may take part, what is recorded before and after a
// step that cannot be undone, how an operation ends in the record, and what the
// history says of an operation that failed.
//
// It must not know how records are kept, how a card or a client is spoken to,
// or how a person logs in. Every change it makes names its actor and the id of
// the session.
package tokendb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Store is what the rules need of a home of records.
type Store interface {
	Token(ctx context.Context, cuid keys.CUID) (token.Record, error)
	Apply(ctx context.Context, c store.Change) (token.Record, error)
	OpenIntents(ctx context.Context, cuid keys.CUID) ([]token.Intent, error)
	Tokens(ctx context.Context, q store.TokenQuery) (store.TokenPage, error)
	Certificates(ctx context.Context, q store.CertQuery) (store.CertPage, error)
}

// Rules are the configured ones.
type Rules struct {
	// Policy is what every token's policy is layered over
	// (tokendb.defaultPolicy) and what a new record is given.
	Policy token.Policy
	// Operations are the moves that operations may make
	// (tps.operations.allowedTransitions).
	Operations token.Transitions
	// Manual are the moves that people may make (tokendb.allowedTransitions).
	Manual token.Transitions
}

// DefaultRules returns the rules of an instance that configures none.
func DefaultRules() Rules {
	return Rules{
		Policy: ShippedPolicy(), Operations: token.OperationTransitions(),
		Manual: token.ManualTransitions(),
	}
}

// shippedPolicy is the text of tokendb.defaultPolicy in a new instance.
const shippedPolicy = "RE_ENROLL=YES;RENEW=NO;FORCE_FORMAT=NO;PIN_RESET=NO;" +
	"RESET_PIN_RESET_TO_NO=NO"

// ShippedPolicy returns the policy that a new instance starts with.
func ShippedPolicy() token.Policy {
	p, err := token.ParsePolicy(shippedPolicy)
	if err != nil {
		panic("tokendb: shipped policy: " + err.Error())
	}
	return p
}

// writeTimeout bounds a write that has to happen although the session is over.
const writeTimeout = 10 * time.Second

// DB is the token database as operations see it. It may be used concurrently.
type DB struct {
	store Store
	rules Rules
	now   func() time.Time
	steps atomic.Uint64
}

// New returns the rules r over store s; now is the clock.
func New(s Store, r Rules, now func() time.Time) *DB {
	return &DB{store: s, rules: r, now: now}
}

// Session says on whose behalf, from where, and under which id the changes of
// one conversation with a client are made.
type Session struct {
	// ID is the id that all logs of the conversation carry. It is unique for
	// ever: intents are numbered under it.
	ID string
	// IP is the client's address, without port.
	IP string
	// Actor stands in the history until a person has logged in; empty means
	// "unauthenticated".
	Actor string
	// Why is the reason that a person gave for a change by hand; it stands in the
	// history. Empty means that none was given.
	Why string
}

// Look looks up the card's record and its open intents, or prepares a record
// for a card never seen, which is not stored yet. The returned Card belongs to
// one session and must not be used concurrently.
func (d *DB) Look(ctx context.Context, s Session, cuid keys.CUID) (*Card, error) {
	if s.ID == "" {
		return nil, errors.New("token database: session without an id")
	}
	if s.Actor == "" {
		s.Actor = "unauthenticated"
	}
	c := &Card{db: d, session: s, rec: token.NewRecord(cuid, d.rules.Policy)}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// nextIntent returns an id for an intent: the session's, and a number that
// this process gives out once.
func (d *DB) nextIntent(s Session) string {
	return fmt.Sprintf("%s.%d", s.ID, d.steps.Add(1))
}

// mustWrite returns a context for a write that has to happen although the
// client, and with it ctx, may be gone: what was done to a card stays done.
func mustWrite(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}
