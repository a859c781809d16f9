package sqlite_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/store/sqlite"
)

var kind = sqlite.Kind{ApplicationID: 0x1234, Schema: []string{
	"CREATE TABLE words (word TEXT PRIMARY KEY) STRICT;",
	"ALTER TABLE words ADD COLUMN n INTEGER NOT NULL DEFAULT 0;",
}}

func openAt(t *testing.T, path string, k sqlite.Kind) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, k)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func add(word string) func(context.Context, *sqlite.Tx) error {
	return func(ctx context.Context, tx *sqlite.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO words (word) VALUES (?)", word)
		return err
	}
}

func count(t *testing.T, db *sqlite.DB) int {
	t.Helper()
	var n int
	require.NoError(t, db.Reads().QueryRow("SELECT count(*) FROM words").Scan(&n))
	return n
}

// A change that fails leaves nothing, and takes none of those along that are committed with it.
func TestFailedChangeLeavesNothing(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), kind)
	own := errors.New("own")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := db.Change(t.Context(), func(ctx context.Context, tx *sqlite.Tx) error {
				if err := add(string(rune('A'+i)))(ctx, tx); err != nil || i%2 == 0 {
					return err
				}
				return own
			})
			if i%2 == 0 {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, own)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 50, count(t, db))
	require.Error(t, db.Change(t.Context(), add("A")), "a key twice")
	require.NoError(t, db.Change(t.Context(), func(ctx context.Context, tx *sqlite.Tx) error {
		var n int
		if err := tx.Row(ctx, "SELECT n FROM words WHERE word = ?", []any{"B"}, &n); !errors.Is(err,
			stdsql.ErrNoRows) {
			return errors.New("want no rows")
		}
		rows, err := tx.Rows(ctx, "SELECT word FROM words")
		if err != nil {
			return err
		}
		return errors.Join(rows.Err(), rows.Close())
	}))
}

func TestEndedContextAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db, err := sqlite.Open(t.Context(), path, kind)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, db.Change(ctx, add("x")), context.Canceled)
	_, err = db.Reads().Exec("DELETE FROM words")
	require.Error(t, err, "questions change nothing")
	require.NoError(t, db.Close())
	require.NoError(t, db.Close())
	require.ErrorIs(t, db.Change(t.Context(), add("x")), sqlite.ErrClosed)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = os.Stat(path + "-wal")
	assert.ErrorIs(t, err, os.ErrNotExist, "the log is folded in")
}

func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old := kind
	old.Schema = kind.Schema[:1]
	first, err := sqlite.Open(t.Context(), path, old)
	require.NoError(t, err)
	require.NoError(t, first.Change(t.Context(), add("kept")))
	require.NoError(t, first.Close())
	db := openAt(t, path, kind)
	assert.Equal(t, 1, count(t, db))
	_, err = sqlite.Open(t.Context(), path, old)
	require.ErrorIs(t, err, sqlite.ErrNewer)
	other := kind
	other.ApplicationID++
	_, err = sqlite.Open(t.Context(), path, other)
	require.ErrorIs(t, err, sqlite.ErrForeign)

	broken := kind
	broken.Schema = []string{"CREATE TABLE a (b TEXT); CREATE TABLE a (b TEXT);"}
	path = filepath.Join(t.TempDir(), "b.db")
	_, err = sqlite.Open(t.Context(), path, broken)
	require.Error(t, err)
	openAt(t, path, kind) // a step that failed has left nothing
}

// Processes that open a new file at once agree on who makes the schema.
func TestOpenedTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			db, err := sqlite.Open(t.Context(), path, kind)
			if assert.NoError(t, err) {
				assert.NoError(t, db.Close())
			}
		})
	}
	wg.Wait()
}
