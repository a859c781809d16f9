package postgres

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// attempts is how often a change is tried that the server ends because of others, as it does to one
// of two that wait for each other.
const attempts = 10

// Codes of errors after which the server has undone everything and trying again may work.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// Tx is the transaction of a Change.
type Tx struct{ tx *stdsql.Tx }

// Change makes one change in a transaction of its own, which is on the server's disk when Change
// returns nil and has left nothing when it returns an error of do. Once it has begun, Change waits
// for the outcome even if ctx ends, for as long as the limits in time allow. do may be called
// several times and must do nothing but speak to the database.
func (db *DB) Change(ctx context.Context, do func(context.Context, *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !db.enter() {
		return ErrClosed
	}
	defer db.changes.Done()
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
	defer cancel()
	conn, err := db.conn(ctx, work)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	for n := 1; ; n++ {
		err := db.attempt(work, conn, do)
		if e, ok := errors.AsType[*pgconn.PgError](err); n < attempts && ok &&
			(e.Code == serializationFailure || e.Code == deadlockDetected) {
			continue
		}
		return err
	}
}

// conn waits for a connection while the caller does: nothing has begun yet. The first statement of
// a connection that the server has closed in the meantime fails; database/sql tries another.
func (db *DB) conn(ctx, work context.Context) (*stdsql.Conn, error) {
	wait, cancel := context.WithCancel(work)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	conn, err := db.writes.Conn(wait)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return conn, nil
}

func (db *DB) attempt(ctx context.Context, conn *stdsql.Conn,
	do func(context.Context, *Tx) error,
) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	if err := do(ctx, &Tx{tx}); err != nil {
		_ = tx.Rollback() // the server does so by itself if it can't be told
		return err
	}
	var id string
	if err := tx.QueryRowContext(ctx, "SELECT pg_current_xact_id()::text").Scan(&id); err != nil {
		_ = tx.Rollback()
		return fmt.Errorf("committing: %w", err)
	}
	if err := tx.Commit(); err != nil {
		if _, said := errors.AsType[*pgconn.PgError](err); said {
			return fmt.Errorf("committing: %w", err)
		}
		return db.outcome(ctx, id, err)
	}
	return nil
}

// outcome asks, over another connection, what became of a transaction whose own connection was lost
// while it was committed.
func (db *DB) outcome(ctx context.Context, id string, lost error) error {
	for {
		var status stdsql.NullString
		err := db.writes.QueryRowContext(ctx, "SELECT pg_xact_status($1::xid8)", id).Scan(&status)
		switch {
		case err == nil && status.String == "committed":
			return nil
		case err == nil && status.String == "aborted":
			return fmt.Errorf("committing: %w", lost)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnknown, lost)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Lock has others who lock the same name wait until the transaction ends.
func (tx *Tx) Lock(ctx context.Context, name string) error {
	_, err := tx.tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
	return err
}

// Exec runs a statement of a constant text and gives the number of rows it changed.
func (tx *Tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	res, err := tx.tx.ExecContext(ctx, Text(text), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row asks a question of a constant text that has one answer; no answer is sql.ErrNoRows.
func (tx *Tx) Row(ctx context.Context, text string, args []any, dest ...any) error {
	return tx.tx.QueryRowContext(ctx, Text(text), args...).Scan(dest...)
}
