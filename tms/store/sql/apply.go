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

// The statements of a change.
const (
	addText = `INSERT INTO tokens (user_id, type, status, reason, before_status, applet_id,
		key_info, policy, modified, modified_by, modified_why, cuid, created, rev)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?9,
			1 + coalesce((SELECT rev FROM former_tokens WHERE cuid = ?12), 0))
		ON CONFLICT (cuid) DO NOTHING RETURNING created, rev`
	replaceText = `UPDATE tokens SET user_id = ?1, type = ?2, status = ?3, reason = ?4,
		before_status = ?5, applet_id = ?6, key_info = ?7, policy = ?8, modified = ?9,
		modified_by = ?10, modified_why = ?11, rev = rev + 1
		WHERE cuid = ?12 AND rev = ?13 RETURNING created, rev`
	removeText = "DELETE FROM tokens WHERE cuid = ? AND rev = ?"
	buryText   = `INSERT INTO former_tokens (cuid, rev) VALUES (?, ?)
		ON CONFLICT (cuid) DO UPDATE SET rev = excluded.rev`
	existsText   = "SELECT count(*) FROM tokens WHERE cuid = ?"
	activityText = `INSERT INTO activities
		(cuid, user_id, actor, ip, op, result, message, type, session, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	intentText = `INSERT INTO intents
		(id, cuid, session, actor, op, kind, from_info, to_info, at, detail, seq, outcome, ended,
			ended_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
			1 + coalesce((SELECT max(seq) FROM intents), 0), '', 0, '')
		ON CONFLICT (id) DO NOTHING`
	endText = `UPDATE intents SET outcome = ?, ended = ?, ended_by = ?
		WHERE id = ? AND cuid = ? AND outcome = ''`
)

// The names under which changes wait for each other, where they could run at the same time.
const (
	cardLock   = "card "   // with the card: adding and deleting its record
	intentLock = "intents" // their order is the order of recording
)

// Apply makes one change. Once it has begun, Apply waits for its outcome even if ctx ends, so that
// the outcome is never in doubt.
func (s *Store) Apply(ctx context.Context, c store.Change) (token.Record, error) {
	c, err := c.Normalize()
	if err != nil {
		return token.Record{}, err
	}
	var rec token.Record
	err = s.engine.change(ctx, func(ctx context.Context, t tx) error {
		var err error
		rec, err = apply(ctx, t, c)
		return err
	})
	if err != nil {
		return token.Record{}, fmt.Errorf("changing token %s: %w", c.CUID, err)
	}
	return rec, nil
}

// apply makes one normalized change. After an error the caller undoes whatever part of it was made.
func apply(ctx context.Context, t tx, c store.Change) (token.Record, error) {
	rec, err := record(ctx, t, c)
	if err != nil {
		return token.Record{}, err
	}
	for _, a := range c.Activities {
		_, err := t.Exec(ctx, activityText, a.CUID.String(), a.UserID, a.Actor, a.IP, string(a.Op),
			string(a.Result), a.Message, a.Type, a.Session, nanos(a.At))
		if err != nil {
			return token.Record{}, fmt.Errorf("activity: %w", err)
		}
	}
	if err := intents(ctx, t, c); err != nil {
		return token.Record{}, err
	}
	return rec, certificates(ctx, t, c)
}

// intents makes the intents' part of a change.
func intents(ctx context.Context, t tx, c store.Change) error {
	if len(c.Begin) > 0 {
		if err := t.Lock(ctx, intentLock); err != nil {
			return fmt.Errorf("intents: %w", err)
		}
	}
	for _, i := range c.Begin {
		n, err := t.Exec(ctx, intentText, i.ID, i.CUID.String(), i.Session, i.Actor, string(i.Op),
			string(i.Kind), i.From, i.To, nanos(i.At), i.Detail)
		if err == nil && n == 0 {
			err = store.ErrExists
		}
		if err != nil {
			return fmt.Errorf("intent %s: %w", i.ID, err)
		}
	}
	for _, e := range c.End {
		n, err := t.Exec(ctx, endText, string(e.Outcome), nanos(c.At), c.Session, e.ID,
			c.CUID.String())
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("ending intent %s: %w", e.ID, err)
		}
	}
	return nil
}

// record makes the record's part of the change.
func record(ctx context.Context, t tx, c store.Change) (token.Record, error) {
	switch {
	case c.Old == nil && c.New == nil:
		return token.Record{}, nil
	case c.New == nil:
		return token.Record{}, remove(ctx, t, c)
	}
	rec, id := *c.New, c.CUID.String()
	args := []any{rec.UserID, rec.Type, rec.Status.Code(), string(rec.Reason), rec.Before.Code(),
		rec.AppletID, rec.KeyInfo, rec.Policy.String(), nanos(rec.Modified),
		rec.ModifiedBy, rec.ModifiedWhy, id}
	text := replaceText
	if c.Old != nil {
		args = append(args, c.Old.Rev)
	} else if err := t.Lock(ctx, cardLock+id); err != nil {
		return token.Record{}, fmt.Errorf("record: %w", err)
	} else {
		text = addText
	}
	var created int64
	err := t.Row(ctx, text, args, &created, &rec.Rev)
	switch {
	case errors.Is(err, stdsql.ErrNoRows) && c.Old == nil:
		return token.Record{}, store.ErrExists
	case errors.Is(err, stdsql.ErrNoRows):
		return token.Record{}, missed(ctx, t, c.CUID)
	case err != nil:
		return token.Record{}, fmt.Errorf("record: %w", err)
	}
	rec.Created = fromNanos(created)
	return rec, nil
}

func remove(ctx context.Context, t tx, c store.Change) error {
	id := c.CUID.String()
	if err := t.Lock(ctx, cardLock+id); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	n, err := t.Exec(ctx, removeText, id, c.Old.Rev)
	switch {
	case err != nil:
		return fmt.Errorf("record: %w", err)
	case n == 0:
		return missed(ctx, t, c.CUID)
	}
	_, err = t.Exec(ctx, buryText, id, c.Old.Rev)
	return err
}

// missed tells why no record was at the expected revision.
func missed(ctx context.Context, t tx, cuid keys.CUID) error {
	var n int
	if err := t.Row(ctx, existsText, []any{cuid.String()}, &n); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return store.ErrConflict
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
