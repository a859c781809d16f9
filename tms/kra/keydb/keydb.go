// Package keydb is where a key recovery authority keeps what it archived: one SQLite file with key
// records, the requests of recovery agents, and the audit trail.
//
// It owns the schema, that a request id and a public key occur once, and that a change and the
// events that tell of it are one transaction. It must not know how private keys are sealed, nor who
// may do what: it is told.
//
// # Crashes
//
// Every operation of the authority is one transaction at most, and an answer leaves only after it:
// there is no state in between, and so no intent to finish later. A key that leaves has an event
// before it leaves; whether it arrived, the one who asked for it must know.
//
// # The audit trail
//
// Each event carries a MAC over itself and the MAC of the one before, under a key that is not in
// the file. An event that is changed, put in or taken out shows; events cut off at the end show
// only against a copy, or against a number and MAC that were noted elsewhere.
package keydb

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store/sqlite"
)

//go:embed schema.sql
var schema string

// kind marks the file as a key archive (the four letters "tmsK").
var kind = sqlite.Kind{ApplicationID: 0x746d734b, Schema: []string{schema}}

// readTimeout bounds every question, whatever the caller's patience.
const readTimeout = 10 * time.Second

// Errors that callers can act on.
var (
	ErrNotFound = errors.New("no such record")
	// ErrExists: another key has the public key already.
	ErrExists = errors.New("public key is archived already")
	// ErrChain: the audit trail is not what was written.
	ErrChain = errors.New("audit trail was changed")
	// ErrRecord: a row of the file makes no sense.
	ErrRecord = errors.New("record in the database is damaged")
)

// MaxPage is the most records that a list gives at once.
const MaxPage = 500

// MAC is the key of the audit trail by operation: it gives 16 bytes or more.
type MAC func(msg []byte) ([]byte, error)

// DB is an open archive. It is safe for concurrent use.
type DB struct {
	db  *sqlite.DB
	mac MAC
}

// Open opens the archive at path, and makes it if there is none.
func Open(ctx context.Context, path string, mac MAC) (*DB, error) {
	db, err := sqlite.Open(ctx, path, kind)
	if err != nil {
		return nil, fmt.Errorf("key archive: %w", err)
	}
	return &DB{db: db, mac: mac}, nil
}

// Close closes the archive after the changes that were taken on.
func (d *DB) Close() error { return d.db.Close() }

// Key is one archived key. Sealed is not secret without the storage key.
type Key struct {
	ID         int64
	RequestID  string // "" for none
	CUID       keys.CUID
	UserID     string
	Type       connector.KeyType
	Bits       int
	Usages     string
	PublicKey  []byte // SubjectPublicKeyInfo
	StorageKey string
	Sealed     []byte
	Caller     string // who asked for it
	Created    time.Time
}

// Owner is the owner in the words of the older archive, CUID:user.
func (k Key) Owner() string { return k.CUID.String() + ":" + k.UserID }

// Binding gives the bytes that the sealed key is bound to: all of the record that matters to who
// may have it and what it is. Each field is behind its length, so that no two records share one.
func (k Key) Binding() []byte {
	return fields(nil, "key record 1", k.RequestID, k.CUID.String(), k.UserID, string(k.Type),
		fmt.Sprint(k.Bits), k.Usages, string(k.PublicKey))
}

// fields appends texts, each behind its length in 4 bytes.
func fields(dst []byte, texts ...string) []byte {
	for _, t := range texts {
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(t))), t...)
	}
	return dst
}

const keyColumns = `id, coalesce(request_id, ''), cuid, user_id, type, bits, usages, public_key,
	storage_key, sealed, caller, created`

// scanner is a row of an answer.
type scanner interface{ Scan(dest ...any) error }

func scanKey(s scanner) (Key, error) {
	var k Key
	var cuid string
	var created int64
	err := s.Scan(&k.ID, &k.RequestID, &cuid, &k.UserID, &k.Type, &k.Bits, &k.Usages, &k.PublicKey,
		&k.StorageKey, &k.Sealed, &k.Caller, &created)
	if errors.Is(err, stdsql.ErrNoRows) {
		return Key{}, ErrNotFound
	}
	if err != nil {
		return Key{}, fmt.Errorf("key record: %w", err)
	}
	if k.CUID, err = keys.ParseCUID(cuid); err != nil {
		return Key{}, fmt.Errorf("%w: key %d: %w", ErrRecord, k.ID, err)
	}
	k.Created = fromNanos(created)
	return k, nil
}

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
