package certdb

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/store/sqlite"
)

// readTimeout bounds every question, whatever the caller's patience.
const readTimeout = 10 * time.Second

//go:embed migrations/0001_certificates.sql
var schema1 string

// kind marks the file with the four letters "tmsC".
var kind = sqlite.Kind{ApplicationID: 0x746d7343, Schema: []string{schema1}}

// DB is an open certificate database. It is safe for concurrent use, and several processes may
// have the same file open.
type DB struct {
	file   *sqlite.DB // nil when opened for reading only
	reads  *stdsql.DB
	status *stdsql.Stmt
}

// Open opens the file at path, and makes it if there is none, readable by its owner only. A file
// of something else, or of a newer program, is refused and left alone. The caller closes the DB.
func Open(ctx context.Context, path string) (*DB, error) {
	file, err := sqlite.Open(ctx, path, kind)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	db := &DB{file: file, reads: file.Reads()}
	if db.status, err = db.reads.PrepareContext(ctx, selectStatus); err != nil {
		return nil, errors.Join(fmt.Errorf("certificates: %w", err), file.Close())
	}
	return db, nil
}

// OpenReadOnly opens the file at path for questions only, beside the process that changes it. A file
// that is not there, or is not of this program's schema, is an error.
func OpenReadOnly(ctx context.Context, path string) (*DB, error) {
	reads, err := sqlite.OpenReadOnly(ctx, path, kind)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	db := &DB{reads: reads}
	if db.status, err = reads.PrepareContext(ctx, selectStatus); err != nil {
		return nil, errors.Join(fmt.Errorf("certificates: %w", err), reads.Close())
	}
	return db, nil
}

// Close waits for the changes that were taken on and closes the file. Closing again returns what
// the first Close returned.
func (db *DB) Close() error {
	if db.file == nil {
		return errors.Join(db.status.Close(), db.reads.Close())
	}
	return errors.Join(db.status.Close(), db.file.Close())
}

func (db *DB) change(ctx context.Context, do func(context.Context, *sqlite.Tx) error) error {
	if db.file == nil {
		return ErrReadOnly
	}
	return db.file.Change(ctx, do)
}
