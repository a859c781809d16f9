package tokendb_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// noted has a key made and a certificate issued whose outcomes wait for the next change.
func noted(t *testing.T) (*world, *tokendb.Card) {
	t.Helper()
	w := newWorld(t)
	w.put(token.Formatted, nil)
	c := w.enrolling("s")
	key, err := c.BeginKey(t.Context(), "signing", 1)
	require.NoError(t, err)
	key.NoteDone()
	require.Equal(t, "write_key signing", w.certs(), "not recorded yet")
	require.Empty(t, c.OpenIntents())
	cert, err := c.BeginFor(t.Context(), token.IntentIssueCert, "signing", "{}")
	require.NoError(t, err)
	require.Equal(t, "issue_cert signing", w.certs(), "recorded with the next intent")
	cert.NoteIssued(certOf("1", "signing", 1))
	require.Equal(t, "issue_cert signing", w.certs())
	require.Empty(t, c.Resume(token.IntentIssueCert))
	require.Len(t, c.Certificates(), 1)
	return w, c
}

func TestOutcomeIsRecordedWithTheNextIntent(t *testing.T) {
	w, c := noted(t)
	_, err := c.BeginFor(t.Context(), token.IntentWriteContent, "", "")
	require.NoError(t, err)
	require.Equal(t, "1 pending active, write_content ", w.certs())
	require.Contains(t, w.record().ModifiedWhy, "certificate 1; about to")
	w.finish(c)
	require.Equal(t, "1 held active", w.certs())
}

func TestOutcomeIsRecordedWithTheEnd(t *testing.T) {
	w, c := noted(t)
	w.finish(c)
	require.Equal(t, "1 held active", w.certs(), "the end knows better than the note")
}

// A session that does not go on records what it noted; one that died leaves its intents.
func TestOutcomeOfASessionThatFails(t *testing.T) {
	w, c := noted(t)
	require.Equal(t, []*tokendb.Step(nil), c.Resume(token.IntentIssueCert))
	require.Len(t, w.look("other").Resume(token.IntentIssueCert), 1)
	require.NoError(t, c.Fail(t.Context(), token.OpEnrollment, errors.New("card was taken out")))
	require.Equal(t, "1 pending active", w.certs())
	require.NoError(t, c.Flush(t.Context()), "nothing is left")
	require.NotContains(t, w.activities()[0].Message, "unfinished")

	require.NoError(t, c.Abandon(t.Context()))
	require.Equal(t, "1 gone active, revoke_cert 1", w.certs())
}

// What is noted survives that somebody else changes the record in the meantime.
func TestOutcomeIsNotLostToAnotherChange(t *testing.T) {
	w, c := noted(t)
	other := w.look("other")
	require.NoError(t, other.BeginRevocations(t.Context(), []token.Certificate{certOf("9", "x", 9)},
		tokendb.Revoke{Reason: 1}))
	require.NoError(t, c.Flush(t.Context()))
	require.Equal(t, "1 pending active, revoke_cert 9", w.certs())
	require.Len(t, c.Certificates(), 1)
	require.Len(t, c.OpenIntents(), 1)
}

// A record that says no keeps what is noted, so that it can be recorded without the step.
func TestOutcomeIsKeptWhenTheNextStepIsRefused(t *testing.T) {
	w, c := noted(t)
	require.NoError(t, w.look("agent").ChangeState(t.Context(), token.PermLost, tokendb.Cleared{}))
	_, err := c.BeginFor(t.Context(), token.IntentWriteContent, "", "")
	require.ErrorIs(t, err, tokendb.ErrNotAllowed)
	require.Equal(t, "issue_cert signing", w.certs())
	require.NoError(t, c.Flush(t.Context()))
	require.Equal(t, "1 pending active", w.certs())
	require.Equal(t, token.PermLost, w.record().Status)
}
