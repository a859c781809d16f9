// Package tpsadmin administers a token processing system while it runs: tokens, their certificates
// and activities, at the paths and in the JSON of Dogtag's clients, which read it unchanged.
//
// It owns paths, parameters, forms and pages, and what each role may do. It must not know how a
// change is made or where records are kept: it declares what it needs of them.
package tpsadmin

import (
	"context"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Prefixes are what paths begin with; all lead to the same.
func Prefixes() []string { return []string{"/tps/rest", "/tps/v1", "/tps/v2"} }

// Prefix is the one that clients of this project use.
const Prefix = "/tps/rest"

// Records are what is looked at. Errors are those of package store.
type Records interface {
	Token(ctx context.Context, cuid keys.CUID) (token.Record, error)
	Tokens(ctx context.Context, q store.TokenQuery) (store.TokenPage, error)
	Activities(ctx context.Context, q store.ActivityQuery) (store.ActivityPage, error)
	Certificates(ctx context.Context, q store.CertQuery) (store.CertPage, error)
}

// Actor is who asks for a change, and why.
type Actor struct {
	Name    string
	Why     string // in their words; may be empty
	Address string // empty: this machine
}

// Changes are made by the token processing system. Errors meant for the caller are [*admin.Error].
type Changes interface {
	ChangeState(ctx context.Context, cuid keys.CUID, to token.State, by Actor) (token.Record, error)
	Edit(ctx context.Context, cuid keys.CUID, e Edit, by Actor) (token.Record, error)
	Add(ctx context.Context, cuid keys.CUID, e Edit, by Actor) (token.Record, error)
	Delete(ctx context.Context, cuid keys.CUID, by Actor) error
}

// Edit is what is changed of a record; nil leaves what there is.
type Edit struct {
	UserID *string
	Policy *token.Policy
	// Merge keeps the rules that Policy does not state.
	Merge bool
}

// Rules say what follows from a record.
type Rules interface {
	Next(r token.Record) []token.State
	Effective(r token.Record) token.Policy
}

// Options are what the routes are made of.
type Options struct {
	Records Records
	Changes Changes
	Rules   Rules
	// Labels gives the labels that hold at the moment.
	Labels func() token.Labels
}

// Bounds of pages and parameters.
const (
	defaultSize = 20 // as Dogtag's clients expect
	maxSize     = 1000
	maxStart    = 10_000 // beyond it, pages are asked for by where the last one ended
	minFilter   = 3
	maxReason   = 500
)

// Time is a time as Dogtag writes it: milliseconds since 1970.
type Time struct{ time.Time }
