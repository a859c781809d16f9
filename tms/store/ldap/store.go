// Package ldap keeps token records in an LDAP directory, in the schema of Dogtag: OpenLDAP, the 389
// Directory Server, or what is like them.
//
// It owns entries, filters and names, which are built by escaping types alone, and what takes the
// place of transactions, which LDAP has not. A change is one Modify of the card's entry: it replaces
// the exact value that names the latest change, so that of two changes from the same state one fails,
// and what it has to write to other entries (activities, intents, certificates) rides along in an
// outbox, an attribute of the entry. Steps that may be repeated by anybody move it from there: whoever
// made the change, whoever asks a question that it could answer, or the reconciler.
//
// It must not know what a change means or whether it is allowed.
package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
)

// Usual places, below the base, and limits.
const (
	DefaultTokens     = "ou=Tokens"
	DefaultActivities = "ou=Activities"
	DefaultCerts      = "ou=Certificates"
	intentsPlace      = "ou=Intents"
	defaultConns      = 8
	openLimit         = time.Minute
	changeLimit       = 30 * time.Second
	reconcileEvery    = time.Minute
)

// ErrNoSchema says that the directory does not have the schema of this home.
var ErrNoSchema = errors.New("the directory lacks the schema of the token database: " +
	"load what \"tms tokendb schema\" prints")

// Config says where the directory is and where things are in it.
type Config struct {
	// Addrs are host:port, tried in turn.
	Addrs    []string
	Security Security
	// AllowPlain permits Plain to another machine.
	AllowPlain bool
	// TLS is the base of the TLS settings; it is copied, and the server's name is the host unless
	// it is set.
	TLS *tls.Config
	// External logs in by the certificate in TLS (SASL EXTERNAL), else BindDN and Password do.
	External bool
	BindDN   string
	Password string // secret
	// BaseDN is what the places are below. Tokens, Activities and Certs are names below it; empty
	// ones are the usual places.
	BaseDN                    string
	Tokens, Activities, Certs string
	// ReadOnly takes the directory as it is, without the schema of this home if need be: lists and
	// records can be read, and nothing is written.
	ReadOnly bool
	Conns    int           // connections held at most; 0: eight
	Every    time.Duration // how often the reconciler looks; 0: a minute
	Log      *slog.Logger  // nil: nowhere
}

// Store is the home. It implements store.Store, store.IntentLister and store.CertLister. Its zero
// value is of no use; Open makes one.
type Store struct {
	pool                               *pool
	log                                *slog.Logger
	tokens, activities, certs, intents name
	readOnly, noIntents                bool
	bare                               bool // the directory does not know our attributes

	ticker ticker
	memory memory

	mu       sync.Mutex
	foreign  map[string]bool // places with entries that only Dogtag has written
	ended    bool
	imported int64 // number of the last intent that was imported
	changes  sync.WaitGroup
	stop     context.CancelFunc
	once     sync.Once
	err      error
}

var (
	_ store.Store        = (*Store)(nil)
	_ store.IntentLister = (*Store)(nil)
	_ store.CertLister   = (*Store)(nil)
)

// Open connects, makes the places that are missing, and starts the reconciler. The caller closes the
// store.
func Open(ctx context.Context, c Config) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	s, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("opening token database in directory: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, c Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Conns == 0 {
		c.Conns = defaultConns
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{log: c.Log, readOnly: c.ReadOnly, foreign: map[string]bool{}, stop: func() {}}
	var errs [4]error
	s.tokens, errs[0] = c.place(c.Tokens, DefaultTokens)
	s.activities, errs[1] = c.place(c.Activities, DefaultActivities)
	s.certs, errs[2] = c.place(c.Certs, DefaultCerts)
	s.intents, errs[3] = c.place("", intentsPlace)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	s.pool = newPool(c)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.pool.close())
	}
	s.start(c)
	return s, nil
}

