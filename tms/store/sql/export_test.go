package sql

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// OpenBusy opens a store with a busy timeout of the test's choice.
func OpenBusy(t *testing.T, path string, busy time.Duration) *Store {
	t.Helper()
	s, err := open(t.Context(), path, busy)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Synchronous returns what the writer's connection is set to.
func Synchronous(t *testing.T, s *Store) int {
	t.Helper()
	var level int
	require.NoError(t, s.engine.change(t.Context(), func(ctx context.Context, x tx) error {
		return x.Row(ctx, "PRAGMA synchronous", nil, &level)
	}))
	return level
}

// CheckPlans asks SQLite how it would answer the common questions: by an index
// and without sorting.
func CheckPlans(t *testing.T, s *Store) {
	t.Helper()
	now := time.Now()
	after := store.Position{At: now, Key: "1"}.Cursor()
	card := store.Position{At: now, Key: keys.CUID{1}.String()}.Cursor()
	for name, tq := range map[string]store.TokenQuery{
		"all":    {After: card},
		"user":   {UserID: "u", After: card},
		"type":   {Type: "t", After: card},
		"status": {Status: []token.State{token.Active}, After: card},
		"time":   {ModifiedFrom: now, ModifiedUntil: now, After: card},
	} {
		q, err := tokenQuery(tq)
		require.NoError(t, err)
		checkPlan(t, s, "tokens by "+name,
			q.text(tokenColumns, "tokens", "modified DESC, cuid DESC", 10), q.args)
	}
	for name, aq := range map[string]store.ActivityQuery{
		"all":     {After: after},
		"card":    {CUID: keys.CUID{1}, After: after},
		"user":    {UserID: "u", After: after},
		"session": {Session: "s", After: after},
		"op":      {Op: token.OpFormat, After: after},
		"time":    {From: now, Until: now, After: after},
	} {
		q, err := activityQuery(aq)
		require.NoError(t, err)
		checkPlan(t, s, "activities by "+name,
			q.text(activityColumns, "activities", "at DESC, id DESC", 10), q.args)
	}
	for name, iq := range map[string]store.IntentQuery{
		"open":    {After: after},
		"card":    {CUID: keys.CUID{1}, After: after},
		"all":     {Ended: true, After: after},
		"history": {CUID: keys.CUID{1}, Ended: true, After: after},
	} {
		q, err := intentQuery(iq)
		require.NoError(t, err)
		checkPlan(t, s, "intents by "+name, q.text(intentColumns, "intents", "seq", 10), q.args)
	}
	for name, cq := range map[string]store.CertQuery{
		"card":     {CUID: keys.CUID{1}, After: after},
		"serial":   {Issuer: "CN=a", Serial: "1", After: after},
		"user":     {UserID: "u", After: after},
		"presence": {Presence: token.Pending, After: after},
	} {
		q, err := certQuery(cq)
		require.NoError(t, err)
		checkPlan(t, s, "certificates by "+name,
			q.text(certColumns, "certificates", "id", 10), q.args)
	}
}

func checkPlan(t *testing.T, s *Store, name, text string, args []any) {
	t.Helper()
	rows, err := s.engine.Reads().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	all := strings.Join(plan, "; ")
	require.Contains(t, all, "USING INDEX", name)
	require.NotContains(t, all, "SCAN", name)
	require.NotContains(t, all, "TEMP B-TREE", name)
}
