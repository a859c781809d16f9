package tokendb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

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
