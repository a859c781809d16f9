// Package sql is the embedded home of token records: one SQLite file, no server
// and no C compiler.
//
// It owns the schema and its migrations, durability (write-ahead log, every
// commit synced), the single writer that commits the changes of concurrent
// callers in groups, and indexed, paged, time-limited lists. It must not know
// what a change means or whether it is allowed.
package sql

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

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"tokenwright/tms/store"
)

const (
	// busyTimeout is how long a change waits for another process that writes
	// to the same file.
	busyTimeout = 5 * time.Second
	// readTimeout bounds every question, whatever the caller's patience.
	readTimeout = 10 * time.Second
	// openTimeout bounds opening and migrating.
	openTimeout = time.Minute
	// readers is the number of connections that answer questions.
	readers = 4
)

// Store is the home. It implements store.Store, store.IntentLister and
// store.CertLister. Its zero value is of no use; Open makes one.
type Store struct {
	reads  *stdsql.DB
	writes *stdsql.DB
	writer *writer

	queue   chan *request // unbuffered: what was sent will be answered
	quit    chan struct{} // closed by Close: no more requests
	stopped chan struct{} // closed by the writer when it has ended
	once    sync.Once     // for Close
	closed  error         // what it returned
}

var (
	_ store.Store        = (*Store)(nil)
	_ store.IntentLister = (*Store)(nil)
	_ store.CertLister   = (*Store)(nil)
)

// Open opens the database file at path, makes it if there is none (readable by
// its owner only), and brings its schema up to date. A file that is not a token
// database, or one that a newer program has migrated, is refused and left
// alone. The caller closes the store.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, busyTimeout)
}

func open(ctx context.Context, path string, busy time.Duration) (*Store, error) {
	s, err := openFile(ctx, path, busy)
	if err != nil {
		return nil, fmt.Errorf("opening token database %s: %w", path, err)
	}
	return s, nil
}

func openFile(ctx context.Context, path string, busy time.Duration) (_ *Store, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := create(path); err != nil {
		return nil, err
	}
	s := &Store{
		queue:   make(chan *request),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeFiles())
		}
	}()
	if s.writes, err = stdsql.Open("sqlite", dsn(path, busy, "synchronous(FULL)")); err != nil {
		return nil, err
	}
	s.writes.SetMaxOpenConns(1)
	if s.writer, err = newWriter(ctx, s.writes); err != nil {
		return nil, err
	}
	if s.reads, err = stdsql.Open("sqlite", dsn(path, busy, "query_only(1)")); err != nil {
		return nil, err
	}
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	if err = s.reads.PingContext(ctx); err != nil {
		return nil, err
	}
	go s.write()
	return s, nil
}

// create makes an empty file of the right mode, so that SQLite never makes one
// that others can read, and syncs its directory entry.
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
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	return u.String()
}

// Close waits for the changes that were taken on, folds the write-ahead log
// into the file and closes it. Later calls of any method return
// store.ErrClosed; closing again returns what the first Close returned.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.quit)
		<-s.stopped
		_, err := s.writer.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
		s.closed = errors.Join(err, s.closeFiles())
	})
	return s.closed
}

func (s *Store) isClosed() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.Close())
	}
	return errors.Join(errs...)
}
