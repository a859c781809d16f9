package tokendb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

func agent(id, why string) tokendb.Session {
	return tokendb.Session{ID: id, Actor: "olga", Why: why}
}

func ptr[T any](v T) *T { return &v }

// by begins a session of olga, who says why.
func (w *world) by(id, why string) *tokendb.Card {
	w.t.Helper()
	c, err := w.db.Look(w.t.Context(), agent(id, why), cuid)
	require.NoError(w.t, err)
	return c
}

// log is the history in words, the oldest first.
func (w *world) log() (out []string) {
	w.t.Helper()
	page, err := w.store.Activities(w.t.Context(), store.ActivityQuery{CUID: cuid})
	require.NoError(w.t, err)
	for i := len(page.Activities) - 1; i >= 0; i-- {
		a := page.Activities[i]
		out = append(out, fmt.Sprintf("%s %s of %q by %s: %s", a.Op, a.Result, a.UserID, a.Actor,
			a.Message))
	}
	return out
}

func TestByHandAddEditDelete(t *testing.T) {
	w := newWorld(t)
	rec, err := w.db.Add(t.Context(), agent("1", "delivery 7"), cuid, tokendb.Edit{UserID: ptr("alice")})
	require.NoError(t, err)
	require.Equal(t, token.Unformatted, rec.Status)
	_, err = w.db.Add(t.Context(), agent("2", ""), cuid, tokendb.Edit{})
	require.ErrorIs(t, err, store.ErrExists)
	yes := rec.Policy.With(token.PINReset, true)
	c := w.by("3", "she asked")
	require.NoError(t, c.Edit(t.Context(), tokendb.Edit{Policy: &yes}))
	require.NoError(t, c.Edit(t.Context(), tokendb.Edit{Policy: &yes}), "nothing to change")
	require.True(t, c.Policy().Allows(token.PINReset))
	renew := token.Policy{}.With(token.PINReset, true)
	require.NoError(t, c.Edit(t.Context(), tokendb.Edit{Policy: &renew, Merge: true}), "as it is")
	require.Equal(t, yes, c.Record().Policy)
	require.NoError(t, c.Edit(t.Context(), tokendb.Edit{UserID: ptr("bob")}))
	err = c.Edit(t.Context(), tokendb.Edit{UserID: ptr(strings.Repeat("u", 999))})
	require.ErrorIs(t, err, tokendb.ErrNotAllowed)
	require.NoError(t, c.Delete(t.Context()))
	require.ErrorIs(t, c.Delete(t.Context()), tokendb.ErrUnknownToken)
	require.ErrorIs(t, c.Edit(t.Context(), tokendb.Edit{}), tokendb.ErrUnknownToken)
	shipped := tokendb.ShippedPolicy().String()
	require.Equal(t, []string{
		`add success of "alice" by olga: token added by hand: delivery 7`,
		fmt.Sprintf(`token_modify success of "alice" by olga: policy %q to %q: she asked`, shipped, yes),
		`token_modify success of "bob" by olga: user "alice" to "bob": she asked`,
		`delete success of "bob" by olga: token deleted, UNFORMATTED: she asked`,
	}, w.log())
	_, err = w.store.Token(t.Context(), cuid)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// Somebody else's edit of the same thing is not overwritten unseen; of another thing it is kept.
func TestEditMeetsAnother(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Add(t.Context(), agent("1", ""), cuid, tokendb.Edit{})
	require.NoError(t, err)
	mine, other := w.by("2", ""), w.by("3", "")
	w.store.before = func(store.Change) {
		require.NoError(t, other.Edit(t.Context(), tokendb.Edit{UserID: ptr("bob")}))
	}
	err = mine.Edit(t.Context(), tokendb.Edit{UserID: ptr("alice")})
	require.ErrorIs(t, err, tokendb.ErrNotAllowed)
	require.Equal(t, "bob", w.by("4", "").Record().UserID)
	mine, other = w.by("5", ""), w.by("6", "")
	met := false
	w.store.before = func(store.Change) {
		met = true
		old := other.Record()
		next := old
		next.Status = token.Formatted
		_, err := w.store.Apply(t.Context(), store.Change{
			CUID: cuid, Old: &old, New: &next, Actor: "a session", Why: "formatted", At: old.Modified,
		})
		require.NoError(t, err)
	}
	require.NoError(t, mine.Edit(t.Context(), tokendb.Edit{UserID: ptr("alice")}))
	require.True(t, met)
	require.Equal(t, "alice", w.by("7", "").Record().UserID)
	require.Equal(t, token.Formatted, w.by("8", "").Record().Status)
}

// What nobody would know of any more stays on record.
func TestDeleteKeepsWhatIsStillValid(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Add(t.Context(), agent("1", ""), cuid, tokendb.Edit{})
	require.NoError(t, err)
	c := w.by("2", "")
	var certs []token.Certificate
	for i := range store.MaxParts {
		certs = append(certs, token.Certificate{
			CertID: token.CertID{Issuer: "CN=CA", Serial: fmt.Sprintf("%x", i+1)}, CUID: cuid, Origin: cuid,
			Status: token.CertActive, Presence: token.Held, NotAfter: w.now.Add(24 * time.Hour),
		})
	}
	put := func(certs ...token.Certificate) {
		t.Helper()
		old := w.by("p", "").Record()
		next := old
		_, err := w.store.Apply(t.Context(), store.Change{CUID: cuid, Old: &old, New: &next, Certs: certs,
			Actor: "a", Why: "b", At: w.now})
		require.NoError(t, err)
	}
	put(certs...)
	one := certs[0]
	one.Serial = "abcdef"
	put(one)
	err = c.Delete(t.Context()) // it knew of none when it looked
	require.ErrorIs(t, err, tokendb.ErrNotAllowed)
	require.ErrorContains(t, err, "is valid still")
	w.now = w.now.Add(48 * time.Hour)
	require.NoError(t, w.by("3", "").Delete(t.Context()))
	page, err := w.store.Certificates(t.Context(), store.CertQuery{CUID: cuid})
	require.NoError(t, err)
	require.Empty(t, page.Certificates)
}

func TestDeleteKeepsWhatIsNotSettled(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Add(t.Context(), agent("1", ""), cuid, tokendb.Edit{})
	require.NoError(t, err)
	begin := func(id string, kind token.IntentKind) {
		t.Helper()
		_, err := w.store.Apply(t.Context(), store.Change{CUID: cuid, Actor: "a", Why: "b", At: w.now,
			Begin: []token.Intent{{ID: id, Op: token.OpEnrollment, Kind: kind}}})
		require.NoError(t, err)
	}
	begin("x", token.IntentIssueCert)
	require.ErrorContains(t, w.by("2", "").Delete(t.Context()), "not settled yet")
	_, err = w.store.Apply(t.Context(), store.Change{CUID: cuid, Actor: "a", Why: "b", At: w.now,
		End: []store.IntentEnd{{ID: "x", Outcome: token.OutcomeDone}}})
	require.NoError(t, err)
	begin("y", token.IntentSetPIN)
	require.NoError(t, w.by("3", "").Delete(t.Context()))
	open, err := w.store.OpenIntents(t.Context(), cuid)
	require.NoError(t, err)
	require.Empty(t, open)
}

// The reason stands in the history, with the person whose token it is.
func TestChangeOfStateSaysWhy(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Add(t.Context(), agent("1", ""), cuid, tokendb.Edit{UserID: ptr("alice")})
	require.NoError(t, err)
	old := w.by("p", "").Record()
	next := old.InState(token.Formatted)
	_, err = w.store.Apply(t.Context(), store.Change{CUID: cuid, Old: &old, New: &next, Actor: "a",
		Why: "b", At: w.now})
	require.NoError(t, err)
	c := w.by("2", "dog ate it")
	require.NoError(t, c.ChangeState(t.Context(), token.Damaged, tokendb.Cleared{}))
	require.Equal(t, "state changed: FORMATTED to DAMAGED (0:1): dog ate it", c.Record().ModifiedWhy)
	log := w.log()
	require.Equal(t, `token_status_change success of "alice" by olga: FORMATTED to DAMAGED (0:1): dog ate it`,
		log[len(log)-1])
	require.Empty(t, w.db.Next(c.Record()), "by the shipped list, nothing leads on from DAMAGED")
}
