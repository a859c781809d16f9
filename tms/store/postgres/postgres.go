// Package postgres opens databases on a PostgreSQL server for those who keep records on more than
// one machine.
//
// It owns connections and their limits in time, the agreement of several processes on one schema,
// and what is known of a change whose connection was lost. It must not know what is kept. It has
// the shape of package sqlite, so that the same code keeps records in both.
package postgres

import (
	"context"
	"crypto/tls"
	stdsql "database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Limits in time, set for every session so that the server keeps them even when nobody waits any
// more.
const (
	statementLimit = 10 * time.Second
	lockLimit      = 5 * time.Second
	idleLimit      = 30 * time.Second // of a transaction in which nothing happens
	connectLimit   = 10 * time.Second
	openLimit      = time.Minute
	changeLimit    = 30 * time.Second // a change with all its statements and attempts
)

// DefaultConns is how many connections are held at most, for questions and changes each.
const DefaultConns = 8

// Errors of every database.
var (
	ErrClosed = errors.New("database is closed")
	// ErrNewer: a newer program has changed the schema. It was left alone.
	ErrNewer = errors.New("database was migrated by a newer program")
	// ErrUnknown: the server could not be asked whether a change was made.
	ErrUnknown = errors.New("connection lost: whether the change was made is not known")
)

// Config says where the database is. Nothing of it is taken from the environment.
type Config struct {
	Host     string // a name, an address, or the folder of a socket
	Port     int
	Database string
	User     string
	Password string      // secret
	TLS      *tls.Config // nil: not encrypted
	Conns    int         // 0: DefaultConns
}

// Kind is what a database is for. Several kinds may share one.
type Kind struct {
	// Name marks the schema's version.
	Name string
	// Schema are the steps that make the schema, each an SQL script; the schema's version is how
	// many of them were made. Steps are added at the end and never changed.
	Schema []string
}

// DB is an open database, safe for concurrent use. Its zero value is of no use.
type DB struct {
	reads, writes *stdsql.DB
	quit          chan struct{}
	once          sync.Once
	changes       sync.WaitGroup
	mu            sync.Mutex // for changes against quit
	closed        error
}

// Open connects and brings the schema up to date. The caller closes the database. Errors never
// hold the password.
func Open(ctx context.Context, c Config, k Kind) (*DB, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	db, err := open(ctx, c, k)
	if err != nil {
		return nil, fmt.Errorf("opening database %s on %s: %w", c.Database, c.Host, err)
	}
	return db, nil
}

func open(ctx context.Context, c Config, k Kind) (_ *DB, err error) {
	db := &DB{quit: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if db.writes, err = c.pool(false); err != nil {
		return nil, err
	}
	if err = k.migrate(ctx, db.writes); err != nil {
		return nil, err
	}
	if db.reads, err = c.pool(true); err != nil {
		return nil, err
	}
	return db, db.reads.PingContext(ctx)
}

// pool makes the connections for changes or for questions; whoever tries to change something
// through the latter fails.
func (c Config) pool(readOnly bool) (*stdsql.DB, error) {
	cfg, err := c.parse()
	if err != nil {
		return nil, err
	}
	millis := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	cfg.RuntimeParams = map[string]string{
		"application_name":                    "tokenwright",
		"statement_timeout":                   millis(statementLimit),
		"lock_timeout":                        millis(lockLimit),
		"idle_in_transaction_session_timeout": millis(idleLimit),
		"synchronous_commit":                  "on",
		"default_transaction_isolation":       "read committed",
		"default_transaction_read_only":       map[bool]string{true: "on", false: "off"}[readOnly],
		"client_encoding":                     "UTF8",
	}
	conns := c.Conns
	if conns == 0 {
		conns = DefaultConns
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// parse gives the driver's form of the configuration. All that the environment could say is said.
func (c Config) parse() (*pgx.ConnConfig, error) {
	for _, text := range []string{c.Host, c.Database, c.User} {
		if text == "" || strings.ContainsRune(text, 0) {
			return nil, errors.New("host, database and user have to be given")
		}
	}
	cfg, err := pgx.ParseConfig("host=localhost port=5432 user=x dbname=x password=x sslmode=disable " +
		"target_session_attrs=any")
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Database, cfg.User, cfg.Password = c.Host, c.Database, c.User, c.Password
	cfg.Port, cfg.TLSConfig, cfg.Fallbacks = uint16(c.Port), c.TLS, nil
	cfg.ConnectTimeout = connectLimit
	cfg.DialFunc = (&net.Dialer{Timeout: connectLimit, KeepAlive: idleLimit}).DialContext
	return cfg, nil
}

// Reads gives the connections for questions. Texts have to be rebound by Text.
func (db *DB) Reads() *stdsql.DB { return db.reads }

// Close waits for the changes that were taken on and ends all connections. Later changes give
// ErrClosed; closing again returns what the first Close returned.
func (db *DB) Close() error {
	db.once.Do(func() {
		db.mu.Lock()
		close(db.quit)
		db.mu.Unlock()
		db.changes.Wait()
		var errs []error
		for _, p := range []*stdsql.DB{db.reads, db.writes} {
			if p != nil {
				errs = append(errs, p.Close())
			}
		}
		db.closed = errors.Join(errs...)
	})
	return db.closed
}

// enter takes a change on, unless the database is closed.
func (db *DB) enter() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	select {
	case <-db.quit:
		return false
	default:
		db.changes.Add(1)
		return true
	}
}

// Admin gives the connections for changes, for whoever makes databases or loads them in bulk.
func (db *DB) Admin() *stdsql.DB { return db.writes }
