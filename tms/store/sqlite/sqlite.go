// Package sqlite opens embedded databases, one SQLite file each, for those who keep records: no
// server and no C compiler.
//
// It owns durability (write-ahead log, every commit synced), the agreement of several processes on
// one schema, and the single writer that commits the changes of concurrent callers in groups, with
// one sync of the disk for all of them. It must not know what is kept.
package sqlite

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	busyTimeout = 5 * time.Second // see Kind.Busy
	openTimeout = time.Minute
	readers     = 4 // connections that answer questions
	// cacheKiB is how much each connection may keep in memory: the inner pages of the indexes of some
	// ten million rows, so that a question reads from the file what it answers with and little else.
	cacheKiB = 64 << 10
)

// Errors of every database.
var (
	ErrClosed = errors.New("database is closed")
	// ErrForeign: the file is a SQLite database of something else. It was left alone.
	ErrForeign = errors.New("database is of another kind")
	// ErrNewer: a newer program has changed the schema. The file was left alone.
	ErrNewer = errors.New("database was migrated by a newer program")
)

// Kind is what a database is for.
type Kind struct {
	// ApplicationID marks the file, not 0.
	ApplicationID int32
	// Schema are the steps that make the schema, each an SQL script; the schema's version is
	// how many of them were made. Steps are added at the end and never changed.
	Schema []string
	// Busy is how long a change waits for another process that writes; 0: five seconds.
	Busy time.Duration
	// Map is how many bytes of the file questions read through memory, at most 2 GiB: quicker where
	// many rows are, but a disk that fails to answer ends the process.
	Map int64
}

func (k Kind) mapped() string { return fmt.Sprintf("mmap_size(%d)", k.Map) }

func (k Kind) busy() time.Duration {
	if k.Busy > 0 {
		return k.Busy
	}
	return busyTimeout
}

// DB is an open database. Its zero value is of no use. It is safe for concurrent use, and several
// processes may have the same file open.
type DB struct {
	reads  *stdsql.DB
	writes *stdsql.DB
	writer *Tx

	queue   chan *request // unbuffered: what was sent will be answered
	quit    chan struct{} // closed by Close: no more requests
	stopped chan struct{} // closed by the writer when it has ended
	once    sync.Once     // for Close
	closed  error         // what it returned
}

// Open opens the file at path, makes it if there is none (readable by its owner only), and brings
// its schema up to date. The caller closes the database.
func Open(ctx context.Context, path string, k Kind) (*DB, error) {
	db, err := open(ctx, path, k)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	return db, nil
}

func open(ctx context.Context, path string, k Kind) (_ *DB, err error) {
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
	if db.writes, err = stdsql.Open("sqlite", dsn(path, k.busy(), "synchronous(FULL)")); err != nil {
		return nil, err
	}
	db.writes.SetMaxOpenConns(1)
	if db.writer, err = newWriter(ctx, db.writes, k); err != nil {
		return nil, err
	}
	if db.reads, err = stdsql.Open("sqlite", dsn(path, k.busy(), "query_only(1)", k.mapped())); err != nil {
		return nil, err
	}
	db.reads.SetMaxOpenConns(readers)
	db.reads.SetMaxIdleConns(readers)
	if err = db.reads.PingContext(ctx); err != nil {
		return nil, err
	}
	go db.write()
	return db, nil
}

// create makes an empty file of the right mode, so that SQLite never makes one that others can
// read, and syncs its directory entry.
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

// dsn names the file and what every connection to it is set to.
func dsn(path string, busy time.Duration, pragmas ...string) string {
	q := url.Values{}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()))
	q.Add("_pragma", "foreign_keys(1)")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", cacheKiB))
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	return u.String()
}

// Reads gives the connections for questions; whoever tries to change something through them fails.
func (db *DB) Reads() *stdsql.DB { return db.reads }

// Close waits for the changes that were taken on, folds the write-ahead log into the file and
// closes it. Later changes give ErrClosed; closing again returns what the first Close returned.
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
