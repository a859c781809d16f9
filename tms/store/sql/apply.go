package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// statements are the writer's, prepared once.
type statements struct {
	begin, commit, rollback  *stdsql.Stmt
	savepoint, undo, release *stdsql.Stmt
	add, replace, remove     *stdsql.Stmt
	bury, exists             *stdsql.Stmt
	activity, intent, end    *stdsql.Stmt
	cert, drop, mark         *stdsql.Stmt
}

// all pairs each statement with its text.
func (s *statements) all() map[**stdsql.Stmt]string {
	return map[**stdsql.Stmt]string{
		&s.begin:     "BEGIN IMMEDIATE",
		&s.commit:    "COMMIT",
		&s.rollback:  "ROLLBACK",
		&s.savepoint: "SAVEPOINT change",
		&s.undo:      "ROLLBACK TO change",
		&s.release:   "RELEASE change",
		&s.add: `INSERT INTO tokens (user_id, type, status, reason, before_status, applet_id,
			key_info, policy, modified, modified_by, modified_why, cuid, created, rev)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?9,
				1 + coalesce((SELECT rev FROM former_tokens WHERE cuid = ?12), 0))
			ON CONFLICT (cuid) DO NOTHING RETURNING created, rev`,
		&s.replace: `UPDATE tokens SET user_id = ?1, type = ?2, status = ?3, reason = ?4,
			before_status = ?5, applet_id = ?6, key_info = ?7, policy = ?8, modified = ?9,
			modified_by = ?10, modified_why = ?11, rev = rev + 1
			WHERE cuid = ?12 AND rev = ?13 RETURNING created, rev`,
		&s.remove: "DELETE FROM tokens WHERE cuid = ? AND rev = ?",
		&s.bury: `INSERT INTO former_tokens (cuid, rev) VALUES (?, ?)
			ON CONFLICT (cuid) DO UPDATE SET rev = excluded.rev`,
		&s.exists: "SELECT count(*) FROM tokens WHERE cuid = ?",
		&s.activity: `INSERT INTO activities
			(cuid, user_id, actor, ip, op, result, message, type, session, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&s.intent: `INSERT INTO intents
			(id, cuid, session, actor, op, kind, from_info, to_info, at, detail, seq, outcome, ended,
				ended_by)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
				1 + coalesce((SELECT max(seq) FROM intents), 0), '', 0, '')
			ON CONFLICT (id) DO NOTHING`,
		&s.end: `UPDATE intents SET outcome = ?, ended = ?, ended_by = ?
			WHERE id = ? AND cuid = ? AND outcome = ''`,
		&s.cert: certStatement,
		&s.drop: "DELETE FROM certificates WHERE cuid = ? AND issuer = ? AND serial = ?",
		&s.mark: "UPDATE certificates SET status = ?, modified = ? WHERE issuer = ? AND serial = ?",
	}
}

func (s *statements) prepare(ctx context.Context, conn *stdsql.Conn) error {
	for stmt, text := range s.all() {
		var err error
		if *stmt, err = conn.PrepareContext(ctx, text); err != nil {
			return fmt.Errorf("preparing %q: %w", text, err)
		}
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for stmt := range s.all() {
		if *stmt != nil {
			errs = append(errs, (*stmt).Close())
		}
	}
	return errors.Join(errs...)
}

// apply makes one normalized change. After an error the caller undoes whatever
// part of it was made.
func (w *writer) apply(ctx context.Context, c store.Change) (token.Record, error) {
	rec, err := w.record(ctx, c)
	if err != nil {
		return token.Record{}, err
	}
	for _, a := range c.Activities {
		err := run(ctx, w.stmt.activity, a.CUID.String(), a.UserID, a.Actor, a.IP, string(a.Op),
			string(a.Result), a.Message, a.Type, a.Session, nanos(a.At))
		if err != nil {
			return token.Record{}, fmt.Errorf("activity: %w", err)
		}
	}
	for _, i := range c.Begin {
		n, err := affected(w.stmt.intent.ExecContext(ctx, i.ID, i.CUID.String(), i.Session, i.Actor,
			string(i.Op), string(i.Kind), i.From, i.To, nanos(i.At), i.Detail))
		if err == nil && n == 0 {
			err = store.ErrExists
		}
		if err != nil {
			return token.Record{}, fmt.Errorf("intent %s: %w", i.ID, err)
		}
	}
	for _, e := range c.End {
		n, err := affected(w.stmt.end.ExecContext(ctx,
			string(e.Outcome), nanos(c.At), c.Session, e.ID, c.CUID.String()))
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return token.Record{}, fmt.Errorf("ending intent %s: %w", e.ID, err)
		}
	}
	if err := w.certificates(ctx, c); err != nil {
		return token.Record{}, err
	}
	return rec, nil
}

// record makes the record's part of the change.
func (w *writer) record(ctx context.Context, c store.Change) (token.Record, error) {
	switch {
	case c.Old == nil && c.New == nil:
		return token.Record{}, nil
	case c.New == nil:
		return token.Record{}, w.delete(ctx, c)
	}
	rec, id := *c.New, c.CUID.String()
	args := []any{rec.UserID, rec.Type, rec.Status.Code(), string(rec.Reason), rec.Before.Code(),
		rec.AppletID, rec.KeyInfo, rec.Policy.String(), nanos(rec.Modified),
		rec.ModifiedBy, rec.ModifiedWhy, id}
	stmt := w.stmt.add
	if c.Old != nil {
		stmt, args = w.stmt.replace, append(args, c.Old.Rev)
	}
	var created int64
	err := stmt.QueryRowContext(ctx, args...).Scan(&created, &rec.Rev)
	switch {
	case errors.Is(err, stdsql.ErrNoRows) && c.Old == nil:
		return token.Record{}, store.ErrExists
	case errors.Is(err, stdsql.ErrNoRows):
		return token.Record{}, w.missed(ctx, c.CUID)
	case err != nil:
		return token.Record{}, fmt.Errorf("record: %w", err)
	}
	rec.Created = fromNanos(created)
	return rec, nil
}

func (w *writer) delete(ctx context.Context, c store.Change) error {
	id := c.CUID.String()
	n, err := affected(w.stmt.remove.ExecContext(ctx, id, c.Old.Rev))
	switch {
	case err != nil:
		return fmt.Errorf("record: %w", err)
	case n == 0:
		return w.missed(ctx, c.CUID)
	}
	return run(ctx, w.stmt.bury, id, c.Old.Rev)
}

// missed tells why no record was at the expected revision.
func (w *writer) missed(ctx context.Context, cuid keys.CUID) error {
	var n int
	if err := w.stmt.exists.QueryRowContext(ctx, cuid.String()).Scan(&n); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return store.ErrConflict
}

func affected(res stdsql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// nanos stores a time, 0 for no time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
