package keydb

import (
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store/sqlite"
)

// Archive keeps a key and the event that tells of it, and gives the record with its number. When a
// key with the same request id is there already, that one is given, and nothing is kept.
func (d *DB) Archive(ctx context.Context, k Key, e Event) (kept Key, existed bool, err error) {
	err = d.db.Change(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		if k.RequestID != "" {
			old, err := txKey(ctx, tx, "request_id = ?", k.RequestID)
			if err == nil {
				kept, existed = old, true
				return nil
			}
			if !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		sum := sha256.Sum256(k.PublicKey)
		err := tx.Row(ctx, `INSERT INTO keys (request_id, cuid, user_id, type, bits, usages,
			public_key, fingerprint, storage_key, sealed, caller, created)
			VALUES (nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (fingerprint) DO NOTHING RETURNING id`,
			[]any{k.RequestID, k.CUID.String(), k.UserID, string(k.Type), k.Bits, k.Usages,
				k.PublicKey, sum[:], k.StorageKey, k.Sealed, k.Caller, nanos(k.Created)}, &k.ID)
		if errors.Is(err, stdsql.ErrNoRows) {
			return ErrExists
		}
		if err != nil {
			return err
		}
		e.KeyID, kept = k.ID, k
		return d.append(ctx, tx, e)
	})
	if err != nil {
		return Key{}, false, fmt.Errorf("archiving a key: %w", err)
	}
	return kept, existed, nil
}

func txKey(ctx context.Context, tx *sqlite.Tx, where string, arg any) (Key, error) {
	rows, err := tx.Rows(ctx, "SELECT "+keyColumns+" FROM keys WHERE "+where, arg)
	if err != nil {
		return Key{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		return Key{}, errors.Join(rows.Err(), ErrNotFound)
	}
	return scanKey(rows)
}

// ByID gives the key of a number.
func (d *DB) ByID(ctx context.Context, id int64) (Key, error) {
	return d.key(ctx, "id = ?", id)
}

// ByRequest gives the key that was made for a request id.
func (d *DB) ByRequest(ctx context.Context, id string) (Key, error) {
	return d.key(ctx, "request_id = ?", id)
}

// ByPublicKey gives the key of a SubjectPublicKeyInfo.
func (d *DB) ByPublicKey(ctx context.Context, spki []byte) (Key, error) {
	sum := sha256.Sum256(spki)
	return d.key(ctx, "fingerprint = ?", sum[:])
}

func (d *DB) key(ctx context.Context, where string, arg any) (Key, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	k, err := scanKey(d.db.Reads().QueryRowContext(ctx,
		"SELECT "+keyColumns+" FROM keys WHERE "+where, arg))
	if err != nil {
		return Key{}, fmt.Errorf("reading a key record: %w", err)
	}
	return k, nil
}

// MayHave tells whether a user is the owner of a key, or one whom agents let share it.
func (d *DB) MayHave(ctx context.Context, k Key, user string) (bool, error) {
	if k.UserID == user {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var n int
	err := d.db.Reads().QueryRowContext(ctx,
		"SELECT count(*) FROM shares WHERE key_id = ? AND user_id = ?", k.ID, user).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("reading shares of key %d: %w", k.ID, err)
	}
	return n > 0, nil
}

// KeyFilter chooses keys for a list: those of a user, of a card, or all.
type KeyFilter struct {
	UserID string
	CUID   keys.CUID
	After  int64 // the number that the page before ended with
	Limit  int   // 1 to MaxPage; others mean MaxPage
}

// Keys lists keys by number, without their sealed private keys.
func (d *DB) Keys(ctx context.Context, f KeyFilter) ([]Key, error) {
	where, args := []string{"id > ?"}, []any{f.After}
	if f.UserID != "" {
		where, args = append(where, "user_id = ?"), append(args, f.UserID)
	}
	if !f.CUID.IsZero() {
		where, args = append(where, "cuid = ?"), append(args, f.CUID.String())
	}
	text := "SELECT " + strings.Replace(keyColumns, "sealed", "x''", 1) + " FROM keys WHERE " +
		strings.Join(where, " AND ") + " ORDER BY id LIMIT ?"
	out, err := list(ctx, d, text, append(args, page(f.Limit)), scanKey)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	return out, nil
}

// Count gives the number of archived keys.
func (d *DB) Count(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var n int64
	err := d.db.Reads().QueryRowContext(ctx, "SELECT count(*) FROM keys").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting keys: %w", err)
	}
	return n, nil
}

func page(limit int) int {
	if limit < 1 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

// list gives all rows of a bounded question.
func list[T any](ctx context.Context, d *DB, text string, args []any,
	scan func(scanner) (T, error),
) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := d.db.Reads().QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
