package tokendb_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

var cuid = keys.CUID{0x40, 0x90, 0x61, 0x45, 0xC7, 0x62, 0x24, 0x19, 0x2D, 0x2B}

// world is a token database over a real store, with a clock that ticks a second
// whenever it is looked at.
type world struct {
	t     *testing.T
	store *spy
	db    *tokendb.DB
	now   time.Time
}

// spy is a store that can be made to fail, or to be changed by someone else
// just before a change.
type spy struct {
	*sql.Store
	fail   func(store.Change) error
	before func(store.Change)
}

func (s *spy) Apply(ctx context.Context, c store.Change) (token.Record, error) {
	if s.fail != nil {
		if err := s.fail(c); err != nil {
			return token.Record{}, err
		}
	}
	if before := s.before; before != nil {
		s.before = nil
		before(c)
	}
	return s.Store.Apply(ctx, c)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	w := &world{t: t, store: &spy{Store: s}, now: time.Unix(1_700_000_000, 0)}
	w.db = tokendb.New(w.store, tokendb.DefaultRules(), func() time.Time {
		w.now = w.now.Add(time.Second)
		return w.now
	})
	return w
}

// look begins a session with the card.
func (w *world) look(session string) *tokendb.Card {
	w.t.Helper()
	c, err := w.db.Look(w.t.Context(), tokendb.Session{ID: session, IP: "192.0.2.1"}, cuid)
	require.NoError(w.t, err)
	return c
}

var formatAny = tokendb.Admission{Op: token.OpFormat, To: token.Formatted, AllowUnknown: true}

// admitted begins a session whose format was admitted, by alice.
func (w *world) admitted(session string) *tokendb.Card {
	w.t.Helper()
	c := w.look(session)
	c.SetUser("alice")
	c.SetType("userKey")
	require.NoError(w.t, c.Admit(w.t.Context(), formatAny))
	return c
}

// put sets the card's record to a state, as an administrator would.
func (w *world) put(state token.State, edit func(*token.Record)) {
	w.t.Helper()
	change := store.Change{CUID: cuid, Actor: "admin", Why: "test", At: w.now}
	next := token.NewRecord(cuid, token.Policy{})
	if rec, err := w.store.Token(w.t.Context(), cuid); err == nil {
		change.Old, next = &rec, rec
	}
	next = next.InState(state)
	if edit != nil {
		edit(&next)
	}
	change.New = &next
	_, err := w.store.Store.Apply(w.t.Context(), change)
	require.NoError(w.t, err)
}

func (w *world) record() token.Record {
	w.t.Helper()
	r, err := w.store.Token(w.t.Context(), cuid)
	require.NoError(w.t, err)
	return r
}

// history returns op and result of each activity, oldest first.
func (w *world) history() string {
	w.t.Helper()
	var lines []string
	for _, a := range w.activities() {
		lines = append([]string{string(a.Op) + " " + string(a.Result)}, lines...)
	}
	return strings.Join(lines, ", ")
}

func (w *world) activities() []token.Activity {
	w.t.Helper()
	page, err := w.store.Activities(w.t.Context(), store.ActivityQuery{CUID: cuid})
	require.NoError(w.t, err)
	return page.Activities
}

// refused demands an error of one kind and number.
func refused(t *testing.T, err, kind error, status int) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.Equal(t, status, tokendb.Status(err))
	var e *tokendb.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status())
	require.ErrorContains(t, err, cuid.String())
}

var errPulled = errors.New("card was pulled")

func TestFormatOfAnUnknownCard(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.look("s1")
	require.False(t, c.Known())
	require.Equal(t, token.Unformatted, c.Record().Status)
	_, err := w.store.Token(ctx, cuid)
	require.ErrorIs(t, err, store.ErrNotFound, "looking stores nothing")

	c.SetUser("alice")
	c.SetType("userKey")
	require.NoError(t, c.Admit(ctx, formatAny))
	require.True(t, c.Known())
	r := w.record()
	require.Equal(t, token.Unformatted, r.Status)
	require.Equal(t, tokendb.ShippedPolicy(), r.Policy)

	require.NoError(t, c.CheckKeyInfo("FF01", true))
	load, err := c.Begin(ctx, token.IntentLoadApplet, "", "1.4.58768072")
	require.NoError(t, err)
	require.Equal(t, []token.Intent{load.Intent()}, ids(c.OpenIntents(), load.Intent()))
	require.NoError(t, load.Done(ctx))
	require.Equal(t, "1.4.58768072", w.record().AppletID)
	put, err := c.Begin(ctx, token.IntentPutKey, "FF01", "0201")
	require.NoError(t, err)
	require.Empty(t, w.record().KeyInfo, "an intent is not yet a fact")
	require.NoError(t, put.Done(ctx))
	require.Equal(t, "0201", w.record().KeyInfo)
	require.NoError(t, c.FinishFormat(ctx, tokendb.Formatted{
		AppletID: "1.4.58768072", Type: "userKey", KeyInfo: "0201",
	}))
	r = w.record()
	require.Equal(t, token.Formatted, r.Status)
	require.Empty(t, r.UserID)
	require.Equal(t, "userKey", r.Type)
	require.Equal(t, "alice", r.ModifiedBy)
	require.Equal(t, r, c.Record())
	require.Empty(t, c.OpenIntents())
	require.Equal(t, "add success, key_changeover success, format success", w.history())
	for _, a := range w.activities() {
		require.Equal(t, "s1", a.Session)
		require.Equal(t, "alice", a.Actor)
		require.Equal(t, "alice", a.UserID)
		require.Equal(t, "192.0.2.1", a.IP)
		require.Equal(t, "userKey", a.Type)
	}
}

