package certdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tokenwright/tms/connector"
)

// MaxPage is the most records one list gives.
const MaxPage = 1000

// Query says which certificates are wanted; empty fields do not count.
type Query struct {
	UserID, CUID, Profile string
	State                 *State
	// After continues a list after the record that it ended with, the newest come first.
	After *Record
	Limit int // 1 to MaxPage; 0 means 100
}

// List gives certificates, the newest first.
func (db *DB) List(ctx context.Context, q Query) ([]Record, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		return nil, fmt.Errorf("listing certificates: limit %d, want 1 to %d", q.Limit, MaxPage)
	}
	var where []string
	var args []any
	add := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	for _, f := range []struct{ column, value string }{
		{"user_id", q.UserID}, {"cuid", q.CUID}, {"profile", q.Profile},
	} {
		if f.value != "" {
			add(f.column+" = ?", f.value)
		}
	}
	if q.State != nil {
		add("state = ?", int(*q.State))
	}
	if q.After != nil {
		at := q.After.Created.UnixNano()
		add("(created, serial) < (?, ?)", at, string(q.After.Serial))
	}
	text := "SELECT " + columns + " FROM certs"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	text += fmt.Sprintf(" ORDER BY created DESC, serial DESC LIMIT %d", q.Limit)
	out, err := rows(ctx, db, text, args, scan)
	if err != nil {
		return nil, fmt.Errorf("listing certificates: %w", err)
	}
	return out, nil
}

// Events gives what was done to a certificate, the oldest first.
func (db *DB) Events(ctx context.Context, serial connector.Serial) ([]Event, error) {
	const text = `SELECT id, at, op, serial, detail, actor, session FROM events
		WHERE serial = ? ORDER BY id LIMIT 1000`
	out, err := rows(ctx, db, text, []any{string(serial)}, func(row scanner) (Event, error) {
		var e Event
		var at int64
		var s string
		err := row.Scan(&e.ID, &at, &e.Op, &s, &e.Detail, &e.Actor, &e.Session)
		e.At, e.Serial = time.Unix(0, at).UTC(), connector.Serial(s)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("events of certificate %s: %w", serial, err)
	}
	return out, nil
}

// Pending counts the certificates that were decided on and are not signed.
func (db *DB) Pending(ctx context.Context) (n int, err error) {
	err = db.reads.QueryRowContext(ctx, "SELECT count(*) FROM certs WHERE state = 0").Scan(&n)
	return n, err
}

func rows[T any](ctx context.Context, db *DB, text string, args []any,
	scan func(scanner) (T, error),
) (out []T, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	r, err := db.reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		v, err := scan(r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, r.Err()
}
