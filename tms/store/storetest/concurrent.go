package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

const (
	clients      = 16
	sharedTokens = 100
	leastChanges = 100
)

// concurrentFor is how long clients change tokens: 10 seconds in CI, and minutes where the build is
// tagged soak.
var concurrentFor = func() time.Duration {
	if os.Getenv("CI") == "true" {
		return 10 * time.Second
	}
	return 2 * time.Second
}()

// nowhere stands for the state of a card without a record.
const nowhere token.State = -1

// move is a change of state that a client made, or that the activity log tells of. A record that is
// stuck is deleted, and the card added again.
type move struct {
	card int
	rev  int64 // of the record afterwards; of the deleted one; 0 for one that is added
	step token.Transition
}

func (m move) message(client int) string {
	return fmt.Sprintf("rev %d %s by client %d", m.rev, m.step, client)
}

func parseMove(card int, message string) (m move, err error) {
	var step string
	var client int
	if _, err := fmt.Sscanf(message, "rev %d %s by client %d", &m.rev, &step, &client); err != nil {
		return m, fmt.Errorf("activity %q: %w", message, err)
	}
	var from, to int
	if _, err := fmt.Sscanf(step, "%d:%d", &from, &to); err != nil {
		return m, fmt.Errorf("activity %q: %w", message, err)
	}
	m.card = card
	m.step = token.Transition{From: token.State(from), To: token.State(to)}
	return m, nil
}

// Concurrent has 16 clients change the same 100 tokens at random, through several stores that open
// opens over one place, as several processes would. Whatever they do to each other, every history has
// to be one that the state machine allows, and the activity log has to tell the same.
func Concurrent(t *testing.T, open func(t *testing.T) Home) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SEED: %v", err)
		}
	}
	t.Logf("seed %d (SEED=%d repeats the choices)", seed, seed)
	homes := make([]Home, 4)
	for i := range homes {
		homes[i] = open(t)
		t.Cleanup(func() {
			if err := homes[i].Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
	}
	f := &fixture{Home: homes[0], t: t, ctx: t.Context()}
	for n := range sharedTokens {
		f.add(n, 0, nil)
	}
	made, conflicts := work(t, homes, seed)
	h := history{allowed: allowed(), made: made, logged: map[int][]move{}, final: map[int]token.Record{}}
	for n := range sharedTokens {
		f.read(n, &h)
	}
	if errs := h.check(); len(errs) > 0 {
		t.Fatalf("%d of %d changes do not fit; the first: %v", len(errs), len(made), errs[0])
	}
	if len(made) < leastChanges || conflicts == 0 {
		t.Errorf("%d changes and %d conflicts: the clients did not meet", len(made), conflicts)
	}
	t.Logf("%d changes, %d conflicts in %s", len(made), conflicts, concurrentFor)
}

// allowed are the moves of people and of operations together.
func allowed() token.Transitions {
	return token.NewTransitions(slices.Concat(token.PermittedManualTransitions().List(),
		token.OperationTransitions().List())...)
}

// work runs the clients and answers what they were told was made.
func work(t *testing.T, homes []Home, seed uint64) (made []move, conflicts int) {
	ctx, cancel := context.WithTimeout(t.Context(), concurrentFor+time.Minute)
	defer cancel()
	end := time.Now().Add(concurrentFor)
	latest := end.Add(30 * time.Second) // a machine that is busy otherwise gets more time
	var changed, met atomic.Int64
	enough := func() bool {
		return time.Now().After(end) && changed.Load() >= leastChanges && met.Load() > 0 ||
			time.Now().After(latest)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for id := range clients {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(seed, uint64(id))) //nolint:gosec // no secret
			c := client{home: homes[id%len(homes)], id: id, dice: dice}
			for !enough() {
				before, lost := len(c.made), c.conflicts
				if err := c.step(ctx); err != nil {
					t.Errorf("client %d: %v", id, err)
					break
				}
				changed.Add(int64(len(c.made) - before))
				met.Add(int64(c.conflicts - lost))
			}
			mu.Lock()
			defer mu.Unlock()
			made, conflicts = append(made, c.made...), conflicts+c.conflicts
		})
	}
	wg.Wait()
	return made, conflicts
}

type client struct {
	home      Home
	id        int
	dice      *rand.Rand
	made      []move
	conflicts int
	stale     token.Record // read some time ago
}

// step changes one token's state, or finds that another has done so. Now and then it starts from what
// it read long ago.
func (c *client) step(ctx context.Context) error {
	id := cuid(c.dice.IntN(sharedTokens))
	rec, err := c.home.Token(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		if int(id[9])%clients != c.id {
			return nil // one client adds a card: an add starts from no revision, so its time could be old
		}
		next := token.NewRecord(id, token.Policy{})
		return c.apply(ctx, store.Change{CUID: id, New: &next},
			move{int(id[9]), 0, token.Transition{From: nowhere, To: next.Status}})
	}
	if err != nil {
		return err
	}
	if c.dice.IntN(10) == 0 {
		c.stale, rec = rec, either(c.stale, rec)
	}
	if c.dice.IntN(10) == 0 {
		_, err := c.home.Tokens(ctx, store.TokenQuery{Status: []token.State{rec.Status}, Limit: 5})
		if err != nil {
			return err
		}
	}
	var next []token.State
	for _, s := range token.States() {
		if allowed().Allows(rec.Status, s) {
			next = append(next, s)
		}
	}
	step := token.Transition{From: rec.Status, To: nowhere}
	if len(next) == 0 {
		return c.apply(ctx, store.Change{CUID: rec.CUID, Old: &rec},
			move{int(rec.CUID[9]), rec.Rev, step})
	}
	step.To = next[c.dice.IntN(len(next))]
	after := rec.InState(step.To)
	return c.apply(ctx, store.Change{CUID: rec.CUID, Old: &rec, New: &after},
		move{int(rec.CUID[9]), rec.Rev + 1, step})
}