// ids keeps of open what has want's id, with want's values where the store
// fills in.
func ids(open []token.Intent, want token.Intent) []token.Intent {
	var got []token.Intent
	for _, i := range open {
		i.At = want.At
		got = append(got, i)
	}
	return got
}

func TestFormatClearsTheUser(t *testing.T) {
	w := newWorld(t)
	w.put(token.Active, func(r *token.Record) { r.UserID, r.Type = "bob", "soKey" })
	c := w.admitted("s1")
	require.NoError(t, c.FinishFormat(t.Context(), tokendb.Formatted{Type: "userKey"}))
	r := w.record()
	require.Equal(t, token.Formatted, r.Status)
	require.Empty(t, r.UserID)
	require.Equal(t, "userKey", r.Type)
}

// TestAdmission is the table of states and operations.
func TestAdmission(t *testing.T) {
	format := tokendb.Admission{Op: token.OpFormat, To: token.Formatted}
	enroll := tokendb.Admission{Op: token.OpEnrollment, To: token.Active}
	reset := tokendb.Admission{Op: token.OpPINReset, To: token.Active}
	for _, tc := range []struct {
		state  token.State
		a      tokendb.Admission
		status int // 0: admitted
	}{
		{token.Formatted, format, 0},
		{token.Active, format, 0},
		{token.Unformatted, format, 0},
		{token.Damaged, format, 26},
		{token.PermLost, format, 26},
		{token.Suspended, format, 26},
		{token.Terminated, format, 26},
		{token.Formatted, enroll, 0},
		{token.Active, enroll, 0},
		{token.Unformatted, enroll, 26},
		{token.Damaged, enroll, 26},
		{token.PermLost, enroll, 32},
		{token.Suspended, enroll, 26},
		{token.Terminated, enroll, 35},
		{token.Suspended, reset, 27},
	} {
		t.Run(tc.state.String()+" "+string(tc.a.Op), func(t *testing.T) {
			w := newWorld(t)
			w.put(tc.state, nil)
			c := w.look("s1")
			err := c.Admit(t.Context(), tc.a)
			if tc.status == 0 {
				require.NoError(t, err)
				return
			}
			refused(t, err, tokendb.ErrNotAllowed, tc.status)
			require.ErrorContains(t, err, tc.state.String())
			_, err = c.Begin(t.Context(), token.IntentPutKey, "a", "b")
			refused(t, err, tokendb.ErrNotAllowed, 26)
			refused(t, c.FinishFormat(t.Context(), tokendb.Formatted{}), tokendb.ErrNotAllowed, 26)
			require.Equal(t, tc.state, w.record().Status)
		})
	}
}

func TestUnknownRefused(t *testing.T) {
	w := newWorld(t)
	c := w.look("s1")
	err := c.Admit(t.Context(), tokendb.Admission{Op: token.OpFormat, To: token.Formatted})
	refused(t, err, tokendb.ErrUnknownToken, 16)
	require.NoError(t, c.Fail(t.Context(), token.OpFormat, err))
	require.Equal(t, "format failure", w.history(), "a card without a record has a history too")
	require.Equal(t, "unauthenticated", w.activities()[0].Actor)
	_, err = w.store.Token(t.Context(), cuid)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestPolicyOfACard(t *testing.T) {
	w := newWorld(t)
	w.put(token.Active, func(r *token.Record) { r.Policy = token.Policy{}.With(token.PINReset, true) })
	p := w.look("s1").Policy()
	require.True(t, p.Allows(token.PINReset))
	require.True(t, p.Allows(token.ReEnroll), "from configuration")
}

// TestHostileMessages: what comes from a card or client cannot break a record.
func TestHostileMessages(t *testing.T) {
	w := newWorld(t)
	c := w.admitted("s1")
	require.NoError(t, c.Fail(t.Context(), token.OpFormat,
		errors.New("line\nbreak \x00\xff"+strings.Repeat("long ", 1000))))
	require.LessOrEqual(t, len(w.activities()[0].Message), token.MaxMessage)
	step, err := c.Begin(t.Context(), token.IntentPutKey, "FF01", "0201")
	require.NoError(t, err)
	require.NoError(t, step.Failed(t.Context(), errors.New(strings.Repeat("\x1b[2J", 2000))))
}
