package sql_test

import (
	stdsql "database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store/postgres"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/store/storetest"
	"tokenwright/tms/token"
)

// smallSize is what the large home, largeSize, is measured beside. The latter is a little bigger only
// where the build is not tagged soak; SIZE_TOKENS sets it.
var (
	smallSize = storetest.Size{Tokens: 1_000, Activities: 10_000}
	largeSize = storetest.Size{Tokens: 2_000, Activities: 20_000}
)

// load fills an empty database by statements that make rows from numbers. card and small write the
// number N as a card and in hexadecimal.
func load(t *testing.T, db *stdsql.DB, size storetest.Size, card, small string) {
	t.Helper()
	start := time.Now()
	step := func(text string) {
		t.Helper()
		_, err := db.Exec(text)
		require.NoError(t, err, text)
	}
	numbers := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s "+
			"WHERE n + 1 < %d) ", n)
	}
	states := "CASE n % 7"
	for i, s := range token.States() {
		states += fmt.Sprintf(" WHEN %d THEN %d", i, s.Code())
	}
	ops := fmt.Sprintf("CASE n %% %d", len(token.Ops()))
	for i, op := range token.Ops() {
		ops += fmt.Sprintf(" WHEN %d THEN '%s'", i, op)
	}
	epoch := storetest.SizeEpoch.UnixNano()
	cardOf := func(n string) string { return strings.ReplaceAll(card, "N", "("+n+" + 1)") }
	userOf := func(n string) string { return fmt.Sprintf("'user' || (%s / %d)", n, storetest.PerUser) }
	at := fmt.Sprintf("(%d + n * %d)", epoch, storetest.TokenEvery.Nanoseconds())
	step(fmt.Sprintf(`INSERT INTO tokens (cuid, user_id, type, status, reason, before_status, applet_id,
		key_info, policy, created, modified, modified_by, modified_why, rev) %s SELECT %s, %s,
		'type' || (n %% %d), %s END, '', 0, '1.4.58768072', '0201', '', %s, %s, 'loader', 'load', 1
		FROM s`, numbers(size.Tokens), cardOf("n"), userOf("n"), storetest.Types, states, at, at))
	card1 := fmt.Sprintf("(n / %d %% %d)", storetest.PerSession, size.Tokens)
	step(fmt.Sprintf(`INSERT INTO activities (id, cuid, user_id, actor, ip, op, result, message, type,
		session, at) %s SELECT n + 1, %s, %s, 'loader', '', %s END,
		CASE n %% 2 WHEN 0 THEN 'success' ELSE 'failure' END, 'loaded', '', 's' || (n / %d),
		%d + n * %d FROM s`, numbers(size.Activities), cardOf(card1), userOf(card1), ops,
		storetest.PerSession, epoch, storetest.ActivityEvery.Nanoseconds()))
	step(fmt.Sprintf(`INSERT INTO certificates (cuid, issuer, serial, origin, subject, authority, ca, kra,
		key_id, user_id, type, key_type, container, status, presence, not_before, not_after, created,
		modified) %s SELECT %s, 'CN=CA', %s, %s, '', '', '', '', '', %s, '', '', 0, 'active', 'held',
		%s, %s, %s, %s FROM s`, numbers(size.Tokens), cardOf("n"),
		strings.ReplaceAll(small, "N", "(n + 1)"), cardOf("n"), userOf("n"), at, at, at, at))
	t.Logf("%+v loaded in %s", size, time.Since(start).Round(time.Millisecond))
}

// without drops all indexes that were made by statements, and answers the statements.
func without(t *testing.T, db *stdsql.DB, list, drop string) []string {
	t.Helper()
	rows, err := db.Query(list)
	require.NoError(t, err)
	var texts, names []string
	for rows.Next() {
		var name, text string
		require.NoError(t, rows.Scan(&name, &text))
		names, texts = append(names, name), append(texts, text)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.NotEmpty(t, names)
	for _, name := range names {
		_, err := db.Exec(fmt.Sprintf(drop, name))
		require.NoError(t, err)
	}
	return texts
}

// again makes the indexes anew, and has the database do what it does by itself in quiet hours.
func again(t *testing.T, db *stdsql.DB, texts []string, tidy ...string) {
	t.Helper()
	start := time.Now()
	for _, text := range append(texts, tidy...) {
		_, err := db.Exec(text)
		require.NoError(t, err)
	}
	t.Logf("indexed in %s", time.Since(start).Round(time.Millisecond))
}

func sizedFile(t *testing.T, size storetest.Size) *sql.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sql.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db := raw(t, path, "PRAGMA synchronous = OFF", "PRAGMA journal_mode = WAL")
	texts := without(t, db, "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql <> ''",
		"DROP INDEX %s")
	load(t, db, size, "printf('%020X', N)", "printf('%x', N)")
	again(t, db, texts, "ANALYZE")
	return openFile(t, path)
}

func TestSizes(t *testing.T) {
	size := storetest.AskedSize(t, largeSize)
	storetest.Sizes(t, sizedFile(t, smallSize), sizedFile(t, size), smallSize, size)
}

func TestSizesOnPostgres(t *testing.T) {
	size := storetest.AskedSize(t, largeSize)
	p := startPostgres(t)
	var homes []*sql.Store
	for _, size := range []storetest.Size{smallSize, size} {
		c, err := p.NewDatabase(t.Context())
		require.NoError(t, err)
		s, err := sql.OpenPostgres(t.Context(), c)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		admin, err := postgres.Open(t.Context(), c, postgres.Kind{Name: "loader"})
		require.NoError(t, err)
		db := admin.Admin()
		db.SetMaxOpenConns(1)
		_, err = db.Exec("SET statement_timeout = 0")
		require.NoError(t, err)
		texts := without(t, db, `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND
			indexname NOT IN (SELECT conname FROM pg_constraint)`, "DROP INDEX %s")
		load(t, db, size, "upper(lpad(to_hex(N), 20, '0'))", "to_hex(N)")
		again(t, db, texts, "VACUUM ANALYZE", "CHECKPOINT")
		require.NoError(t, admin.Close())
		homes = append(homes, s)
	}
	storetest.Sizes(t, homes[0], homes[1], smallSize, size)
}
