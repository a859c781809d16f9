package sql_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

// openFile opens a store that the test closes.
func openFile(t testing.TB, path string) *sql.Store {
	t.Helper()
	s, err := sql.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// note is a change that always succeeds: one activity.
func note(n int) store.Change {
	return store.Change{
		CUID: card(n), Actor: "test", Why: "note", At: time.Unix(1_700_000_000, int64(n)),
		Activities: []token.Activity{{Op: token.OpFormat, Result: token.Success}},
	}
}

// raw opens the file beside the store and makes statements on it.
func raw(t *testing.T, path string, statements ...string) *stdsql.DB {
	t.Helper()
	db, err := stdsql.Open("sqlite", path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, text := range statements {
		_, err := db.Exec(text)
		require.NoError(t, err, text)
	}
	return db
}

func TestFileIsPrivateAndDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	s := openFile(t, path)
	_, err := s.Apply(t.Context(), note(1))
	require.NoError(t, err)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
	db := raw(t, path)
	var mode string
	require.NoError(t, db.QueryRow("PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "wal", mode)
	require.Equal(t, 2, sql.Synchronous(t, s), "synchronous must be FULL")
}

func TestCloseFoldsTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sql.Open(t.Context(), path)
	require.NoError(t, err)
	_, err = s.Apply(t.Context(), note(1))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = os.Stat(path + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist)
	page, err := openFile(t, path).Activities(t.Context(), store.ActivityQuery{})
	require.NoError(t, err)
	require.Len(t, page.Activities, 1)
}

func TestRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	raw(t, foreign, "CREATE TABLE mail (id INTEGER)")
	_, err := sql.Open(t.Context(), foreign)
	require.ErrorIs(t, err, sql.ErrForeign)

	newer := filepath.Join(dir, "newer.db")
	s, err := sql.Open(t.Context(), newer)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	raw(t, newer, "PRAGMA user_version = 99")
	_, err = sql.Open(t.Context(), newer)
	require.ErrorIs(t, err, sql.ErrNewer)
	require.ErrorContains(t, err, "99")

	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte("not a database, and long enough to be looked at "+
		"as one: the header of a real one is a hundred bytes long"), 0o600))
	_, err = sql.Open(t.Context(), garbage)
	require.ErrorContains(t, err, garbage)

	_, err = sql.Open(t.Context(), filepath.Join(dir, "missing", "tokens.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestOpenedTwice has two stores on one new file, as two processes would.
func TestOpenedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	stores := make([]*sql.Store, 2)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() { stores[i] = openFile(t, path) })
	}
	wg.Wait()
	for n := range 100 {
		for _, s := range stores {
			wg.Go(func() {
				_, err := s.Apply(t.Context(), note(n))
				if err != nil {
					t.Errorf("Apply: %v", err)
				}
			})
		}
	}
	wg.Wait()
	page, err := stores[0].Activities(t.Context(), store.ActivityQuery{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, page.Activities, 200)
}

func TestWaitsForAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	s := sql.OpenBusy(t, path, 5*time.Second)
	other := raw(t, path, "BEGIN IMMEDIATE")
	done := make(chan error, 1)
	go func() {
		_, err := s.Apply(t.Context(), note(1))
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("Apply did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	_, err := other.Exec("COMMIT")
	require.NoError(t, err)
	require.NoError(t, <-done)
}

func TestGivesUpOnAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	s := sql.OpenBusy(t, path, 50*time.Millisecond)
	other := raw(t, path, "BEGIN IMMEDIATE")
	_, err := s.Apply(t.Context(), note(1))
	require.ErrorContains(t, err, "locked")
	_, err = s.Token(t.Context(), card(1))
	require.ErrorIs(t, err, store.ErrNotFound, "reading goes on")
	_, err = other.Exec("COMMIT")
	require.NoError(t, err)
	_, err = s.Apply(t.Context(), note(1))
	require.NoError(t, err, "and writing, once the other has ended")
}

// TestCloseUnderLoad closes a store that many write to: what was promised is
// there, what was refused is not.
func TestCloseUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	s, err := sql.Open(t.Context(), path)
	require.NoError(t, err)
	var promised atomic.Int64
	var wg sync.WaitGroup
	started := make(chan struct{}, 64)
	for w := range 16 {
		wg.Go(func() {
			for n := 0; ; n++ {
				_, err := s.Apply(t.Context(), note(w*10000+n))
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("Apply: %v", err)
					return
				}
				promised.Add(1)
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range cap(started) {
		<-started
	}
	require.NoError(t, s.Close())
	wg.Wait()
	db := raw(t, path)
	var kept int64
	require.NoError(t, db.QueryRow("SELECT count(*) FROM activities").Scan(&kept))
	require.Equal(t, promised.Load(), kept)
}

// TestGroupsKeepToThemselves sends good and bad changes together: each has its
// own outcome.
func TestGroupsKeepToThemselves(t *testing.T) {
	s := openFile(t, filepath.Join(t.TempDir(), "tokens.db"))
	var wg sync.WaitGroup
	for n := range 300 {
		wg.Go(func() {
			c := note(n)
			if n%3 == 0 {
				c.End = []store.IntentEnd{{ID: "no such", Outcome: token.OutcomeDone}}
			}
			_, err := s.Apply(t.Context(), c)
			if n%3 == 0 != errors.Is(err, store.ErrNotFound) || n%3 != 0 && err != nil {
				t.Errorf("change %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	page, err := s.Activities(t.Context(), store.ActivityQuery{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, page.Activities, 200)
}

// TestListsStayFast fills the database and reads a page deep inside it. Every
// question that people ask all day is answered from an index, in its order.
func TestListsStayFast(t *testing.T) {
	s := openFile(t, filepath.Join(t.TempDir(), "tokens.db"))
	sql.CheckPlans(t, s)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := range 100 {
				id := card(w*100 + n)
				rec := token.NewRecord(id, token.Policy{})
				rec.UserID = fmt.Sprintf("user%d", n%50)
				c := note(w*100 + n)
				c.New = &rec
				if _, err := s.Apply(t.Context(), c); err != nil {
					t.Errorf("Apply: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen := 0
	for q := (store.TokenQuery{Limit: 100}); ; {
		page, err := s.Tokens(ctx, q)
		require.NoError(t, err)
		seen += len(page.Tokens)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	require.Equal(t, 1600, seen)
}
