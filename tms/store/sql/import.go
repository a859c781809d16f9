package sql

import (
	"context"
	"errors"
	"fmt"

	stdsql "database/sql"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

var _ store.Importer = (*Store)(nil)

// The statements of an import. What is there stays.
const (
	importToken = `INSERT INTO tokens (cuid, user_id, type, status, reason, before_status, applet_id,
		key_info, policy, created, modified, modified_by, modified_why, rev)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cuid) DO NOTHING`
	importActivity = `INSERT INTO activities
		(id, cuid, user_id, actor, ip, op, result, message, type, session, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	sameActivity = `SELECT count(*) FROM activities WHERE id = ? AND cuid = ? AND at = ? AND op = ?
		AND result = ? AND message = ?`
	importIntent = `INSERT INTO intents (id, cuid, session, actor, op, kind, from_info, to_info, at,
		detail, seq, outcome, ended, ended_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1 + coalesce((SELECT max(seq) FROM intents), 0), ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`
	importCert = `INSERT INTO certificates (cuid, issuer, serial, origin, subject, authority, ca, kra,
		key_id, user_id, type, key_type, container, status, presence, not_before, not_after, created,
		modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (cuid, issuer, serial) DO NOTHING`
)

// idAttempts bounds the search for a free id: databases that number activities by the clock may have
// given one twice.
const idAttempts = 1000

// Import takes a batch in one transaction.
func (s *Store) Import(ctx context.Context, b store.Batch) error {
	err := s.engine.change(ctx, func(ctx context.Context, t tx) error {
		if err := take(ctx, t, b); err != nil || len(b.Activities) == 0 {
			return err
		}
		return s.engine.imported(ctx, t)
	})
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	return nil
}

func take(ctx context.Context, t tx, b store.Batch) error {
	for _, r := range b.Tokens {
		if err := r.Validate(); err != nil {
			return err
		}
		_, err := t.Exec(ctx, importToken, r.CUID.String(), r.UserID, r.Type, r.Status.Code(),
			string(r.Reason), r.Before.Code(), r.AppletID, r.KeyInfo, r.Policy.String(),
			nanos(r.Created), nanos(r.Modified), r.ModifiedBy, r.ModifiedWhy, r.Rev)
		if err != nil {
			return fmt.Errorf("token %s: %w", r.CUID, err)
		}
	}
	for _, a := range b.Activities {
		if err := takeActivity(ctx, t, a); err != nil {
			return fmt.Errorf("activity %d of token %s: %w", a.ID, a.CUID, err)
		}
	}
	if len(b.Intents) > 0 {
		if err := t.Lock(ctx, intentLock); err != nil {
			return err
		}
	}
	for _, i := range b.Intents {
		_, err := t.Exec(ctx, importIntent, i.ID, i.CUID.String(), i.Session, i.Actor, string(i.Op),
			string(i.Kind), i.From, i.To, nanos(i.At), i.Detail, string(i.Outcome), nanos(i.Ended),
			i.EndedBy)
		if err != nil {
			return fmt.Errorf("intent %s: %w", i.ID, err)
		}
	}
	for _, c := range b.Certificates {
		_, err := t.Exec(ctx, importCert, c.CUID.String(), c.Issuer, c.Serial, c.Origin.String(),
			c.Subject, c.Authority, c.CA, c.KRA, c.KeyID, c.UserID, c.Type, c.KeyType, c.Container,
			string(c.Status), string(c.Presence), nanos(c.NotBefore), nanos(c.NotAfter),
			nanos(c.Created), nanos(c.Modified))
		if err != nil {
			return fmt.Errorf("certificate %s: %w", c.Serial, err)
		}
	}
	return nil
}

// takeActivity keeps the id, or the next free one when it is another activity's.
func takeActivity(ctx context.Context, t tx, a token.Activity) error {
	if err := a.Validate(); err != nil {
		return err
	}
	for id := a.ID; id < a.ID+idAttempts; id++ {
		n, err := t.Exec(ctx, importActivity, id, a.CUID.String(), a.UserID, a.Actor, a.IP,
			string(a.Op), string(a.Result), a.Message, a.Type, a.Session, nanos(a.At))
		if err != nil || n == 1 {
			return err
		}
		var same int
		err = t.Row(ctx, sameActivity, []any{id, a.CUID.String(), nanos(a.At), string(a.Op),
			string(a.Result), a.Message}, &same)
		if err != nil || same == 1 {
			return err
		}
	}
	return errors.New("no free id")
}

// Count counts the rows.
func (s *Store) Count(ctx context.Context) (c store.Counts, err error) {
	for table, n := range map[string]*int64{
		"tokens": &c.Tokens, "activities": &c.Activities, "intents": &c.Intents,
		"certificates": &c.Certificates,
	} {
		if err := s.count(ctx, table, n); err != nil {
			return c, fmt.Errorf("counting %s: %w", table, err)
		}
	}
	return c, nil
}

// count waits as long as it takes: a big table is read as a whole.
func (s *Store) count(ctx context.Context, table string, n *int64) error {
	tx, err := s.engine.Reads().BeginTx(ctx, &stdsql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if text := s.engine.patience(); text != "" {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(n)
}