func (c Config) check() error {
	switch {
	case len(c.Addrs) == 0:
		return errors.New("no address")
	case !c.External && (c.BindDN == "" || c.Password == ""):
		return errors.New("no name or no password to log in with")
	case c.External && (c.Security == Plain || c.TLS == nil || len(c.TLS.Certificates) == 0):
		return errors.New("no certificate to log in with, or no TLS")
	case c.BaseDN == "":
		return errors.New("no base")
	}
	for _, addr := range c.Addrs {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		ip := net.ParseIP(host)
		if c.Security == Plain && !c.AllowPlain && host != "localhost" &&
			(ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("records and the password would cross the network to %s unprotected", host)
		}
	}
	return nil
}

// place names a place: relative to the base, unless it is below it already.
func (c Config) place(text, usual string) (name, error) {
	if text == "" {
		text = usual
	}
	base, err := ldap.ParseDN(c.BaseDN)
	if err != nil {
		return name{}, fmt.Errorf("base %s: %w", c.BaseDN, err)
	}
	dn, err := ldap.ParseDN(text)
	if err != nil {
		return name{}, fmt.Errorf("place %s: %w", text, err)
	}
	if !base.AncestorOfFold(dn) {
		text += "," + c.BaseDN
	}
	return parseName(text)
}

// prepare looks whether the schema is there, and makes the places.
func (s *Store) prepare(ctx context.Context) error {
	known, err := s.schemaKnown(ctx)
	switch {
	case err != nil:
		return err
	case !known && !s.readOnly:
		return ErrNoSchema
	}
	s.bare = !known
	if s.readOnly {
		e, err := s.pool.read(ctx, s.intents, noAttributes)
		if err != nil {
			return err
		}
		s.noIntents = e == nil
		return s.lookForForeign(ctx)
	}
	for _, place := range []name{s.tokens, s.activities, s.certs, s.intents} {
		if err := s.makePlace(ctx, place); err != nil {
			return err
		}
	}
	return s.lookForForeign(ctx)
}

// schemaKnown asks the directory for the classes that it knows. // RFC 4512 §4.4
func (s *Store) schemaKnown(ctx context.Context) (bool, error) {
	root, err := s.pool.read(ctx, name{""}, "subschemaSubentry")
	if err != nil || root == nil {
		return false, err
	}
	at, err := parseName(root.GetAttributeValue("subschemaSubentry"))
	if err != nil {
		return false, err
	}
	entries, _, err := s.pool.find(ctx, search{at, ldap.ScopeBaseObject,
		equals("objectClass", "subschema"), []string{"objectClasses"}, 0})
	if err != nil || len(entries) == 0 {
		return false, err
	}
	for _, text := range entries[0].GetAttributeValues("objectClasses") {
		if containsName(text, "tmsCard") {
			return true, nil
		}
	}
	return false, nil
}

func (s *Store) makePlace(ctx context.Context, place name) error {
	e, err := s.pool.read(ctx, place, "1.1")
	if err != nil || e != nil {
		return err
	}
	dn, err := ldap.ParseDN(place.text)
	if err != nil {
		return err
	}
	first := dn.RDNs[0].Attributes[0]
	if first.Type != "ou" {
		return fmt.Errorf("%s is not there", place.text)
	}
	err = s.pool.add(ctx, place, []string{"organizationalUnit"}, []attr{one("ou", first.Value)})
	if is(err, ldap.LDAPResultEntryAlreadyExists) {
		return nil
	}
	return err
}

// Close waits for the changes that were taken on and ends all connections. Later calls give
// store.ErrClosed; closing again returns what the first Close returned.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.stop()
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		s.changes.Wait()
		s.err = s.pool.close()
	})
	return s.err
}

// enter takes something on that Close waits for.
func (s *Store) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.changes.Add(1)
	return true
}

// ticker gives out numbers that order what happens: nanoseconds, each once, never going back.
type ticker struct {
	mu   sync.Mutex
	last int64
}

// next gives the first of n numbers in a row, all above floor.
func (t *ticker) next(n int, floor int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := max(time.Now().UnixNano(), t.last+1, floor+1)
	t.last = first + int64(n) - 1
	return first
}
