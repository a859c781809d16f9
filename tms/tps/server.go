// Package tps serves the token processing system to its clients: the HTTP
// handler of the client protocol, the session loop around each operation, and the
// phone home page.
//
// It owns how a conversation begins, what bounds it, the id that all its log lines
// and activities carry, and that it ends with END_OP whatever happens. It must not
// know what an operation does to a card (op), how messages are framed (wire), how
// card keys are derived, or where records are kept.
package tps

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Paths that the handler answers.
const (
	PathOperation = "/tps/tps"
	PathLegacy    = "/nk_service" // what the old test client asks for
	PathPhoneHome = "/tps/phoneHome"
)

// Options are what a Server is made of.
type Options struct {
	// Config is the instance's configuration of subsystem "tps".
	Config *conf.Config
	// Dir is where relative paths of the configuration begin.
	Dir string
	// Store is the home of token records.
	Store tokendb.Store
	// TKS are the token key services by connector id (tks1), Auth the
	// authenticators by instance name (ldap1).
	TKS  map[string]contact.TKS
	Auth map[string]auth.Authenticator
	// CAs and KRAs are the authorities by connector id (ca1, kra1). Authorities are the
	// key identifiers of the CAs, in lower-case hex, as far as they are known without
	// being configured.
	CAs         map[string]connector.CA
	KRAs        map[string]connector.KRA
	Authorities map[string]string
	// Resolvers are the kinds of mapping resolver; nil means the built-in ones.
	Resolvers mapping.Registry
	// PhoneHome is the path of phoneHome.xml; empty means an answer made of the
	// request's own address.
	PhoneHome string
	// Log gets a line or more for each session; nil means no log.
	Log *slog.Logger
	// Random makes session ids, and host challenges where the TKS doesn't; nil
	// means crypto/rand.
	Random io.Reader
	// Now is the clock of records; nil means time.Now.
	Now func() time.Time
	// Failpoint, if any, is called at each of op.Failpoints. An error ends the
	// session as if the process had died there.
	Failpoint func(name string) error
}

// Server runs operations for clients. It may serve any number of sessions at once.
type Server struct {
	env       contact.Env
	db        *tokendb.DB
	ops       map[wire.Operation]op.Func
	limits    limits
	slots     chan struct{}
	random    io.Reader
	log       *slog.Logger
	phoneHome string
}

// New reads the configuration and makes a server. All that is wrong with the
// configuration comes to light here, with file and line.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	settings, err := profile.Load(o.Config, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading tps configuration: %w", err)
	}
	lim, err := loadLimits(o.Config)
	if err != nil {
		return nil, fmt.Errorf("reading tps configuration: %w", err)
	}
	rules, err := loadRules(o.Config)
	if err != nil {
		return nil, fmt.Errorf("reading tps configuration: %w", err)
	}
	resolvers, err := loadResolvers(o)
	if err != nil {
		return nil, fmt.Errorf("reading tps configuration: %w", err)
	}
	db := tokendb.New(o.Store, rules, o.Now)
	s := &Server{
		env: contact.Env{
			Settings: settings, Tokens: db, TKS: o.TKS, Auth: o.Auth, Resolvers: resolvers,
			Random: o.Random, Failpoint: o.Failpoint, Busy: new(contact.Busy),
		},
		db: db,
		ops: map[wire.Operation]op.Func{
			wire.OpFormat: op.Format, wire.OpEnroll: op.Enroll, wire.OpResetPIN: op.PINReset,
		},
		limits:    lim,
		slots:     make(chan struct{}, lim.sessions),
		random:    o.Random,
		log:       o.Log,
		phoneHome: o.PhoneHome,
	}
	s.env.Authorities = newRouter(o, settings, s.env.At)
	return s, nil
}

// newRouter makes the way to CAs and KRAs. What is configured of a CA counts more
// than what is known.
func newRouter(o Options, s *profile.Settings, failpoint func(string) error) *routing.Router {
	known := maps.Clone(s.Authorities)
	for id, ski := range o.Authorities {
		if known[id] == "" {
			known[id] = ski
		}
	}
	return &routing.Router{
		CAs: o.CAs, KRAs: o.KRAs, Authorities: known, Revokers: s.Revokers, Failpoint: failpoint,
		Log: o.Log,
	}
}

// NoteInterrupted is for a server's start, before it takes sessions: it writes into
// the history of each token what sessions of an earlier run left undone.
func (s *Server) NoteInterrupted(ctx context.Context, h tokendb.History) error {
	open, err := s.db.NoteInterrupted(ctx, h)
	for _, i := range open {
		s.log.Warn("interrupted operation", "cuid", i.CUID.String(), "session", i.Session,
			"intent", i.String())
	}
	return err
}

// Reconcile finishes or undoes at CAs and KRAs what sessions that are over left
// undone. It may be called at any time, and again after an error: cards that a session
// is at work with are left to it.
func (s *Server) Reconcile(ctx context.Context, h tokendb.History) error {
	id, err := s.newSessionID()
	if err != nil {
		return err
	}
	return s.env.Authorities.Reconcile(ctx, s.db, h, id, s.env.Busy.With)
}

// Sessions tells how many sessions are under way.
func (s *Server) Sessions() int { return len(s.slots) }

// Handler answers the client protocol and the phone home page.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(PathOperation, s.serveOperation)
	mux.HandleFunc(PathLegacy, s.serveOperation)
	mux.HandleFunc(PathPhoneHome, s.servePhoneHome)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		wire.Refuse(w, http.StatusNotFound, "there is nothing here")
	})
	return mux
}

// limits bound a conversation.
type limits struct {
	message  int           // bytes of one message
	answer   time.Duration // wait for the card, or for an acknowledgement
	login    time.Duration // wait for a person
	session  time.Duration // a whole conversation
	sessions int           // at once
}

func loadLimits(c *conf.Config) (limits, error) {
	var l limits
	var errs [5]error
	l.message, errs[0] = c.Int("tps.connection.maxMessageSize", wire.DefaultMaxMessage, 1024,
		wire.LargestMaxMessage)
	seconds := func(key string, def, longest time.Duration) (time.Duration, error) {
		return c.Duration(key, def, time.Second, longest)
	}
	l.answer, errs[1] = seconds("tps.session.answerTimeout", 2*time.Minute, time.Hour)
	l.login, errs[2] = seconds("tps.session.loginTimeout", 5*time.Minute, time.Hour)
	l.session, errs[3] = seconds("tps.session.timeout", 30*time.Minute, 24*time.Hour)
	l.sessions, errs[4] = c.Int("tps.session.max", 1000, 1, 1_000_000)
	return l, errors.Join(errs[:]...)
}

func loadResolvers(o Options) (map[string]mapping.Resolver, error) {
	registry := o.Resolvers
	if registry == nil {
		registry = mapping.Builtin()
	}
	out := make(map[string]mapping.Resolver)
	for _, name := range o.Config.List("mappingResolver.list") {
		r, err := registry.New(o.Config, name)
		if err != nil {
			return nil, err
		}
		out[name] = r
	}
	return out, nil
}

// sessionIDLen is the length of a session id in random bytes.
const sessionIDLen = 16

func (s *Server) newSessionID() (string, error) {
	var b [sessionIDLen]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return "", fmt.Errorf("making session id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
