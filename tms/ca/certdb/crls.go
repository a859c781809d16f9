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

// keptCRLs is how many lists of each kind are kept whole; of older ones only the row remains.
const keptCRLs = 10

// NewCRL takes the next number for a list, full or a delta to the latest full one, and gives what
// has to be in it as of this moment. The number is used up even if the list is never signed.
// A delta without a full list to add to is ErrNotFound.
func (db *DB) NewCRL(ctx context.Context, delta bool, now, next time.Time) (CRL, []Entry, error) {
	list := CRL{ThisUpdate: now.UTC().Truncate(time.Second), NextUpdate: next.UTC().
		Truncate(time.Second)}
	var entries []Entry
	err := db.change(ctx, func(ctx context.Context, tx *sqlite.Tx) (err error) {
		list.Base, entries = 0, nil
		last, err := lastFull(ctx, tx)
		if err != nil && (delta || !errors.Is(err, ErrNotFound)) {
			return err
		}
		const rev = "SELECT value FROM counters WHERE name = 'rev'"
		if err = tx.Row(ctx, rev, nil, &list.Rev); err != nil {
			return err
		}
		if delta {
			list.Base = last.Number
			entries, err = readEntries(ctx, tx, changedEntries, last.Rev)
		} else {
			entries, err = readEntries(ctx, tx, listedEntries, seconds(last.ThisUpdate))
		}
		if err != nil {
			return err
		}
		list.Entries = len(entries)
		return tx.Row(ctx, `INSERT INTO crls (base, rev, this_update, next_update, entries)
			VALUES (?, ?, ?, ?, ?) RETURNING number`, []any{list.Base, list.Rev,
			list.ThisUpdate.Unix(), list.NextUpdate.Unix(), list.Entries}, &list.Number)
	})
	if err != nil {
		return CRL{}, nil, fmt.Errorf("taking a list's number: %w", err)
	}
	return list, entries, nil
}

// listedEntries: a certificate that expired stays on the list until a full one after its expiry had
// it. // RFC 5280 §3.3
const listedEntries = `SELECT serial, state, reason, revoked_at FROM certs
	WHERE state IN (2, 3) AND not_after >= ? ORDER BY serial`

// changedEntries: what was released has the time of that in revoked_at.
const changedEntries = `SELECT serial, state, reason, revoked_at FROM certs
	WHERE rev > ? AND (state IN (2, 3) OR state = 1 AND revoked_at <> 0) ORDER BY serial`

func readEntries(ctx context.Context, tx *sqlite.Tx, text string, arg int64) (
	out []Entry, err error,
) {
	r, err := tx.Rows(ctx, text, arg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		var serial string
		var state, reason int
		var at int64
		if err := r.Scan(&serial, &state, &reason, &at); err != nil {
			return nil, err
		}
		e := Entry{connector.Serial(serial), connector.Reason(reason), fromSeconds(at)}
		if State(state) == Valid {
			e.Reason = connector.ReasonRemoveFromCRL
		}
		out = append(out, e)
	}
	return out, r.Err()
}

func lastFull(ctx context.Context, tx *sqlite.Tx) (c CRL, err error) {
	var at int64
	err = tx.Row(ctx, `SELECT number, rev, this_update FROM crls WHERE base = 0 AND der IS NOT NULL
		ORDER BY number DESC LIMIT 1`, nil, &c.Number, &c.Rev, &at)
	if errors.Is(err, stdsql.ErrNoRows) {
		err = ErrNotFound
	}
	c.ThisUpdate = fromSeconds(at)
	return c, err
}

// SaveCRL records a signed list and lets go of the bytes of old ones.
func (db *DB) SaveCRL(ctx context.Context, c CRL, cause Cause) error {
	err := db.change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE crls SET der = ? WHERE number = ? AND der IS NULL", c.DER,
			c.Number)
		if err == nil && n == 0 {
			err = ErrConflict
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE crls SET der = x'' WHERE (base = 0) = ? AND length(der) > 0 AND
			number < ?`, c.Base == 0, c.Number-keptCRLs)
		if err != nil {
			return err
		}
		return event(ctx, tx, "", fmt.Sprintf("number %d, base %d, %d entries", c.Number, c.Base,
			c.Entries), cause)
	})
	if err != nil {
		return fmt.Errorf("recording list %d: %w", c.Number, err)
	}
	return nil
}

// LatestCRL gives the list of the highest number, of full lists or of deltas; ErrNotFound when
// there is none.
func (db *DB) LatestCRL(ctx context.Context, delta bool) (CRL, error) {
	const text = `SELECT number, base, rev, this_update, next_update, entries, der FROM crls
		WHERE (base <> 0) = ? AND length(der) > 0 ORDER BY number DESC LIMIT 1`
	out, err := rows(ctx, db, text, []any{delta}, func(row scanner) (c CRL, err error) {
		var this, next int64
		err = row.Scan(&c.Number, &c.Base, &c.Rev, &this, &next, &c.Entries, &c.DER)
		c.ThisUpdate, c.NextUpdate = fromSeconds(this), fromSeconds(next)
		return c, err
	})
	if err == nil && len(out) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return CRL{}, fmt.Errorf("latest revocation list: %w", err)
	}
	return out[0], nil
}

// DeltasSince gives how many deltas were signed to a full list.
func (db *DB) DeltasSince(ctx context.Context, full int64) (n int, err error) {
	err = db.reads.QueryRowContext(ctx,
		"SELECT count(*) FROM crls WHERE base = ? AND der IS NOT NULL", full).Scan(&n)
	return n, err
}
