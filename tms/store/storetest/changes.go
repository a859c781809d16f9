package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

func testAdd(t *testing.T, f *fixture) {
	if _, err := f.Token(f.ctx, cuid(1)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Token of an unknown card: got error %v, want not found", err)
	}
	want := token.Record{
		CUID: cuid(1), UserID: "élodie", Type: "userKey", Status: token.Suspended,
		Reason: token.ReasonOnHold, Before: token.Active, AppletID: "1.4.58768072",
		KeyInfo: "010370", Policy: token.Policy{}.With(token.PINReset, true),
	}
	c := change(1, 0)
	c.New = &want
	got := f.apply(c)
	want.Created, want.Modified = epoch, epoch
	want.ModifiedBy, want.ModifiedWhy, want.Rev = "alice", "test", 1
	equal(t, "record returned", got, want)
	stored, err := f.Token(f.ctx, cuid(1))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "record read", stored, want)

	other := token.NewRecord(cuid(1), token.Policy{})
	c = change(1, 1)
	c.New = &other
	c.Activities = []token.Activity{{Op: token.OpAdd, Result: token.Success}}
	f.refused(c, store.ErrExists)
}

func testReplace(t *testing.T, f *fixture) {
	first := f.add(1, 0, nil)
	next := first.InState(token.Formatted)
	next.Type = "userKey"
	c := change(1, 5)
	c.Old, c.New, c.Why = &first, &next, "formatted"
	got := f.apply(c)
	want := next
	want.Rev, want.Modified, want.ModifiedWhy = 2, epoch.Add(5*time.Second), "formatted"
	equal(t, "record returned", got, want)
	stored, err := f.Token(f.ctx, cuid(1))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "record read", stored, want)

	c.Activities = []token.Activity{{Op: token.OpFormat, Result: token.Success}}
	f.refused(c, store.ErrConflict) // starts from revision 1 again
	ahead := got
	ahead.Rev = 7
	c.Old = &ahead
	f.refused(c, store.ErrConflict)

	c = change(2, 6)
	absent := token.NewRecord(cuid(2), token.Policy{})
	absent.Rev = 1
	c.Old, c.New = &absent, &absent
	f.refused(c, store.ErrNotFound)
}

func testDelete(t *testing.T, f *fixture) {
	rec := f.add(1, 0, nil)
	stale := rec
	next := rec.InState(token.Formatted)
	c := change(1, 1)
	c.Old, c.New = &rec, &next
	rec = f.apply(c)

	c = change(1, 2)
	c.Old = &stale
	c.Activities = []token.Activity{{Op: token.OpDelete, Result: token.Success}}
	f.refused(c, store.ErrConflict)
	c.Old = &rec
	equal(t, "record after delete", f.apply(c), token.Record{})
	if _, err := f.Token(f.ctx, cuid(1)); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Token after delete: got error %v, want not found", err)
	}
	equal(t, "activities kept", len(f.activities(store.ActivityQuery{CUID: cuid(1)})), 1)
	f.refused(c, store.ErrNotFound)

	again := f.add(1, 3, nil)
	if again.Rev <= rec.Rev {
		t.Errorf("record added again has revision %d, the deleted one had %d", again.Rev, rec.Rev)
	}
	equal(t, "created anew", again.Created, epoch.Add(3*time.Second))
}

// testAllOrNothing breaks the last part of a change whose other parts are good.
func testAllOrNothing(t *testing.T, f *fixture) {
	rec := f.add(1, 0, nil)
	c := change(1, 1)
	c.Begin = []token.Intent{putKey("taken")}
	f.apply(c)

	next := rec.InState(token.Formatted)
	c = change(1, 2)
	c.Old, c.New = &rec, &next
	c.Activities = []token.Activity{{Op: token.OpFormat, Result: token.Success}}
	c.Begin = []token.Intent{putKey("fresh"), putKey("taken")}
	f.refused(c, store.ErrExists)
	c.Begin = []token.Intent{putKey("fresh")}
	c.End = []store.IntentEnd{
		{ID: "taken", Outcome: token.OutcomeDone}, {ID: "never", Outcome: token.OutcomeDone},
	}
	f.refused(c, store.ErrNotFound)
	c.End = c.End[:1]
	f.apply(c)
	same(t, "open intents", f.openIntents(1), []string{"fresh"})
}