// apply makes a change with its activity, or finds that another was faster.
func (c *client) apply(ctx context.Context, ch store.Change, m move) error {
	ch.Actor, ch.Why, ch.At = fmt.Sprintf("client %d", c.id), "test", time.Now()
	ch.Activities = []token.Activity{
		{Op: token.OpStatusChange, Result: token.Success, Message: m.message(c.id)},
	}
	if c.dice.IntN(4) == 0 { // a step that ends at once: its intent must not be left open
		id := fmt.Sprintf("c%d.%d.%d", c.id, len(c.made), c.conflicts)
		ch.Begin = []token.Intent{{ID: id, Op: token.OpFormat, Kind: token.IntentPutKey}}
		ch.End = []store.IntentEnd{{ID: id, Outcome: token.OutcomeDone}}
	}
	got, err := c.home.Apply(ctx, ch)
	switch {
	case errors.Is(err, store.ErrConflict),
		errors.Is(err, store.ErrExists) && ch.Old == nil,
		errors.Is(err, store.ErrNotFound) && ch.Old != nil:
		c.conflicts++
		return nil
	case err != nil:
		return err
	case ch.New != nil && got.Status != m.step.To || m.rev != 0 && ch.New != nil && got.Rev != m.rev:
		return fmt.Errorf("%+v gave revision %d, %s", m, got.Rev, got.Status)
	}
	c.made = append(c.made, m)
	return nil
}

func either(a, b token.Record) token.Record {
	if a.Rev > 0 {
		return a
	}
	return b
}

// read reads what is left of card n.
func (f *fixture) read(n int, h *history) {
	f.t.Helper()
	rec, err := f.Token(f.ctx, cuid(n))
	if errors.Is(err, store.ErrNotFound) {
		rec, err = token.Record{Status: nowhere}, nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	h.final[n] = rec
	if open := f.openIntents(n); len(open) > 0 {
		f.t.Errorf("card %d: intents %v are open", n, open)
	}
	for q := (store.ActivityQuery{CUID: cuid(n), Limit: 500}); ; {
		page, err := f.Activities(f.ctx, q)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, a := range page.Activities {
			m, err := parseMove(n, a.Message)
			if err != nil {
				f.t.Fatal(err)
			}
			h.logged[n] = append(h.logged[n], m)
		}
		if q.After = page.Next; q.After == "" {
			slices.Reverse(h.logged[n]) // oldest first
			return
		}
	}
}

// history is what is known of all tokens.
type history struct {
	allowed token.Transitions
	made    []move         // what clients were told was made, in any order
	logged  map[int][]move // what the activity log tells, oldest first
	final   map[int]token.Record
}

// check tells everything that does not fit.
func (h history) check() (errs []error) {
	told := map[move]int{}
	for _, m := range h.made {
		told[m]++
	}
	for n, rec := range h.final {
		at, rev := token.Unformatted, int64(1)
		for _, m := range h.logged[n] {
			if told[m]--; told[m] < 0 {
				errs = append(errs, fmt.Errorf("card %d: nobody made %+v, or not so often", n, m))
			}
			if err := h.follows(m, at, rev); err != nil {
				errs = append(errs, fmt.Errorf("card %d: %w", n, err))
			}
			at = m.step.To
			if at != nowhere {
				rev++
			}
		}
		if rec.Status != at || at != nowhere && rec.Rev != rev {
			errs = append(errs, fmt.Errorf("card %d: record is %s at revision %d, the log ends with "+
				"%s at %d", n, rec.Status, rec.Rev, at, rev))
		}
	}
	for m, left := range told {
		if left > 0 {
			errs = append(errs, fmt.Errorf("card %d: the log does not tell of %+v", m.card, m))
		}
	}
	return errs
}

// follows tells why a move can't come after a state at a revision.
func (h history) follows(m move, at token.State, rev int64) error {
	want := rev + 1
	switch {
	case m.step.From != at:
		return fmt.Errorf("revision %d goes from %s, it was %s", m.rev, m.step.From, at)
	case m.step.From == nowhere && m.step.To == token.Unformatted:
		want = 0
	case m.step.To == nowhere:
		want = rev
	case !h.allowed.Allows(m.step.From, m.step.To):
		return fmt.Errorf("%s is not allowed", m.step.Describe())
	}
	if m.rev != want {
		return fmt.Errorf("%s is revision %d, after %d", m.step, m.rev, rev)
	}
	return nil
}
