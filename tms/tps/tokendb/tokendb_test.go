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

// TestKeyChangeoverAnswerLost loses the answer to PUT KEY: the next session
// finds out which keys the card has, and says so in the record.
func TestKeyChangeoverAnswerLost(t *testing.T) {
	for name, tc := range map[string]struct {
		card    string // key information the card shows afterwards
		history string
		open    int
	}{
		"the card has the new keys": {"0201", "key_changeover success", 0},
		"the card has the old keys": {"FF01", "key_changeover failure", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			w.put(token.Formatted, func(r *token.Record) { r.KeyInfo = "FF01" })
			c := w.admitted("s1")
			_, err := c.Begin(ctx, token.IntentPutKey, "FF01", "0201")
			require.NoError(t, err)
			require.NoError(t, c.Fail(ctx, token.OpFormat, errPulled))
			require.Contains(t, w.activities()[0].Message, "put_key from FF01 to 0201; card was pulled")

			c = w.admitted("s2")
			require.Len(t, c.OpenIntents(), 1)
			refused(t, c.CheckKeyInfo("0301", true), tokendb.ErrKeyInfo, 17)
			refused(t, c.Settle(ctx, "0301"), tokendb.ErrKeyInfo, 17)
			require.Len(t, c.OpenIntents(), 1)
			require.NoError(t, c.CheckKeyInfo(tc.card, false))
			require.NoError(t, c.Settle(ctx, tc.card))
			require.Empty(t, c.OpenIntents())
			require.Equal(t, tc.card, w.record().KeyInfo)
			require.Equal(t, "format failure, "+tc.history, w.history())
			require.Equal(t, "s2", w.activities()[0].Session)
			require.NoError(t, c.Settle(ctx, tc.card), "settling again does nothing")
			require.Equal(t, "format failure, "+tc.history, w.history())
		})
	}
}

// TestCutTwice loses two answers in a row.
func TestCutTwice(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.put(token.Formatted, func(r *token.Record) { r.KeyInfo = "FF01" })
	for _, session := range []string{"s1", "s2"} {
		_, err := w.admitted(session).Begin(ctx, token.IntentPutKey, "FF01", "0201")
		require.NoError(t, err)
	}
	c := w.admitted("s3")
	require.Len(t, c.OpenIntents(), 2)
	require.NoError(t, c.Settle(ctx, "0201"))
	require.Empty(t, c.OpenIntents())
	require.Equal(t, "0201", w.record().KeyInfo)
	page, err := w.store.Intents(ctx, store.IntentQuery{Ended: true})
	require.NoError(t, err)
	require.Equal(t, token.OutcomeRepaired, page.Intents[0].Outcome)
	require.Equal(t, token.OutcomeDone, page.Intents[1].Outcome)
	require.Equal(t, "s3", page.Intents[1].EndedBy)
}

func TestFormatRepairs(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.admitted("s1")
	_, err := c.Begin(ctx, token.IntentDeleteApplet, "1.4", "")
	require.NoError(t, err)
	_, err = c.Begin(ctx, token.IntentLoadApplet, "", "1.4")
	require.NoError(t, err)
	c = w.admitted("s2")
	require.NoError(t, c.Settle(ctx, "FF01"))
	require.Len(t, c.OpenIntents(), 2, "keys say nothing of the applet")
	require.NoError(t, c.FinishFormat(ctx, tokendb.Formatted{
		AppletID: "1.5", Type: "t", KeyInfo: "FF01",
	}))
	require.Empty(t, w.look("s3").OpenIntents())
}

func TestStepFailed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.put(token.Formatted, func(r *token.Record) { r.KeyInfo, r.AppletID = "FF01", "1.4" })
	c := w.admitted("s1")
	step, err := c.Begin(ctx, token.IntentPutKey, "FF01", "0201")
	require.NoError(t, err)
	require.NoError(t, step.Failed(ctx, errors.New("6982 security status not satisfied")))
	require.Equal(t, "FF01", w.record().KeyInfo)
	require.Equal(t, "key_changeover failure", w.history())
	require.Contains(t, w.activities()[0].Message, "6982")
	step, err = c.Begin(ctx, token.IntentDeleteApplet, "1.4", "")
	require.NoError(t, err)
	require.NoError(t, step.Done(ctx))
	require.Empty(t, w.record().AppletID)
	require.Equal(t, "key_changeover failure", w.history(), "applet steps leave no activity")
	refused(t, step.Done(ctx), tokendb.ErrDatabase, 41) // ended already
}

// TestClientGone ends the session's context: what was done is recorded all the
// same, and nothing more is begun.
func TestClientGone(t *testing.T) {
	w := newWorld(t)
	c := w.admitted("s1")
	ctx, gone := context.WithCancel(t.Context())
	step, err := c.Begin(ctx, token.IntentPutKey, "FF01", "0201")
	require.NoError(t, err)
	gone()
	require.NoError(t, step.Done(ctx))
	_, err = c.Begin(ctx, token.IntentPutKey, "0201", "0301")
	refused(t, err, tokendb.ErrDatabase, 41)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, c.Fail(ctx, token.OpFormat, errPulled))
	require.Equal(t, "0201", w.record().KeyInfo)
	require.Equal(t, "add success, key_changeover success, format failure", w.history())
	require.NoError(t, c.FinishFormat(ctx, tokendb.Formatted{Type: "userKey", KeyInfo: "0201"}))
}

