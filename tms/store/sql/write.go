package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"runtime"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// maxGroup bounds the changes committed together.
const maxGroup = 64

// request is one change on its way through the writer.
type request struct {
	ctx    context.Context
	change store.Change // normalized
	rec    token.Record
	err    error
	done   chan struct{} // closed when rec and err are set
}

// Apply makes one change. Concurrent changes are committed together, with one
// sync of the disk for all of them; each succeeds or fails by itself. Once the
// writer has taken the change on, Apply waits for its outcome even if ctx ends,
// so that the outcome is never in doubt.
func (s *Store) Apply(ctx context.Context, c store.Change) (token.Record, error) {
	c, err := c.Normalize()
	if err != nil {
		return token.Record{}, err
	}
	r := &request{ctx: ctx, change: c, done: make(chan struct{})}
	if s.isClosed() { // asked first: select has no preference
		return token.Record{}, store.ErrClosed
	}
	select {
	case s.queue <- r:
		<-r.done
	case <-s.quit:
		return token.Record{}, store.ErrClosed
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	if r.err != nil {
		return token.Record{}, fmt.Errorf("changing token %s: %w", c.CUID, r.err)
	}
	return r.rec, nil
}

// write is the writer's life.
func (s *Store) write() {
	defer close(s.stopped)
	group := make([]*request, 0, maxGroup)
	for {
		select {
		case r := <-s.queue:
			group = s.gather(append(group[:0], r))
			s.writer.commit(group)
		case <-s.quit:
			return
		}
	}
}

// gather adds the requests that are waiting already. It waits for none, except
// that it lets callers who were just answered come back with their next one.
func (s *Store) gather(group []*request) []*request {
	yielded := false
	for len(group) < maxGroup {
		select {
		case r := <-s.queue:
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
	stmt statements
}

func newWriter(ctx context.Context, db *stdsql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) error {
	var mode string
	err := w.conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("file system offers journal mode %q, not wal", mode)
	}
	if err := migrate(ctx, w.conn); err != nil {
		return err
	}
	return w.stmt.prepare(ctx, w.conn)
}

func (w *writer) close() error {
	return errors.Join(w.stmt.close(), w.conn.Close())
}

// commit makes the changes of a group in one transaction and answers all of
// them.
func (w *writer) commit(group []*request) {
	if err := w.transact(group); err != nil {
		for _, r := range group {
			r.rec, r.err = token.Record{}, err
		}
	}
	for _, r := range group {
		close(r.done)
	}
}

// transact returns an error only if nothing of the group was kept. A change
// that fails by itself says so in its request.
func (w *writer) transact(group []*request) error {
	ctx := context.Background()
	if err := run(ctx, w.stmt.begin); err != nil {
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
	if err := run(ctx, w.stmt.commit); err != nil {
		return errors.Join(fmt.Errorf("committing: %w", err), w.rollback(ctx))
	}
	return nil
}

// rollback ends a transaction that failed. SQLite may have ended it already;
// then there is nothing to undo and its complaint says nothing.
func (w *writer) rollback(ctx context.Context) error {
	_ = run(ctx, w.stmt.rollback)
	var objects int
	err := w.conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects)
	if err != nil {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// one makes a change inside a savepoint. The error is of the savepoint itself
// and ends the whole group.
func (w *writer) one(ctx context.Context, r *request) error {
	if err := run(ctx, w.stmt.savepoint); err != nil {
		return err
	}
	if r.rec, r.err = w.apply(ctx, r.change); r.err != nil {
		r.rec = token.Record{}
		if err := run(ctx, w.stmt.undo); err != nil {
			return errors.Join(r.err, err)
		}
	}
	return run(ctx, w.stmt.release)
}

func run(ctx context.Context, s *stdsql.Stmt, args ...any) error {
	_, err := s.ExecContext(ctx, args...)
	return err
}
