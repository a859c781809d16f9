package tokendb_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// The server by itself and a session with the card may come upon the same unfinished revocation: one of
// them records it, and the other goes on.
func TestRevokedByAnotherMeanwhile(t *testing.T) {
	w := enrolledWorld(t)
	died := w.enrolling("died")
	step, err := died.BeginKey(t.Context(), "signing", 1)
	require.NoError(t, err)
	require.NoError(t, step.Done(t.Context()))
	w.issue(died, certOf("3", "signing", 1))
	w.finish(died)

	c := w.look("next")
	late := c.Resume(token.IntentRevokeCert)
	require.Len(t, late, 1)
	what, err := late[0].Revocation()
	require.NoError(t, err)
	w.store.before = func(store.Change) {
		soon := w.look("reconciler").Resume(token.IntentRevokeCert)
		require.Len(t, soon, 1)
		require.NoError(t, soon[0].Revoked(t.Context(), what))
	}
	require.NoError(t, late[0].Revoked(t.Context(), what))
	require.Equal(t, "1 gone revoked, 2 held active, 3 held active", w.certs())
	require.Equal(t, 1, strings.Count(w.history(), "cert_revocation success"))
}
