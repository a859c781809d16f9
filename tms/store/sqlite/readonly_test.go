package sqlite_test

import (
	stdsql "database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/store/sqlite"
)

// A reader sees what another one commits, while that one is at work, after it, and before it began
// again; and it changes nothing.
func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	_, err := sqlite.OpenReadOnly(t.Context(), path, kind)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.NoFileExists(t, path)

	writer, err := sqlite.Open(t.Context(), path, kind)
	require.NoError(t, err)
	require.NoError(t, writer.Change(t.Context(), add("one")))
	reader, err := sqlite.OpenReadOnly(t.Context(), path, kind)
	require.NoError(t, err)
	defer reader.Close()
	words := func() (n int) {
		require.NoError(t, reader.QueryRow("SELECT count(*) FROM words").Scan(&n))
		return n
	}
	assert.Equal(t, 1, words())
	require.NoError(t, writer.Change(t.Context(), add("two")))
	assert.Equal(t, 2, words())
	_, err = reader.Exec("INSERT INTO words (word) VALUES ('three')")
	require.Error(t, err)
	require.NoError(t, writer.Close())
	assert.Equal(t, 2, words(), "the writer has gone")
	again, err := sqlite.Open(t.Context(), path, kind)
	require.NoError(t, err)
	require.NoError(t, again.Change(t.Context(), add("three")))
	assert.Equal(t, 3, words(), "and come back")
	require.NoError(t, again.Close())

	alone, err := sqlite.OpenReadOnly(t.Context(), path, kind)
	require.NoError(t, err, "with no writer at all")
	require.NoError(t, alone.Close())
	newer := kind
	newer.Schema = append(newer.Schema[:2:2], "SELECT 1;")
	_, err = sqlite.OpenReadOnly(t.Context(), path, newer)
	require.ErrorContains(t, err, "schema version 2")
	older := kind
	older.Schema = kind.Schema[:1]
	_, err = sqlite.OpenReadOnly(t.Context(), path, older)
	require.ErrorIs(t, err, sqlite.ErrNewer)
	older.ApplicationID++
	_, err = sqlite.OpenReadOnly(t.Context(), path, older)
	require.ErrorIs(t, err, sqlite.ErrForeign)
}

// A process that opens the file waits for one that has it locked for the moment.
func TestOpeningWaitsForALock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	raw, err := stdsql.Open("sqlite", path)
	require.NoError(t, err)
	defer raw.Close()
	conn, err := raw.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	opened := make(chan error, 1)
	go func() {
		db, err := sqlite.Open(t.Context(), path, kind)
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, <-opened)
}