// TestChangedMeanwhile lets an administrator change the record between reading
// and writing.
func TestChangedMeanwhile(t *testing.T) {
	t.Run("harmless", func(t *testing.T) {
		w := newWorld(t)
		c := w.admitted("s1")
		w.store.before = func(store.Change) {
			w.put(token.Unformatted, func(r *token.Record) { r.Policy = r.Policy.With(token.Renew, true) })
		}
		require.NoError(t, c.FinishFormat(t.Context(), tokendb.Formatted{Type: "userKey"}))
		r := w.record()
		require.Equal(t, token.Formatted, r.Status)
		require.True(t, r.Policy.Allows(token.Renew), "the administrator's change is kept")
	})
	t.Run("terminated before the step", func(t *testing.T) {
		w := newWorld(t)
		c := w.admitted("s1")
		w.store.before = func(store.Change) { w.put(token.Terminated, nil) }
		_, err := c.Begin(t.Context(), token.IntentPutKey, "FF01", "0201")
		refused(t, err, tokendb.ErrNotAllowed, 26)
		require.Empty(t, w.look("s2").OpenIntents())
	})
	t.Run("terminated after the step", func(t *testing.T) {
		w := newWorld(t)
		c := w.admitted("s1")
		step, err := c.Begin(t.Context(), token.IntentPutKey, "FF01", "0201")
		require.NoError(t, err)
		w.store.before = func(store.Change) { w.put(token.Terminated, nil) }
		require.NoError(t, step.Done(t.Context()), "the card's keys are a fact")
		r := w.record()
		require.Equal(t, token.Terminated, r.Status)
		require.Equal(t, "0201", r.KeyInfo)
		refused(t, c.FinishFormat(t.Context(), tokendb.Formatted{}), tokendb.ErrNotAllowed, 26)
	})
	t.Run("without end", func(t *testing.T) {
		w := newWorld(t)
		c := w.admitted("s1")
		tries := 0
		w.store.fail = func(store.Change) error { tries++; return store.ErrConflict }
		refused(t, c.FinishFormat(t.Context(), tokendb.Formatted{}), tokendb.ErrDatabase, 41)
		require.Equal(t, 4, tries)
	})
	t.Run("deleted", func(t *testing.T) {
		w := newWorld(t)
		c := w.admitted("s1")
		rec := w.record()
		_, err := w.store.Store.Apply(t.Context(), store.Change{
			CUID: cuid, Old: &rec, Actor: "admin", Why: "test", At: w.now,
		})
		require.NoError(t, err)
		refused(t, c.FinishFormat(t.Context(), tokendb.Formatted{}), tokendb.ErrDatabase, 41)
	})
	t.Run("added by another session", func(t *testing.T) {
		w := newWorld(t)
		c := w.look("s1")
		w.store.before = func(store.Change) { w.put(token.Active, nil) }
		require.NoError(t, c.Admit(t.Context(), formatAny))
		require.Equal(t, token.Active, c.Record().Status)
	})
}

func TestDatabaseFails(t *testing.T) {
	broken := errors.New("disk full")
	w := newWorld(t)
	w.store.fail = func(store.Change) error { return broken }
	c := w.look("s1")
	err := c.Admit(t.Context(), formatAny)
	refused(t, err, tokendb.ErrDatabase, 29)
	require.ErrorIs(t, err, broken)
	refused(t, c.Fail(t.Context(), token.OpFormat, errPulled), tokendb.ErrDatabase, 41)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.db.Look(ended, tokendb.Session{ID: "s2"}, cuid)
	refused(t, err, tokendb.ErrDatabase, 25)
	_, err = w.db.Look(t.Context(), tokendb.Session{}, cuid)
	require.ErrorContains(t, err, "without an id")
	require.Zero(t, tokendb.Status(broken))
}

// TestNoteInterrupted is a server's start after it was killed.
func TestNoteInterrupted(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.admitted("killed")
	_, err := c.Begin(ctx, token.IntentLoadApplet, "", "1.4")
	require.NoError(t, err)
	_, err = c.Begin(ctx, token.IntentPutKey, "FF01", "0201")
	require.NoError(t, err)
	c = w.admitted("said so itself")
	_, err = c.Begin(ctx, token.IntentPutKey, "FF01", "0201")
	require.NoError(t, err)
	require.NoError(t, c.Fail(ctx, token.OpFormat, errPulled))

	for range 2 { // the second start adds nothing
		open, err := w.db.NoteInterrupted(ctx, w.store)
		require.NoError(t, err)
		require.Len(t, open, 3)
		require.Equal(t, "add success, format failure, format failure", w.history())
	}
	last := w.activities()[0]
	require.Equal(t, "killed", last.Session)
	require.Equal(t, "server", last.Actor)
	require.Contains(t, last.Message, "interrupted")
	require.Contains(t, last.Message, "load_applet from none to 1.4")
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
