package certdb

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

const (
	busyTimeout = 5 * time.Second // how long a change waits for another process
	readTimeout = 10 * time.Second
	openTimeout = time.Minute
	readers     = 4

	applicationID = 0x746d7343 // "tmsC"
	schemaVersion = 1
)

//go:embed migrations/0001_certificates.sql
var schema string

// DB is an open certificate database. It is safe for concurrent use, and several processes may
// have the same file open.
type DB struct {
	reads  *stdsql.DB
	writes *stdsql.DB
	writer *writer
	status *stdsql.Stmt

	queue   chan *request // unbuffered: what was sent will be answered
	quit    chan struct{}
	stopped chan struct{}
	once    sync.Once
	closed  error
}

// Open opens the file at path, and makes it if there is none, readable by its owner only. A file
// of something else, or of a newer program, is refused and left alone. The caller closes the DB.
func Open(ctx context.Context, path string) (*DB, error) {
	db, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening certificate database %s: %w", path, err)
	}
	return db, nil
}

func open(ctx context.Context, path string) (_ *DB, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := create(path); err != nil {
		return nil, err
	}
	db := &DB{queue: make(chan *request), quit: make(chan struct{}), stopped: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.closeFiles())
		}
	}()
	if db.writes, err = stdsql.Open("sqlite", dsn(path, "synchronous(FULL)")); err != nil {
		return nil, err
	}
	db.writes.SetMaxOpenConns(1)
	if db.writer, err = newWriter(ctx, db.writes); err != nil {
		return nil, err
	}
	if db.reads, err = stdsql.Open("sqlite", dsn(path, "query_only(1)")); err != nil {
		return nil, err
	}
	db.reads.SetMaxOpenConns(readers)
	db.reads.SetMaxIdleConns(readers)
	if db.status, err = db.reads.PrepareContext(ctx, selectStatus); err != nil {
		return nil, err
	}
	go db.write()
	return db, nil
}

// create makes an empty file of the right mode, and its directory entry durable.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func dsn(path, pragma string) string {
	q := url.Values{}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	q.Add("_pragma", pragma)
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	return u.String()
}

// migrate makes the schema in a new file and checks that of an old one.
func migrate(ctx context.Context, conn *stdsql.Conn) (err error) {
	if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, undo)
		}
	}()
	var app, version, objects int
	err = conn.QueryRowContext(ctx, `SELECT application_id, user_version,
		(SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version`).
		Scan(&app, &version, &objects)
	switch {
	case err != nil:
		return err
	case app == applicationID && version > schemaVersion:
		return fmt.Errorf("%w: schema version %d", ErrNewer, version)
	case app == 0 && version == 0 && objects == 0:
		_, err = conn.ExecContext(ctx, fmt.Sprintf("%s\nPRAGMA application_id = %d;"+
			"\nPRAGMA user_version = %d;", schema, applicationID, schemaVersion))
		if err != nil {
			return fmt.Errorf("making the schema: %w", err)
		}
	case app != applicationID:
		return ErrForeign
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// Close waits for the changes that were taken on, folds the write-ahead log into the file and
// closes it. Closing again returns what the first Close returned.
func (db *DB) Close() error {
	db.once.Do(func() {
		close(db.quit)
		<-db.stopped
		_, err := db.writer.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
		db.closed = errors.Join(err, db.closeFiles())
	})
	return db.closed
}

func (db *DB) closeFiles() error {
	var errs []error
	if db.status != nil {
		errs = append(errs, db.status.Close())
	}
	if db.reads != nil {
		errs = append(errs, db.reads.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	if db.writes != nil {
		errs = append(errs, db.writes.Close())
	}
	return errors.Join(errs...)
}
