// Package store is the contract of the homes of token records: reading one,
// changing one by compare-and-set together with its history, and listing.
//
// It owns the words in which a change and a question are put, their bounds, and
// the errors that answer them. It must not know how a home keeps its data, what
// a change means, or whether it is allowed: those are rules over the store.
// Package storetest holds the test that every home has to pass.
package store

import (
	"context"
	"errors"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// The decisions a caller can take. Homes wrap them; use errors.Is.
var (
	// ErrNotFound: no such record, or no such open intent.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the record is not at the revision that the change starts
	// from. Nothing was changed; read again and decide again.
	ErrConflict = errors.New("changed by another in the meantime")
	// ErrExists: the record to add, or an intent of that id, is there already.
	ErrExists = errors.New("exists already")
	// ErrInvalid: the change or question makes no sense; the message says why.
	ErrInvalid = errors.New("invalid")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store closed")
)

// Store is a home of token records. All methods may be called concurrently.
// Every method ends when ctx ends, or sooner by the home's own time limit.
type Store interface {
	// Token returns the record of one card, or ErrNotFound.
	Token(ctx context.Context, cuid keys.CUID) (token.Record, error)
	// Apply makes one change, wholly or not at all, and durably: when it
	// returns nil the change survives a crash of process and machine. It
	// returns the record as stored (the zero Record after a delete, or when the
	// change has no record). ErrNotFound, ErrConflict, ErrExists and ErrInvalid
	// mean that nothing was changed.
	Apply(ctx context.Context, c Change) (token.Record, error)
	// OpenIntents returns the open intents of one card, oldest first; none is
	// no error.
	OpenIntents(ctx context.Context, cuid keys.CUID) ([]token.Intent, error)
	// Tokens returns a page of records, the latest modified first.
	Tokens(ctx context.Context, q TokenQuery) (TokenPage, error)
	// Activities returns a page of activities, the latest first.
	Activities(ctx context.Context, q ActivityQuery) (ActivityPage, error)
}

// IntentLister lists intents of all cards: for whoever looks, at start, for
// what an earlier run left undone.
type IntentLister interface {
	// Intents returns a page of intents, the oldest first.
	Intents(ctx context.Context, q IntentQuery) (IntentPage, error)
}
