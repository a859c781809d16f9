package sql_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/servers"
	"tokenwright/tms/store"
	"tokenwright/tms/store/postgres"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/store/storetest"
)

// startPostgres starts a server for one test. Where there is none the test is skipped, except in CI.
func startPostgres(t *testing.T) *servers.Postgres {
	t.Helper()
	p, err := servers.StartPostgres(context.WithoutCancel(t.Context()))
	if errors.Is(err, servers.ErrMissing) && !servers.Required() {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop()) })
	return p
}

func TestContractOnPostgres(t *testing.T) {
	p := startPostgres(t)
	storetest.Run(t, func(t *testing.T) storetest.Home {
		c, err := p.NewDatabase(t.Context())
		require.NoError(t, err)
		s, err := sql.OpenPostgres(t.Context(), c)
		require.NoError(t, err)
		return s
	})
}

// Several processes open a new database at once, and change it as one would.
func TestPostgresOpenedTogether(t *testing.T) {
	p := startPostgres(t)
	c, err := p.NewDatabase(t.Context())
	require.NoError(t, err)
	opened := make(chan *sql.Store, 4)
	failed := make(chan error, 4)
	for range cap(opened) {
		go func() {
			s, err := sql.OpenPostgres(t.Context(), c)
			opened <- s
			failed <- err
		}()
	}
	for range cap(opened) {
		require.NoError(t, <-failed)
		s := <-opened
		_, err := s.Apply(t.Context(), note(1))
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
	}
}

// Somebody who holds a card's row makes a change wait only for so long, and nobody else wait.
func TestPostgresLimitsInTime(t *testing.T) {
	p := startPostgres(t)
	c, err := p.NewDatabase(t.Context())
	require.NoError(t, err)
	s, err := sql.OpenPostgres(t.Context(), c)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	other, err := postgres.Open(t.Context(), c, postgres.Kind{Name: "other"})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	tx, err := other.Admin().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec("LOCK TABLE activities IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	start := time.Now()
	_, err = s.Apply(t.Context(), note(1))
	require.ErrorContains(t, err, "lock timeout")
	require.Less(t, time.Since(start), 9*time.Second)
	_, err = s.Token(t.Context(), card(1))
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, tx.Rollback())
	_, err = s.Apply(t.Context(), note(1))
	require.NoError(t, err)

	_, err = sql.OpenPostgres(t.Context(), func() postgres.Config { c.Password = "wrong"; return c }())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "wrong")
}

func TestConcurrentClientsOnPostgres(t *testing.T) {
	c, err := startPostgres(t).NewDatabase(t.Context())
	require.NoError(t, err)
	storetest.Concurrent(t, func(t *testing.T) storetest.Home {
		s, err := sql.OpenPostgres(t.Context(), c)
		require.NoError(t, err)
		return s
	})
}