func testHistoryOnly(t *testing.T, f *fixture) {
	c := change(9, 0)
	c.Activities = []token.Activity{{Op: token.OpFormat, Result: token.Failure, Message: "unknown"}}
	equal(t, "record", f.apply(c), token.Record{})
	equal(t, "activities", len(f.activities(store.ActivityQuery{CUID: cuid(9)})), 1)
	if _, err := f.Token(f.ctx, cuid(9)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Token: got error %v, want not found", err)
	}
}

func testInvalid(t *testing.T, f *fixture) {
	rec := f.add(1, 0, nil)
	other := f.add(2, 0, nil)
	unstored := token.NewRecord(cuid(1), token.Policy{})
	bad := rec
	bad.Status = 5
	for name, edit := range map[string]func(*store.Change){
		"empty":            func(c *store.Change) { c.Old, c.New = nil, nil },
		"no card":          func(c *store.Change) { *c = store.Change{Actor: "a", Why: "b", At: epoch} },
		"no time":          func(c *store.Change) { c.At = time.Time{} },
		"no actor":         func(c *store.Change) { c.Actor = "" },
		"no reason":        func(c *store.Change) { c.Why = "" },
		"other card's new": func(c *store.Change) { c.New = &other },
		"other card's old": func(c *store.Change) { c.Old = &other },
		"old never stored": func(c *store.Change) { c.Old = &unstored },
		"retired state":    func(c *store.Change) { c.New = &bad },
		"unknown activity": func(c *store.Change) {
			c.Activities = []token.Activity{{Op: "dance", Result: token.Success}}
		},
		"former activity name": func(c *store.Change) {
			c.Activities = []token.Activity{{Op: "cert_restoration", Result: token.Success}}
		},
		"activity without result": func(c *store.Change) {
			c.Activities = []token.Activity{{Op: token.OpFormat}}
		},
		"other card's activity": func(c *store.Change) {
			c.Activities = []token.Activity{{CUID: cuid(2), Op: token.OpFormat, Result: token.Success}}
		},
		"intent without id":   func(c *store.Change) { c.Begin = []token.Intent{putKey("")} },
		"end without outcome": func(c *store.Change) { c.End = []store.IntentEnd{{ID: "x"}} },
		"too many parts": func(c *store.Change) {
			for range store.MaxParts + 1 {
				c.Activities = append(c.Activities,
					token.Activity{Op: token.OpFormat, Result: token.Success})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := change(1, 1)
			c.Old, c.New = &rec, &rec
			edit(&c)
			g := *f
			g.t = t
			g.refused(c, store.ErrInvalid)
		})
	}
}

func testTrail(t *testing.T, f *fixture) {
	c := change(1, 3)
	c.Activities = []token.Activity{
		{Op: token.OpFormat, Result: token.Failure, IP: "192.0.2.7", UserID: "bob", Type: "userKey"},
		{Op: token.OpKeyChangeover, Result: token.Success, Actor: "agent", Session: "other",
			Message: "said so", At: epoch.Add(-time.Hour)},
	}
	f.apply(c)
	got := f.activities(store.ActivityQuery{CUID: cuid(1)})
	if len(got) != 2 {
		t.Fatalf("got %d activities, want 2", len(got))
	}
	if got[0].ID == 0 || got[0].ID == got[1].ID {
		t.Errorf("ids %d and %d are not two", got[0].ID, got[1].ID)
	}
	got[0].ID, got[1].ID = 0, 0
	equal(t, "filled in", got[0], token.Activity{
		CUID: cuid(1), UserID: "bob", Actor: "alice", IP: "192.0.2.7", Op: token.OpFormat,
		Result: token.Failure, Message: "test", Type: "userKey", Session: "s3",
		At: epoch.Add(3 * time.Second),
	})
	equal(t, "kept as given", got[1], token.Activity{
		CUID: cuid(1), Actor: "agent", Op: token.OpKeyChangeover, Result: token.Success,
		Message: "said so", Session: "other", At: epoch.Add(-time.Hour),
	})
}

