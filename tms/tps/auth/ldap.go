package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// Security says how the connection to a directory is protected.
type Security uint8

// The ways to protect it. The zero value is the safest.
const (
	// LDAPS: TLS from the first byte.
	LDAPS Security = iota
	// StartTLS: TLS before anything else is said.
	StartTLS
	// Plain: none. Passwords cross the network as they are.
	Plain
)

// String returns the name for messages.
func (s Security) String() string {
	switch s {
	case LDAPS:
		return "ldaps"
	case StartTLS:
		return "starttls"
	case Plain:
		return "plain"
	}
	return fmt.Sprintf("security(%d)", uint8(s))
}

// Bounds of what is taken from people and from the directory.
const (
	maxUID        = 256
	maxPassword   = 1024
	maxAttributes = 128
	maxValues     = 1024    // of one attribute
	maxReceived   = 4 << 20 // bytes from the directory in one login
	defTimeout    = 15 * time.Second
	defMaxConns   = 15
	defCredName   = "uid"
	userIDPattern = "$userid$"
)

// LDAPConfig is the configuration of one UidPwdDirAuth instance.
type LDAPConfig struct {
	// Instance is the configured name (ldap1).
	Instance string
	Host     string
	Port     int
	Security Security
	// AllowPlain permits Plain to a host other than this machine.
	AllowPlain bool
	// TLS is the base of the TLS settings; nil means the system's roots. It is
	// copied; the server's name is Host unless it is set.
	TLS *tls.Config
	// BaseDN is where people are looked for, in the whole subtree.
	BaseDN string
	// BindDN and BindPassword are the account that looks for people; an empty
	// BindDN looks anonymously. BindPassword is secret.
	BindDN       string
	BindPassword Password
	// CredName is the attribute that holds the user id; empty means uid.
	CredName string
	// UserDNPattern, if set, is used instead of looking for people: the entry's
	// DN with $userid$ where the user id goes. The person then reads their own
	// entry. For directories that do not accept the DN that a search returns.
	UserDNPattern string
	// Attributes are those to fetch.
	Attributes []string
	// Timeout bounds one login; 0 means 15 seconds.
	Timeout time.Duration
	// MaxConns bounds the connections open at once; 0 means 15. Further logins
	// wait within their timeout.
	MaxConns int
	// UI holds the texts of the prompt; [DefaultUI] fills in what it leaves out.
	UI UI
	// Dial, if set, opens the connection instead of a dialer: for tests and
	// unusual networks. The address is host:port.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// LDAP is UidPwdDirAuth: user id and password against a directory. Every login
// has a connection of its own, so that no login can see, or be seen as, the
// identity of another. It may be used concurrently.
type LDAP struct {
	conf  LDAPConfig
	tls   *tls.Config
	slots chan struct{}
}

var _ Authenticator = (*LDAP)(nil)

// NewLDAP checks the configuration. It does not connect. The error is an
// [*Error] of kind ErrMisconfigured.
func NewLDAP(c LDAPConfig) (*LDAP, error) {
	if c.Timeout == 0 {
		c.Timeout = defTimeout
	}
	if c.MaxConns == 0 {
		c.MaxConns = defMaxConns
	}
	if c.CredName == "" {
		c.CredName = defCredName
	}
	c.UI = c.UI.withDefaults()
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	c.Attributes = append([]string(nil), c.Attributes...)
	if err := c.check(); err != nil {
		return nil, &Error{Kind: ErrMisconfigured, Instance: c.Instance, Detail: err.Error()}
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		settings = c.TLS.Clone()
	}
	if settings.ServerName == "" {
		settings.ServerName = c.Host
	}
	return &LDAP{conf: c, tls: settings, slots: make(chan struct{}, c.MaxConns)}, nil
}

func (c LDAPConfig) check() error {
	switch {
	case c.Host == "":
		return errors.New("no host")
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("port %d", c.Port)
	case c.Timeout < 0 || c.MaxConns < 0:
		return errors.New("negative limit")
	case c.Security > Plain:
		return fmt.Errorf("unknown %s", c.Security)
	case c.Security == Plain && !c.AllowPlain && !loopback(c.Host):
		return fmt.Errorf("passwords would cross the network to %s unprotected", c.Host)
	case c.BindDN != "" && c.BindPassword == "":
		return fmt.Errorf("no password for %s", c.BindDN)
	case c.UserDNPattern != "" && !strings.Contains(c.UserDNPattern, userIDPattern):
		return fmt.Errorf("user DN pattern %q without %s", c.UserDNPattern, userIDPattern)
	case !attributeName(c.CredName):
		return fmt.Errorf("attribute name %.100q", c.CredName)
	case !c.UI.asks(FieldUID) || !c.UI.asks(FieldPassword):
		return fmt.Errorf("prompt without %s or %s", FieldUID, FieldPassword)
	case len(c.Attributes) > maxAttributes:
		return fmt.Errorf("%d attributes, at most %d", len(c.Attributes), maxAttributes)
	}
	for _, a := range c.Attributes {
		if !attributeName(a) {
			return fmt.Errorf("attribute name %.100q", a)
		}
	}
	_, err := ldap.ParseDN(c.BaseDN)
	if err != nil {
		return fmt.Errorf("base DN %.200q is not one", c.BaseDN)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// attributeName reports whether name is an attribute description: a name or a
// numeric identifier, with options.
func attributeName(name string) bool {
	if name == "" || len(name) > maxUID {
		return false
	}
	for _, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '.' && c != ';' && c != '_' {
			return false
		}
	}
	return true
}

// Prompt asks for user id and password in the language of locale.
func (l *LDAP) Prompt(locale string) Prompt { return l.conf.UI.Prompt(locale) }

// Authenticate looks the person up and binds as them. An empty password is
// refused before the directory is asked: a directory takes it for an anonymous
// bind, which succeeds.
func (l *LDAP) Authenticate(ctx context.Context, c Credentials) (User, error) {
	uid, password := c.Get(FieldUID), c.Get(FieldPassword)
	if what := unfit(uid, password); what != "" {
		return User{}, l.fail(ErrCredentials, what, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, l.conf.Timeout)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return User{}, l.fail(ErrUnreachable, "waiting for a free connection", ctx.Err())
	}
	s, err := l.connect(ctx)
	if err != nil {
		return User{}, err
	}
	defer s.close()
	if l.conf.UserDNPattern != "" {
		return s.bindByPattern(uid, password)
	}
	return s.searchThenBind(uid, password)
}

// unfit says why credentials are not worth trying, empty when they are.
func unfit(uid, password string) string {
	switch {
	case uid == "":
		return "no user id"
	case password == "":
		return "no password"
	case len(uid) > maxUID:
		return fmt.Sprintf("user id of %d bytes", len(uid))
	case len(password) > maxPassword:
		return fmt.Sprintf("password over %d bytes", maxPassword)
	case !utf8.ValidString(uid) || strings.ContainsFunc(uid, unicode.IsControl):
		return "user id that is no text"
	}
	return ""
}

func (l *LDAP) fail(kind error, detail string, cause error) error {
	return &Error{Kind: kind, Instance: l.conf.Instance, Detail: detail, Cause: cause}
}

func (l *LDAP) address() string {
	return net.JoinHostPort(l.conf.Host, strconv.Itoa(l.conf.Port))
}
