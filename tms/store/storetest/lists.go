package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

func putKey(id string) token.Intent {
	return token.Intent{
		ID: id, Op: token.OpFormat, Kind: token.IntentPutKey, From: "FF01", To: "0201",
		Detail: `{"a":"b"}`,
	}
}

func testIntents(t *testing.T, f *fixture) {
	f.add(1, 0, nil)
	same(t, "open at first", f.openIntents(1), []string{})
	c := change(1, 1)
	c.Begin = []token.Intent{putKey("z"), putKey("a")}
	f.apply(c)
	c = change(2, 2)
	c.Begin = []token.Intent{putKey("other card")}
	f.apply(c)
	same(t, "open in the order of recording", f.openIntents(1), []string{"z", "a"})

	open, err := f.OpenIntents(f.ctx, cuid(1))
	if err != nil {
		t.Fatal(err)
	}
	want := putKey("z")
	want.CUID, want.Session, want.Actor, want.At = cuid(1), "s1", "alice", epoch.Add(time.Second)
	equal(t, "intent", open[0], want)

	c = change(2, 3)
	c.End = []store.IntentEnd{{ID: "z", Outcome: token.OutcomeDone}}
	f.refused(c, store.ErrNotFound) // another card's
	c = change(1, 4)
	c.End = []store.IntentEnd{{ID: "z", Outcome: token.OutcomeRepaired}}
	f.apply(c)
	f.refused(c, store.ErrNotFound) // ended already
	same(t, "open", f.openIntents(1), []string{"a"})
	c = change(1, 5)
	c.Begin = []token.Intent{putKey("z")}
	f.refused(c, store.ErrExists) // ids are not used twice

	page, err := f.Intents(f.ctx, store.IntentQuery{CUID: cuid(1), Ended: true})
	if err != nil {
		t.Fatal(err)
	}
	want.Outcome, want.Ended, want.EndedBy = token.OutcomeRepaired, epoch.Add(4*time.Second), "s4"
	equal(t, "all", len(page.Intents), 2)
	equal(t, "ended intent", page.Intents[0], want)
}

func testIntentPages(t *testing.T, f *fixture) {
	var want []string
	for n := range 23 {
		c := change(n%3, n/2) // several in the same instant
		id := fmt.Sprintf("i%d", (n*7)%23)
		c.Begin = []token.Intent{putKey(id)}
		f.apply(c)
		want = append(want, id)
	}
	var got []string
	pages := 0
	for q := (store.IntentQuery{Limit: 5}); ; pages++ {
		page, err := f.Intents(f.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Intents {
			got = append(got, i.ID)
		}
		endless(t, len(got))
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	same(t, "intents", got, want)
	equal(t, "pages", pages, 4)
}

// fill adds 40 records, several of them in the same instant, and returns their
// cards in the order of an answer.
func fill(f *fixture) []keys.CUID {
	type place struct {
		at int
		id keys.CUID
	}
	var places []place
	for n := range 40 {
		at := (n * 13) % 40 / 3
		f.add(n, at, func(r *token.Record) {
			r.UserID = fmt.Sprintf("user%d", n%4)
			r.Type = []string{"userKey", "soKey"}[n%2]
			*r = r.InState(token.States()[n%len(token.States())])
		})
		places = append(places, place{at, cuid(n)})
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.at != b.at {
			return b.at - a.at
		}
		return strings.Compare(b.id.String(), a.id.String())
	})
	var order []keys.CUID
	for _, p := range places {
		order = append(order, p.id)
	}
	return order
}

// tokens pages through an answer.
func (f *fixture) tokens(q store.TokenQuery) []keys.CUID {
	f.t.Helper()
	got := []keys.CUID{}
	for {
		page, err := f.Tokens(f.ctx, q)
		if err != nil {
			f.t.Fatalf("Tokens: %v", err)
		}
		if q.Limit > 0 && len(page.Tokens) > q.Limit {
			f.t.Fatalf("page of %d, at most %d asked for", len(page.Tokens), q.Limit)
		}
		for _, r := range page.Tokens {
			got = append(got, r.CUID)
		}
		endless(f.t, len(got))
		if q.After = page.Next; q.After == "" {
			return got
		}
	}
}

func testTokenPages(t *testing.T, f *fixture) {
	same(t, "empty store", f.tokens(store.TokenQuery{}), []keys.CUID{})
	want := fill(f)
	for _, limit := range []int{1, 7, 40, 100, 0} {
		same(t, fmt.Sprintf("pages of %d", limit), f.tokens(store.TokenQuery{Limit: limit}), want)
	}
	page, err := f.Tokens(f.ctx, store.TokenQuery{Limit: 40})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "cursor after the last", page.Next, "")
}

func testTokenFilters(t *testing.T, f *fixture) {
	all := fill(f)
	number := func(id keys.CUID) int { return int(id[9]) }
	for name, tc := range map[string]struct {
		q    store.TokenQuery
		want func(n int) bool
	}{
		"user":   {store.TokenQuery{UserID: "user3"}, func(n int) bool { return n%4 == 3 }},
		"type":   {store.TokenQuery{Type: "soKey"}, func(n int) bool { return n%2 == 1 }},
		"nobody": {store.TokenQuery{UserID: "user"}, func(int) bool { return false }},
		"state": {store.TokenQuery{Status: []token.State{token.Formatted}},
			func(n int) bool { return n%7 == 0 }},
		"states and type": {
			store.TokenQuery{Status: []token.State{token.Damaged, token.Unformatted}, Type: "userKey"},
			func(n int) bool { return (n%7 == 1 || n%7 == 6) && n%2 == 0 },
		},
		"time": {
			store.TokenQuery{
				ModifiedFrom: epoch.Add(3 * time.Second), ModifiedUntil: epoch.Add(5 * time.Second),
			},
			func(n int) bool { at := (n * 13) % 40 / 3; return at == 3 || at == 4 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := []keys.CUID{}
			for _, id := range all {
				if tc.want(number(id)) {
					want = append(want, id)
				}
			}
			tc.q.Limit = 3
			same(t, "tokens", f.tokens(tc.q), want)
		})
	}
}

