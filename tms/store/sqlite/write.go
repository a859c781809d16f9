package sqlite

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"runtime"
	"time"

	"modernc.org/sqlite" // the database/sql driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxGroup bounds the changes committed together.
const maxGroup = 64

// request is one change on its way through the writer.
type request struct {
	ctx  context.Context
	do   func(context.Context, *Tx) error
	err  error
	done chan struct{} // closed when err is set
}

// Change makes one change, which is on the disk when Change returns nil and has left nothing when
// it returns an error of do. Concurrent changes are committed together; each succeeds or fails by
// itself. Once the writer has taken it on, Change waits for the outcome even if ctx ends, so that
// the outcome is never in doubt. do runs on the writer: it must be short and wait for nothing.
func (db *DB) Change(ctx context.Context, do func(context.Context, *Tx) error) error {
	r := &request{ctx: ctx, do: do, done: make(chan struct{})}
	select { // asked first: select has no preference
	case <-db.quit:
		return ErrClosed
	default:
	}
	select {
	case db.queue <- r:
		<-r.done
		return r.err
	case <-db.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the writer's life.
func (db *DB) write() {
	defer close(db.stopped)
	group := make([]*request, 0, maxGroup)
	for {
		select {
		case r := <-db.queue:
			group = db.gather(append(group[:0], r))
			db.writer.commit(group)
		case <-db.quit:
			return
		}
	}
}

// gather adds the requests that are waiting already. It waits for none, except that it lets callers
// who were just answered come back with their next one.
func (db *DB) gather(group []*request) []*request {
	yielded := false
	for len(group) < maxGroup {
		select {
		case r := <-db.queue:
			group = append(group, r)
		default:
			if yielded {
				return group
			}
			yielded = true
			runtime.Gosched()
		}
	}
	return group
}

// Tx is the one connection that changes the file, inside the transaction of a Change.
type Tx struct {
	conn *stdsql.Conn
	stmt map[string]*stdsql.Stmt // by text
}

func newWriter(ctx context.Context, db *stdsql.DB, k Kind) (*Tx, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	tx := &Tx{conn: conn, stmt: map[string]*stdsql.Stmt{}}
	if err := tx.prepare(ctx, k); err != nil {
		return nil, errors.Join(err, tx.close())
	}
	return tx, nil
}

func (tx *Tx) prepare(ctx context.Context, k Kind) error {
	mode, err := tx.useLog(ctx)
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("file system offers journal mode %q, not wal", mode)
	}
	return k.migrate(ctx, tx.conn)
}

// useLog has the file keep a write-ahead log. SQLite waits for no other process that opens or closes
// the file at this moment, as it does for locks at all others: so it is asked again.
func (tx *Tx) useLog(ctx context.Context) (mode string, err error) {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	tick := time.NewTicker(busyRetry)
	defer tick.Stop()
	for {
		err = tx.conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		if !isBusy(err) {
			return mode, err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-tick.C:
		}
	}
}

// busyRetry is the time between two tries.
const busyRetry = 10 * time.Millisecond

// isBusy says whether another process has the file locked. // sqlite.org/rescode.html#busy
func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xFF == sqlite3.SQLITE_BUSY
}

func (tx *Tx) close() error {
	var errs []error
	for _, s := range tx.stmt {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, tx.conn.Close())...)
}

// statement gives the prepared statement of a text, which is kept: texts are constants.
func (tx *Tx) statement(ctx context.Context, text string) (*stdsql.Stmt, error) {
	if s := tx.stmt[text]; s != nil {
		return s, nil
	}
	s, err := tx.conn.PrepareContext(context.WithoutCancel(ctx), text)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	tx.stmt[text] = s
	return s, nil
}

// Exec runs a statement of a constant text and gives the number of rows it changed.
func (tx *Tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	s, err := tx.statement(ctx, text)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row asks a question of a constant text that has one answer; no answer is sql.ErrNoRows.
func (tx *Tx) Row(ctx context.Context, text string, args []any, dest ...any) error {
	s, err := tx.statement(ctx, text)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(dest...)
}

// Rows asks a question of a constant text. The caller closes the answer before it goes on.
func (tx *Tx) Rows(ctx context.Context, text string, args ...any) (*stdsql.Rows, error) {
	s, err := tx.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// commit makes the changes of a group in one transaction and answers all of them.
func (tx *Tx) commit(group []*request) {
	if err := tx.transact(context.Background(), group); err != nil {
		for _, r := range group {
			r.err = err
		}
	}
	for _, r := range group {
		close(r.done)
	}
}

// transact returns an error only if nothing of the group was kept. A change that fails by itself
// says so in its request.
func (tx *Tx) transact(ctx context.Context, group []*request) error {
	if _, err := tx.Exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	for _, r := range group {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		if err := tx.one(ctx, r); err != nil {
			return errors.Join(err, tx.rollback(ctx))
		}
	}
	if _, err := tx.Exec(ctx, "COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("committing: %w", err), tx.rollback(ctx))
	}
	return nil
}

// rollback ends a transaction that failed. SQLite may have ended it already; then there is nothing
// to undo and its complaint says nothing.
func (tx *Tx) rollback(ctx context.Context) error {
	_, _ = tx.Exec(ctx, "ROLLBACK")
	var objects int
	if err := tx.Row(ctx, "SELECT count(*) FROM sqlite_schema", nil, &objects); err != nil {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// one makes a change inside a savepoint. The error is of the savepoint itself and ends the group.
func (tx *Tx) one(ctx context.Context, r *request) error {
	if _, err := tx.Exec(ctx, "SAVEPOINT change"); err != nil {
		return err
	}
	if r.err = r.do(ctx, tx); r.err != nil {
		if _, err := tx.Exec(ctx, "ROLLBACK TO change"); err != nil {
			return errors.Join(r.err, err)
		}
	}
	_, err := tx.Exec(ctx, "RELEASE change")
	return err
}
