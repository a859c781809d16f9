// Package storetest holds the test that every home of token records has to
// pass: what package store promises, put to the proof on a store that the home
// under test makes. It must not know any home.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Home is a store with everything a home offers.
type Home interface {
	store.Store
	store.IntentLister
	store.CertLister
	Close() error
}

// Run puts the home that open makes to the test. open is called once for each
// part with that part's test, returns an empty store, and leaves closing it to
// the test.
func Run(t *testing.T, open func(t *testing.T) Home) {
	t.Helper()
	for _, part := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"add and read", testAdd},
		{"replace by compare and set", testReplace},
		{"delete", testDelete},
		{"all or nothing", testAllOrNothing},
		{"history without a record", testHistoryOnly},
		{"refuses senseless changes", testInvalid},
		{"fills in the trail", testTrail},
		{"intents", testIntents},
		{"intents page by page", testIntentPages},
		{"certificates", testCertificates},
		{"certificates that tokens share", testSharedCertificates},
		{"certificates page by page", testCertificatePages},
		{"senseless certificates", testSenselessCertificates},
		{"tokens page by page", testTokenPages},
		{"token filters", testTokenFilters},
		{"activities page by page", testActivityPages},
		{"activity filters", testActivityFilters},
		{"hostile questions", testHostileQuestions},
		{"hostile text", testHostileText},
		{"concurrent change", testConcurrent},
		{"ended context", testContext},
		{"closed", testClosed},
	} {
		t.Run(part.name, func(t *testing.T) {
			home := open(t)
			t.Cleanup(func() {
				if err := home.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
			})
			part.test(t, &fixture{Home: home, t: t, ctx: t.Context()})
		})
	}
}

// epoch is the time at which the tests' history begins, to the nanosecond.
var epoch = time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC)

// fixture is a store under test with short ways to use it.
type fixture struct {
	Home
	t   *testing.T
	ctx context.Context
}

// cuid returns the n-th card's id.
func cuid(n int) keys.CUID {
	return keys.CUID{0x40, 0x90, 0x61, 0x45, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}
}

// change returns a change of card n with everything a change needs, one second
// after the epoch for each at.
func change(n int, at int) store.Change {
	return store.Change{
		CUID: cuid(n), Actor: "alice", Why: "test", Session: fmt.Sprintf("s%d", at),
		At: epoch.Add(time.Duration(at) * time.Second),
	}
}

// apply makes a change that has to succeed.
func (f *fixture) apply(c store.Change) token.Record {
	f.t.Helper()
	rec, err := f.Apply(f.ctx, c)
	if err != nil {
		f.t.Fatalf("Apply: %v", err)
	}
	return rec
}

// add adds card n.
func (f *fixture) add(n, at int, edit func(*token.Record)) token.Record {
	f.t.Helper()
	c := change(n, at)
	rec := token.NewRecord(c.CUID, token.Policy{})
	if edit != nil {
		edit(&rec)
	}
	c.New = &rec
	return f.apply(c)
}

// refused makes a change that has to fail with want, and checks that neither
// the card's record nor its history changed.
func (f *fixture) refused(c store.Change, want error) {
	f.t.Helper()
	before := f.snapshot(c.CUID)
	rec, err := f.Apply(f.ctx, c)
	if !errors.Is(err, want) {
		f.t.Fatalf("Apply: got error %v, want %v", err, want)
	}
	if rec != (token.Record{}) {
		f.t.Errorf("Apply returned a record beside the error: %+v", rec)
	}
	if after := f.snapshot(c.CUID); after != before {
		f.t.Errorf("a refused change left a trace:\nbefore %s\nafter  %s", before, after)
	}
}

// snapshot describes all that is stored of a card.
func (f *fixture) snapshot(id keys.CUID) string {
	f.t.Helper()
	if id == (keys.CUID{}) {
		return ""
	}
	rec, err := f.Token(f.ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.t.Fatalf("Token: %v", err)
	}
	acts := f.activities(store.ActivityQuery{CUID: id, Limit: store.MaxLimit})
	page, err := f.Intents(f.ctx, store.IntentQuery{CUID: id, Ended: true})
	if err != nil {
		f.t.Fatalf("Intents: %v", err)
	}
	certs := f.certificates(store.CertQuery{CUID: id})
	return fmt.Sprintf("%+v %+v %+v %+v", rec, acts, page.Intents, certs)
}

// activities returns the first page of an answer.
func (f *fixture) activities(q store.ActivityQuery) []token.Activity {
	f.t.Helper()
	page, err := f.Activities(f.ctx, q)
	if err != nil {
		f.t.Fatalf("Activities: %v", err)
	}
	return page.Activities
}

// openIntents returns the ids of a card's open intents in their order.
func (f *fixture) openIntents(n int) []string {
	f.t.Helper()
	open, err := f.OpenIntents(f.ctx, cuid(n))
	if err != nil {
		f.t.Fatalf("OpenIntents: %v", err)
	}
	ids := []string{}
	for _, i := range open {
		ids = append(ids, i.ID)
	}
	return ids
}

// equal fails the test unless got is want.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// same fails the test unless got and want hold the same in the same order.
func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d items %v, want %d items %v", what, len(got), got, len(want), want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: item %d:\ngot  %+v\nwant %+v", what, i, got[i], want[i])
		}
	}
}
