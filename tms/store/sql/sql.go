// Package sql keeps token records in an SQL database: an embedded SQLite file for one machine, with
// no server and no C compiler, or a PostgreSQL server for several.
//
// It owns the schema, the statements, and indexed, paged, time-limited lists: the same code for both
// databases. It must not know what a change means or whether it is allowed, nor how a database
// commits, which is for packages sqlite and postgres.
package sql

import (
	"context"
	stdsql "database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/store/postgres"
	"tokenwright/tms/store/sqlite"
)

// readTimeout bounds every question, whatever the caller's patience.
const readTimeout = 10 * time.Second

// mapped is how much of a file is read through memory: all that SQLite can.
const mapped = 2<<30 - 64<<10

// applicationID marks a file as a token database (the four letters "tmsT").
const applicationID = 0x746d7354

//go:embed migrations
var migrations embed.FS

// Errors of a database that this program must leave alone.
var (
	// ErrForeign: the file is a SQLite database of something else.
	ErrForeign = sqlite.ErrForeign
	// ErrNewer: a newer program has changed the schema of the file.
	ErrNewer = sqlite.ErrNewer
)

// tx is what a change is made with. Texts are constants, with the placeholders of SQLite.
type tx interface {
	// Exec gives the number of rows changed, Row an answer of one row or sql.ErrNoRows.
	Exec(ctx context.Context, text string, args ...any) (int64, error)
	Row(ctx context.Context, text string, args []any, dest ...any) error
	// Lock has others who lock the same name wait until the change is made.
	Lock(ctx context.Context, name string) error
}

// engine is an open database.
type engine interface {
	change(ctx context.Context, do func(context.Context, tx) error) error
	// text turns the placeholders of SQLite into those of the database.
	text(string) string
	// patience is the statement, if any, that lets a transaction take as long as it takes.
	patience() string
	// imported has new activities numbered after those that were imported.
	imported(ctx context.Context, t tx) error
	Reads() *stdsql.DB
	Close() error
}

// Store is the home. It implements store.Store, store.IntentLister and store.CertLister. Its zero
// value is of no use; Open or OpenPostgres makes one.
type Store struct {
	engine engine
}

var (
	_ store.Store        = (*Store)(nil)
	_ store.IntentLister = (*Store)(nil)
	_ store.CertLister   = (*Store)(nil)
)

// Open opens the database file at path, makes it if there is none (readable by its owner only), and
// brings its schema up to date. A file that is not a token database, or one that a newer program has
// migrated, is refused and left alone. The caller closes the store.
func Open(ctx context.Context, path string) (*Store, error) { return open(ctx, path, 0) }

func open(ctx context.Context, path string, busy time.Duration) (*Store, error) {
	schema, err := steps("sqlite")
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path,
		sqlite.Kind{ApplicationID: applicationID, Schema: schema, Busy: busy, Map: mapped})
	if err != nil {
		return nil, err
	}
	return &Store{engine: file{db}}, nil
}

// OpenPostgres opens the database on a PostgreSQL server and brings its schema up to date. The caller
// closes the store.
func OpenPostgres(ctx context.Context, c postgres.Config) (*Store, error) {
	schema, err := steps("postgres")
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, c, postgres.Kind{Name: "tokens", Schema: schema})
	if err != nil {
		return nil, err
	}
	return &Store{engine: server{db}}, nil
}

// steps are the scripts that make the schema for one kind of database, in their order.
func steps(kind string) ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/"+kind+"/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	out := make([]string, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out[i] = string(text)
	}
	return out, nil
}

// Close waits for the changes that were taken on and closes the database. Later calls of any method
// return store.ErrClosed; closing again returns what the first Close returned.
func (s *Store) Close() error { return s.engine.Close() }

// file is a SQLite file.
type file struct{ *sqlite.DB }

func (f file) change(ctx context.Context, do func(context.Context, tx) error) error {
	err := f.Change(ctx, func(ctx context.Context, t *sqlite.Tx) error { return do(ctx, single{t}) })
	return closedAs(err, sqlite.ErrClosed)
}

func (file) text(text string) string { return text }

func (file) patience() string { return "" }

func (file) imported(context.Context, tx) error { return nil } // SQLite counts on by itself

// single is a transaction beside which there is no other.
type single struct{ *sqlite.Tx }

func (single) Lock(context.Context, string) error { return nil }

// server is a database on a PostgreSQL server.
type server struct{ *postgres.DB }

func (p server) change(ctx context.Context, do func(context.Context, tx) error) error {
	err := p.Change(ctx, func(ctx context.Context, t *postgres.Tx) error { return do(ctx, t) })
	return closedAs(err, postgres.ErrClosed)
}

func (server) patience() string { return "SET LOCAL statement_timeout = 0" }

func (server) imported(ctx context.Context, t tx) error {
	var last int64
	return t.Row(ctx, `SELECT setval(pg_get_serial_sequence('activities', 'id'),
		GREATEST(max(id), nextval(pg_get_serial_sequence('activities', 'id')))) FROM activities`, nil, &last)
}

func (server) text(text string) string { return postgres.Text(text) }

// closedAs turns an engine's word for closed into the contract's.
func closedAs(err, closed error) error {
	if errors.Is(err, closed) {
		return store.ErrClosed
	}
	return err
}
