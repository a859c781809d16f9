package keydb

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"tokenwright/tms/kra/approval"
	"tokenwright/tms/store/sqlite"
)

// AddRequest keeps a new request and the event that tells of it, and gives it with its number.
func (d *DB) AddRequest(ctx context.Context, q approval.Request, e Event) (approval.Request, error) {
	err := d.db.Change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		if _, err := txKey(ctx, tx, "id = ?", q.KeyID); err != nil {
			return err
		}
		err := tx.Row(ctx, `INSERT INTO requests
			(key_id, purpose, user_id, reason, requester, state, created, expires, ended)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, []any{q.KeyID, string(q.Purpose), q.User,
			q.Reason, q.Requester, string(q.State), nanos(q.Created), nanos(q.Expires),
			nanos(q.Ended)}, &q.ID)
		if err != nil {
			return err
		}
		e.Request = q.ID
		return d.append(ctx, tx, e)
	})
	if err != nil {
		return approval.Request{}, fmt.Errorf("adding a request: %w", err)
	}
	return q, nil
}

// ChangeRequest changes a request by what change makes of it, and keeps the event that tells of it.
// A share that becomes fulfilled is in force from then on. What change refuses leaves the request
// as it was; the event that change gives with its error is kept all the same.
func (d *DB) ChangeRequest(ctx context.Context, id int64,
	change func(approval.Request) (approval.Request, Event, error),
) (out approval.Request, err error) {
	var refusal error
	err = d.db.Change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		old, err := txRequest(ctx, tx, id)
		if err != nil {
			return err
		}
		var e Event
		if out, e, refusal = change(old); refusal != nil {
			out = old
			return d.append(ctx, tx, e)
		}
		if err := d.store(ctx, tx, old, out); err != nil {
			return err
		}
		return d.append(ctx, tx, e)
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return out, fmt.Errorf("request %d: %w", id, err)
	}
	return out, nil
}

// store writes the difference between old and q.
func (d *DB) store(ctx context.Context, tx *sqlite.Tx, old, q approval.Request) error {
	_, err := tx.Exec(ctx, "UPDATE requests SET state = ?, ended = ? WHERE id = ?",
		string(q.State), nanos(q.Ended), q.ID)
	if err != nil {
		return err
	}
	for i := len(old.Votes); i < len(q.Votes); i++ {
		v := q.Votes[i]
		_, err := tx.Exec(ctx, `INSERT INTO votes (request_id, place, agent, approve, at)
			VALUES (?, ?, ?, ?, ?)`, q.ID, i, v.Agent, v.Approve, nanos(v.At))
		if err != nil {
			return err
		}
	}
	if q.Purpose != approval.Share || q.State != approval.Fulfilled ||
		old.State == approval.Fulfilled {
		return nil
	}
	_, err = tx.Exec(ctx, `INSERT INTO shares (key_id, user_id, request_id) VALUES (?, ?, ?)
		ON CONFLICT (key_id, user_id) DO NOTHING`, q.KeyID, q.User, q.ID)
	return err
}

const requestColumns = `id, key_id, purpose, user_id, reason, requester, state, created, expires,
	ended`

func scanRequest(s scanner) (approval.Request, error) {
	var q approval.Request
	var created, expires, ended int64
	err := s.Scan(&q.ID, &q.KeyID, &q.Purpose, &q.User, &q.Reason, &q.Requester, &q.State, &created,
		&expires, &ended)
	if errors.Is(err, stdsql.ErrNoRows) {
		return q, ErrNotFound
	}
	q.Created, q.Expires, q.Ended = fromNanos(created), fromNanos(expires), fromNanos(ended)
	return q, err
}

func scanVote(s scanner) (approval.Vote, error) {
	var v approval.Vote
	var at int64
	err := s.Scan(&v.Agent, &v.Approve, &at)
	v.At = fromNanos(at)
	return v, err
}

const votesText = "SELECT agent, approve, at FROM votes WHERE request_id = ? ORDER BY place"

func txRequest(ctx context.Context, tx *sqlite.Tx, id int64) (approval.Request, error) {
	rows, err := tx.Rows(ctx, "SELECT "+requestColumns+" FROM requests WHERE id = ?", id)
	if err != nil {
		return approval.Request{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		return approval.Request{}, errors.Join(rows.Err(), ErrNotFound)
	}
	q, err := scanRequest(rows)
	if err != nil {
		return q, err
	}
	if err := rows.Close(); err != nil {
		return q, err
	}
	votes, err := tx.Rows(ctx, votesText, id)
	if err != nil {
		return q, err
	}
	defer votes.Close()
	for votes.Next() {
		v, err := scanVote(votes)
		if err != nil {
			return q, err
		}
		q.Votes = append(q.Votes, v)
	}
	return q, votes.Err()
}

// Request gives one request.
func (d *DB) Request(ctx context.Context, id int64) (approval.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	q, err := scanRequest(d.db.Reads().QueryRowContext(ctx,
		"SELECT "+requestColumns+" FROM requests WHERE id = ?", id))
	if err == nil {
		q.Votes, err = list(ctx, d, votesText, []any{id}, scanVote)
	}
	if err != nil {
		return approval.Request{}, fmt.Errorf("reading request %d: %w", id, err)
	}
	return q, nil
}

// RequestFilter chooses requests for a list: those on a key, or all.
type RequestFilter struct {
	KeyID  int64
	Before int64 // the number that the page before ended with; 0 begins
	Limit  int   // 1 to MaxPage; others mean MaxPage
}

// Requests lists requests, the latest first.
func (d *DB) Requests(ctx context.Context, f RequestFilter) ([]approval.Request, error) {
	text, args := "(? = 0 OR id < ?)", []any{f.Before, f.Before}
	if f.KeyID != 0 {
		text, args = text+" AND key_id = ?", append(args, f.KeyID)
	}
	out, err := list(ctx, d, "SELECT "+requestColumns+" FROM requests WHERE "+text+
		" ORDER BY id DESC LIMIT ?", append(args, page(f.Limit)), scanRequest)
	for i := range out {
		if err == nil {
			out[i].Votes, err = list(ctx, d, votesText, []any{out[i].ID}, scanVote)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing requests: %w", err)
	}
	return out, nil
}
