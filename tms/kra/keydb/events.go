package keydb

import (
	"context"
	"crypto/subtle"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/store/sqlite"
)

// EventKind is what happened.
type EventKind string

// The kinds.
const (
	KeyGenerated     EventKind = "key_generated" // and not archived
	KeyArchived      EventKind = "key_archived"  // generated, archived, and given out wrapped
	KeyRepeated      EventKind = "key_repeated"  // given out again for the same request id
	KeyRecovered     EventKind = "key_recovered"
	KeyExported      EventKind = "key_exported"
	KeyShared        EventKind = "key_shared"
	RequestMade      EventKind = "request_made"
	RequestApproved  EventKind = "request_approved" // one agent's approval
	RequestRejected  EventKind = "request_rejected"
	RequestCancelled EventKind = "request_cancelled"
)

// Event is one line of the audit trail. It holds nothing secret.
type Event struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Kind    EventKind `json:"kind"`
	Refused bool      `json:"refused,omitempty"` // it was tried and refused; Detail says why
	Actor   string    `json:"actor"`             // subsystem or agent
	Session string    `json:"session,omitempty"`
	KeyID   int64     `json:"keyId,omitempty"`
	Request int64     `json:"request,omitempty"` // of an agent
	CUID    string    `json:"cuid,omitempty"`
	UserID  string    `json:"userId,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	MAC     []byte    `json:"mac"`
}

func (e Event) outcome() string {
	if e.Refused {
		return "refused"
	}
	return "success"
}

// message is what the MAC is over: the MAC before, then every field behind its length.
func (e Event) message(before []byte) []byte {
	out := fields(nil, "event 1", string(before))
	for _, n := range []int64{e.Seq, nanos(e.At), e.KeyID, e.Request} {
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	return fields(out, string(e.Kind), e.outcome(), e.Actor, e.Session, e.CUID, e.UserID, e.Detail)
}

// Record keeps events in their order.
func (d *DB) Record(ctx context.Context, events ...Event) error {
	err := d.db.Change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		return d.append(ctx, tx, events...)
	})
	if err != nil {
		return fmt.Errorf("recording an event: %w", err)
	}
	return nil
}

// append chains events to the last one.
func (d *DB) append(ctx context.Context, tx *sqlite.Tx, events ...Event) error {
	for _, e := range events {
		var last []byte
		err := tx.Row(ctx, "SELECT seq, mac FROM events ORDER BY seq DESC LIMIT 1", nil, &e.Seq, &last)
		if err != nil && !errors.Is(err, stdsql.ErrNoRows) {
			return err
		}
		e.Seq++
		if e.MAC, err = d.mac(e.message(last)); err != nil {
			return fmt.Errorf("audit key: %w", err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO events (seq, at, kind, outcome, actor, session, key_id,
			request_id, cuid, user_id, detail, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.Seq, nanos(e.At), string(e.Kind), e.outcome(), e.Actor, e.Session, e.KeyID, e.Request,
			e.CUID, e.UserID, e.Detail, e.MAC)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanEvent(s scanner) (Event, error) {
	var e Event
	var at int64
	var outcome string
	err := s.Scan(&e.Seq, &at, &e.Kind, &outcome, &e.Actor, &e.Session, &e.KeyID, &e.Request, &e.CUID,
		&e.UserID, &e.Detail, &e.MAC)
	e.At, e.Refused = fromNanos(at), outcome == "refused"
	return e, err
}

// EventFilter chooses events for a list: those on a key, or all.
type EventFilter struct {
	KeyID int64
	After int64 // the number that the page before ended with
	Limit int   // 1 to MaxPage; others mean MaxPage
}

// Events lists events, the oldest first.
func (d *DB) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	text, args := "seq > ?", []any{f.After}
	if f.KeyID != 0 {
		text, args = text+" AND key_id = ?", append(args, f.KeyID)
	}
	out, err := list(ctx, d, `SELECT seq, at, kind, outcome, actor, session, key_id, request_id, cuid,
		user_id, detail, mac FROM events WHERE `+text+" ORDER BY seq LIMIT ?",
		append(args, page(f.Limit)), scanEvent)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return out, nil
}

// Verify goes through the whole audit trail and gives the last event, zero when there is none. An
// error that wraps ErrChain names the first event that is not what was written.
func (d *DB) Verify(ctx context.Context) (last Event, err error) {
	for {
		events, err := d.Events(ctx, EventFilter{After: last.Seq})
		if err != nil {
			return last, err
		}
		for _, e := range events {
			want, err := d.mac(e.message(last.MAC))
			if err != nil {
				return last, fmt.Errorf("audit key: %w", err)
			}
			if e.Seq != last.Seq+1 || subtle.ConstantTimeCompare(want, e.MAC) != 1 {
				return last, fmt.Errorf("%w: at event %d, after %d", ErrChain, e.Seq, last.Seq)
			}
			last = e
		}
		if len(events) < MaxPage {
			return last, nil
		}
	}
}
