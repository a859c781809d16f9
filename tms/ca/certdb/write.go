package certdb

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"runtime"
)

// maxGroup bounds the changes committed together.
const maxGroup = 64

// request is one change on its way through the writer.
type request struct {
	ctx  context.Context
	do   func(ctx context.Context, w *writer) error
	err  error
	done chan struct{} // closed when err is set
}

// change makes one change. Concurrent changes are committed together, with one sync of the disk
// for all of them; each succeeds or fails by itself. Once the writer has taken it on, change waits
// for the outcome even if ctx ends, so that the outcome is never in doubt.
func (db *DB) change(ctx context.Context, do func(context.Context, *writer) error) error {
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

// writer is the one connection that changes the file, used by one goroutine.
type writer struct {
	conn *stdsql.Conn
	stmt map[string]*stdsql.Stmt // by text
}

func newWriter(ctx context.Context, db *stdsql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, stmt: map[string]*stdsql.Stmt{}}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) error {
	var mode string
	if err := w.conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("file system offers journal mode %q, not wal", mode)
	}
	return migrate(ctx, w.conn)
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.stmt {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// statement gives the prepared statement of a constant text.
func (w *writer) statement(ctx context.Context, text string) (*stdsql.Stmt, error) {
	if s := w.stmt[text]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.WithoutCancel(ctx), text)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	w.stmt[text] = s
	return s, nil
}

// exec runs a statement of a constant text and gives the number of rows it changed.
func (w *writer) exec(ctx context.Context, text string, args ...any) (int64, error) {
	s, err := w.statement(ctx, text)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row runs a question of a constant text.
func (w *writer) row(ctx context.Context, text string, args []any, dest ...any) error {
	s, err := w.statement(ctx, text)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(dest...)
}

// commit makes the changes of a group in one transaction and answers all of them.
func (w *writer) commit(group []*request) {
	if err := w.transact(context.Background(), group); err != nil {
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
func (w *writer) transact(ctx context.Context, group []*request) error {
	if _, err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	for _, r := range group {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		if err := w.one(ctx, r); err != nil {
			return errors.Join(err, w.rollback(ctx))
		}
	}
	if _, err := w.exec(ctx, "COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("committing: %w", err), w.rollback(ctx))
	}
	return nil
}

// rollback ends a transaction that failed. SQLite may have ended it already; then there is nothing
// to undo and its complaint says nothing.
func (w *writer) rollback(ctx context.Context) error {
	_, _ = w.exec(ctx, "ROLLBACK")
	var objects int
	if err := w.row(ctx, "SELECT count(*) FROM sqlite_schema", nil, &objects); err != nil {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// one makes a change inside a savepoint. The error is of the savepoint itself and ends the group.
func (w *writer) one(ctx context.Context, r *request) error {
	if _, err := w.exec(ctx, "SAVEPOINT change"); err != nil {
		return err
	}
	if r.err = r.do(ctx, w); r.err != nil {
		if _, err := w.exec(ctx, "ROLLBACK TO change"); err != nil {
			return errors.Join(r.err, err)
		}
	}
	_, err := w.exec(ctx, "RELEASE change")
	return err
}
