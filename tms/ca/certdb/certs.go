package certdb

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/store/sqlite"
)

const (
	columns = `serial, request_id, digest, profile, subject, user_id, cuid, token_type, requester,
		renews, tbs, der, state, reason, revoked_at, not_before, not_after, created, rev`
	selectSerial  = "SELECT " + columns + " FROM certs WHERE serial = ?"
	selectRequest = "SELECT " + columns + " FROM certs WHERE request_id = ?"
	selectStatus  = `SELECT state, reason, revoked_at, not_after, rev FROM certs WHERE serial = ?`

	insertCert = "INSERT INTO certs (" + columns + `) VALUES
		(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, 0, 0, ?, ?, ?, 0)
		ON CONFLICT DO NOTHING`
	serialTaken = "SELECT count(*) FROM certs WHERE serial = ?"
	nextRev     = "UPDATE counters SET value = value + 1 WHERE name = 'rev' RETURNING value"
	finishCert  = `UPDATE certs SET der = ?, tbs = NULL, state = 1, rev = ?
		WHERE serial = ? AND state = 0`
	changeCert = `UPDATE certs SET state = ?, reason = ?, revoked_at = ?, rev = ?
		WHERE serial = ? AND rev = ? AND state <> 0`
	insertEvent = `INSERT INTO events (at, op, serial, detail, actor, session)
		VALUES (?, ?, ?, ?, ?, ?)`
)

// Begin records what is to be signed: a record in state ToBeSigned, with TBS. ErrSerial and
// ErrRequest say which of serial number and request id is taken; ErrSerial goes before.
func (db *DB) Begin(ctx context.Context, r Record, c Cause) error {
	err := db.change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		n, err := tx.Exec(ctx, insertCert, string(r.Serial), r.RequestID, r.Digest, r.Profile,
			r.Subject, r.UserID, r.CUID, r.TokenType, r.Requester, string(r.Renews), r.TBS,
			r.NotBefore.Unix(), r.NotAfter.Unix(), r.Created.UnixNano())
		if err != nil {
			return err
		}
		if n == 0 {
			var taken int
			err := tx.Row(ctx, serialTaken, []any{string(r.Serial)}, &taken)
			if err == nil && taken > 0 {
				err = ErrSerial
			}
			return errors.Join(err, nilUnless(taken == 0 && err == nil, ErrRequest))
		}
		return event(ctx, tx, r.Serial, r.RequestID, c)
	})
	if err != nil {
		return fmt.Errorf("recording what is to be signed: %w", err)
	}
	return nil
}

func nilUnless(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// Finish records the signed certificate. A record that another caller has finished meanwhile is
// left as it is: the one that it holds is answered.
func (db *DB) Finish(ctx context.Context, serial connector.Serial, der []byte) (Record, error) {
	err := db.change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		rev, err := nextRevision(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, finishCert, der, rev, string(serial))
		return err
	})
	if err != nil {
		return Record{}, fmt.Errorf("recording certificate %s: %w", serial, err)
	}
	return db.Certificate(context.WithoutCancel(ctx), serial)
}

// Change changes the state of a certificate and gives the new record.
func (db *DB) Change(ctx context.Context, c Change) (Record, error) {
	err := db.change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		rev, err := nextRevision(ctx, tx)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, changeCert, int(c.State), int(c.Reason), seconds(c.RevokedAt), rev,
			string(c.Serial), c.Rev)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrConflict
		}
		return event(ctx, tx, c.Serial, c.Reason.String(), c.Cause)
	})
	if err != nil {
		return Record{}, fmt.Errorf("changing certificate %s: %w", c.Serial, err)
	}
	return db.Certificate(context.WithoutCancel(ctx), c.Serial)
}

func nextRevision(ctx context.Context, tx *sqlite.Tx) (rev int64, err error) {
	return rev, tx.Row(ctx, nextRev, nil, &rev)
}

func event(ctx context.Context, tx *sqlite.Tx, s connector.Serial, detail string, c Cause) error {
	_, err := tx.Exec(ctx, insertEvent, c.At.UnixNano(), c.Op, string(s), detail, c.Actor, c.Session)
	return err
}

// Certificate gives the record of a serial number.
func (db *DB) Certificate(ctx context.Context, serial connector.Serial) (Record, error) {
	return db.one(ctx, selectSerial, string(serial))
}

// ByRequest gives the record that a request made.
func (db *DB) ByRequest(ctx context.Context, id string) (Record, error) {
	return db.one(ctx, selectRequest, id)
}

func (db *DB) one(ctx context.Context, text, arg string) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	r, err := scan(db.reads.QueryRowContext(ctx, text, arg))
	if errors.Is(err, stdsql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("certificate %.128s: %w", arg, err)
	}
	return r, nil
}

// Status gives the state of a certificate.
func (db *DB) Status(ctx context.Context, serial connector.Serial) (Status, error) {
	var s Status
	var reason, state int
	var revoked, notAfter int64
	err := db.status.QueryRowContext(ctx, string(serial)).
		Scan(&state, &reason, &revoked, &notAfter, &s.Rev)
	if errors.Is(err, stdsql.ErrNoRows) {
		return Status{}, ErrNotFound
	}
	if err != nil {
		return Status{}, fmt.Errorf("state of certificate %s: %w", serial, err)
	}
	s.State, s.Reason = State(state), connector.Reason(reason)
	s.RevokedAt, s.NotAfter = fromSeconds(revoked), fromSeconds(notAfter)
	return s, nil
}

type scanner interface{ Scan(dest ...any) error }

func scan(row scanner) (Record, error) {
	var r Record
	var serial, renews string
	var state, reason int
	var revoked, notBefore, notAfter, created int64
	err := row.Scan(&serial, &r.RequestID, &r.Digest, &r.Profile, &r.Subject, &r.UserID, &r.CUID,
		&r.TokenType, &r.Requester, &renews, &r.TBS, &r.DER, &state, &reason, &revoked, &notBefore,
		&notAfter, &created, &r.Rev)
	if err != nil {
		return Record{}, err
	}
	r.Serial, r.Renews = connector.Serial(serial), connector.Serial(renews)
	r.State, r.Reason = State(state), connector.Reason(reason)
	r.RevokedAt, r.NotBefore = fromSeconds(revoked), fromSeconds(notBefore)
	r.NotAfter, r.Created = fromSeconds(notAfter), time.Unix(0, created).UTC()
	return r, nil
}

// seconds stores a time, 0 for no time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