func testActivityPages(t *testing.T, f *fixture) {
	const total = 57
	for n := range total {
		c := change(n%3, n/4) // several in the same instant
		c.Activities = []token.Activity{
			{Op: token.OpFormat, Result: token.Success, Message: fmt.Sprint(n)},
		}
		f.apply(c)
	}
	var got []string
	for q := (store.ActivityQuery{Limit: 10}); ; {
		page, err := f.Activities(f.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Activities {
			got = append(got, a.Message)
		}
		endless(t, len(got))
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	var want []string
	for n := total - 1; n >= 0; n-- {
		want = append(want, fmt.Sprint(n))
	}
	same(t, "latest first", got, want)
}

func testActivityFilters(t *testing.T, f *fixture) {
	ops := token.Ops()
	for n := range 48 {
		c := change(n%3, n)
		c.Session = fmt.Sprintf("session%d", n%5)
		c.Activities = []token.Activity{{
			Op: ops[n%len(ops)], Result: []token.Result{token.Success, token.Failure}[n%2],
			UserID: fmt.Sprintf("user%d", n%4), Message: fmt.Sprint(n),
		}}
		f.apply(c)
	}
	for name, tc := range map[string]struct {
		q    store.ActivityQuery
		want func(n int) bool
	}{
		"card":    {store.ActivityQuery{CUID: cuid(2)}, func(n int) bool { return n%3 == 2 }},
		"user":    {store.ActivityQuery{UserID: "user1"}, func(n int) bool { return n%4 == 1 }},
		"session": {store.ActivityQuery{Session: "session4"}, func(n int) bool { return n%5 == 4 }},
		"op":      {store.ActivityQuery{Op: token.OpFormat}, func(n int) bool { return n%12 == 1 }},
		"result":  {store.ActivityQuery{Result: token.Failure}, func(n int) bool { return n%2 == 1 }},
		"time": {
			store.ActivityQuery{From: epoch.Add(10 * time.Second), Until: epoch.Add(20 * time.Second)},
			func(n int) bool { return n >= 10 && n < 20 },
		},
		"card, op and result": {
			store.ActivityQuery{CUID: cuid(1), Op: token.OpFormat, Result: token.Failure},
			func(n int) bool { return n%3 == 1 && n%12 == 1 && n%2 == 1 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got, want []string
			for _, a := range f.activities(tc.q) {
				got = append(got, a.Message)
			}
			for n := 47; n >= 0; n-- {
				if tc.want(n) {
					want = append(want, fmt.Sprint(n))
				}
			}
			same(t, "activities", got, want)
		})
	}
}

func testHostileQuestions(t *testing.T, f *fixture) {
	fill(f)
	page, err := f.Tokens(f.ctx, store.TokenQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	alien := page.Next // a cursor of another kind of list
	invalid := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got error %v, want invalid", what, err)
		}
	}
	for _, after := range []store.Cursor{
		"x", "!!!!", store.Cursor(strings.Repeat("A", 5000)), "AAAAAAAAAAAAAAAA",
	} {
		_, err := f.Tokens(f.ctx, store.TokenQuery{After: after})
		invalid(fmt.Sprintf("tokens after %.20q", after), err)
	}
	_, err = f.Activities(f.ctx, store.ActivityQuery{After: alien})
	invalid("activities after a token", err)
	_, err = f.Intents(f.ctx, store.IntentQuery{After: alien})
	invalid("intents after a token", err)
	_, err = f.Tokens(f.ctx, store.TokenQuery{
		After: store.Position{At: epoch, Key: "a\x00\xff"}.Cursor(),
	})
	invalid("tokens after no card", err)
	for _, text := range []string{"a\x00b", "\xff", "*", strings.Repeat("x", 100_000)} {
		page, err := f.Tokens(f.ctx, store.TokenQuery{UserID: text, Type: text})
		if err != nil || len(page.Tokens) > 0 {
			t.Errorf("tokens of user %.20q: %d, %v", text, len(page.Tokens), err)
		}
		acts, err := f.Activities(f.ctx, store.ActivityQuery{UserID: text, Session: text})
		if err != nil || len(acts.Activities) > 0 {
			t.Errorf("activities of user %.20q: %d, %v", text, len(acts.Activities), err)
		}
	}
	_, err = f.Tokens(f.ctx, store.TokenQuery{Limit: -1})
	invalid("page of -1", err)
	_, err = f.Tokens(f.ctx, store.TokenQuery{Status: make([]token.State, 5000)})
	invalid("5000 states", err)
	if _, err := f.Tokens(f.ctx, store.TokenQuery{Limit: 1 << 40}); err != nil {
		t.Errorf("huge page: %v", err)
	}
}

// endless ends the test when paging goes round in circles: no list of these
// tests is so long.
func endless(t *testing.T, items int) {
	t.Helper()
	if items > 1000 {
		t.Fatal("paging does not end")
	}
}