// testHostileText stores text that would break a home that pastes it into its
// questions.
func testHostileText(t *testing.T, f *fixture) {
	nasty := []string{
		`'; DROP TABLE tokens; --`, `*)(uid=*`, `%_`, `\`, `"`, "\u202eabc", "用户", "a\u00a0b",
		strings.Repeat("x", token.MaxName),
	}
	for n, text := range nasty {
		rec := f.add(n, n, func(r *token.Record) { r.UserID, r.Type = text, text })
		equal(t, "user", rec.UserID, text)
		page, err := f.Tokens(f.ctx, store.TokenQuery{UserID: text, Type: text})
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("found by %q", text), page.Tokens, []token.Record{rec})
	}
	for _, text := range []string{"a\x00b", "line\nbreak", "\xff\xfe", strings.Repeat("x", 5000)} {
		rec := token.NewRecord(cuid(99), token.Policy{})
		rec.UserID = text
		c := change(99, 0)
		c.New = &rec
		f.refused(c, store.ErrInvalid)
	}
}

// testConcurrent lets many change one record: of each round exactly one wins,
// and every win leaves its activity.
func testConcurrent(t *testing.T, f *fixture) {
	const writers, rounds = 8, 25
	f.add(1, 0, nil)
	var wg sync.WaitGroup
	wins := make([]int, writers)
	for w := range writers {
		wg.Go(func() {
			for wins[w] < rounds {
				rec, err := f.Token(f.ctx, cuid(1))
				if err != nil {
					t.Errorf("Token: %v", err)
					return
				}
				next := rec
				next.UserID = fmt.Sprintf("writer %d", w)
				c := change(1, 1)
				c.Old, c.New = &rec, &next
				c.Activities = []token.Activity{{Op: token.OpModify, Result: token.Success}}
				got, err := f.Apply(f.ctx, c)
				switch {
				case err == nil && got.Rev == rec.Rev+1 && got.UserID == next.UserID:
					wins[w]++
				case errors.Is(err, store.ErrConflict):
				default:
					t.Errorf("Apply: got %+v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	rec, err := f.Token(f.ctx, cuid(1))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "revision", rec.Rev, int64(1+writers*rounds))
	acts := f.activities(store.ActivityQuery{CUID: cuid(1), Limit: store.MaxLimit})
	equal(t, "activities", len(acts), writers*rounds)
}

func testContext(t *testing.T, f *fixture) {
	f.add(1, 0, nil)
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	c := change(2, 1)
	c.Activities = []token.Activity{{Op: token.OpFormat, Result: token.Success}}
	for range 30 { // a home may look at the context in more than one place
		if _, err := f.Apply(ended, c); !errors.Is(err, context.Canceled) {
			t.Fatalf("Apply: got error %v, want canceled", err)
		}
	}
	equal(t, "activities", len(f.activities(store.ActivityQuery{CUID: cuid(2)})), 0)
	if _, err := f.Token(ended, cuid(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Token: got error %v, want canceled", err)
	}
	if _, err := f.Tokens(ended, store.TokenQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Tokens: got error %v, want canceled", err)
	}
	f.add(2, 2, nil) // nothing is stuck
}

func testClosed(t *testing.T, f *fixture) {
	rec := f.add(1, 0, nil)
	if err := f.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	c := change(1, 1)
	c.Old, c.New = &rec, &rec
	if _, err := f.Apply(f.ctx, c); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Apply: got error %v, want closed", err)
	}
	if _, err := f.Token(f.ctx, cuid(1)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Token: got error %v, want closed", err)
	}
	if _, err := f.OpenIntents(f.ctx, cuid(1)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("OpenIntents: got error %v, want closed", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}
