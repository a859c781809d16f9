package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// session is one login's conversation with the directory.
type session struct {
	auth *LDAP
	ctx  context.Context
	conn *ldap.Conn
	stop func() bool
}

// connect opens and protects a connection that dies with ctx.
func (l *LDAP) connect(ctx context.Context) (*session, error) {
	raw, err := l.conf.Dial(ctx, "tcp", l.address())
	if err != nil {
		return nil, l.fail(ErrUnreachable, "connecting to "+l.address(), err)
	}
	raw = &bounded{Conn: raw}
	s := &session{auth: l, ctx: ctx}
	s.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	if err := s.protect(raw); err != nil {
		s.stop()
		_ = raw.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) protect(raw net.Conn) error {
	l := s.auth
	switch l.conf.Security {
	case LDAPS:
		c := tls.Client(raw, l.tls)
		if err := c.HandshakeContext(s.ctx); err != nil {
			return s.tlsFailed(err)
		}
		s.conn = ldap.NewConn(c, true)
		s.conn.Start()
	case StartTLS:
		s.conn = ldap.NewConn(raw, false)
		s.conn.Start()
		if err := s.conn.StartTLS(l.tls); err != nil {
			_ = s.conn.Close()
			return s.startTLSFailed(err)
		}
	case Plain:
		s.conn = ldap.NewConn(raw, false)
		s.conn.Start()
	}
	return nil
}

// tlsFailed tells a directory that cannot be reached from one that is not
// trusted, which waiting will not mend.
func (s *session) tlsFailed(err error) error {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return s.auth.fail(ErrMisconfigured, "directory's certificate", err)
	}
	return s.failed("securing the connection to "+s.auth.address(), err)
}

// startTLSFailed is the same for StartTLS, whose client gives the handshake's
// error as text only.
func (s *session) startTLSFailed(err error) error {
	var e *ldap.Error
	if s.ctx.Err() != nil || !errors.As(err, &e) {
		return s.failed("starting TLS", err)
	}
	switch {
	case e.ResultCode != ldap.ErrorNetwork:
		return s.auth.fail(ErrMisconfigured, "directory refuses StartTLS: "+resultName(e), nil)
	case strings.Contains(e.Err.Error(), "certificate"):
		return s.auth.fail(ErrMisconfigured, "directory's certificate", e.Err)
	}
	return s.failed("starting TLS", err)
}

func (s *session) close() {
	s.stop()
	_ = s.conn.Close()
}

// searchThenBind finds the person's entry as the system's account, or
// anonymously, and binds as it.
func (s *session) searchThenBind(uid, password string) (User, error) {
	c := s.auth.conf
	if c.BindDN != "" {
		if err := s.conn.Bind(c.BindDN, string(c.BindPassword)); err != nil {
			return User{}, s.failed("binding as "+c.BindDN, err)
		}
	}
	entry, err := s.find(uid)
	if err != nil {
		return User{}, err
	}
	if err := s.bindAs(entry.DN, password); err != nil {
		return User{}, err
	}
	return s.user(uid, entry)
}

// bindByPattern binds as the DN that the pattern makes of the user id, and has
// the person read their own entry.
func (s *session) bindByPattern(uid, password string) (User, error) {
	dn := strings.ReplaceAll(s.auth.conf.UserDNPattern, userIDPattern, ldap.EscapeDN(uid))
	if err := s.bindAs(dn, password); err != nil {
		return User{}, err
	}
	entries, err := s.search(dn, ldap.ScopeBaseObject, "(objectClass=*)")
	if err != nil {
		return User{}, err
	}
	if len(entries) != 1 {
		return User{}, s.auth.fail(ErrMisconfigured, "user may not read their own entry", nil)
	}
	return s.user(uid, entries[0])
}

// bindAs tries the password. An empty DN would be an anonymous bind.
func (s *session) bindAs(dn, password string) error {
	if dn == "" {
		return s.auth.fail(ErrMisconfigured, "directory returned an entry without a name", nil)
	}
	err := s.conn.Bind(dn, password)
	var e *ldap.Error
	if errors.As(err, &e) && refusals[e.ResultCode] {
		return s.auth.fail(ErrCredentials, resultName(e), nil)
	}
	if err != nil {
		return s.failed("binding as the user", err)
	}
	return nil
}

// refusals are the results of a bind that speak about the person, not about the
// directory: wrong password, no such entry, no password set, account locked.
var refusals = map[uint16]bool{
	ldap.LDAPResultInvalidCredentials:          true,
	ldap.LDAPResultNoSuchObject:                true,
	ldap.LDAPResultInvalidDNSyntax:             true,
	ldap.LDAPResultInappropriateAuthentication: true,
	ldap.LDAPResultConstraintViolation:         true,
	ldap.LDAPResultUnwillingToPerform:          true,
	ldap.LDAPResultInsufficientAccessRights:    true,
}

// search returns what fits, and never more than two entries: that is enough to
// see that it is not one.
func (s *session) search(base string, scope int, filter string) ([]*ldap.Entry, error) {
	c := s.auth.conf
	seconds := max(1, int(c.Timeout/time.Second))
	names := append([]string{c.CredName}, c.Attributes...)
	res, err := s.conn.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 2, seconds,
		false, filter, names, nil))
	var e *ldap.Error
	if res == nil || err != nil &&
		!(errors.As(err, &e) && e.ResultCode == ldap.LDAPResultSizeLimitExceeded) {
		return nil, s.failed("searching in "+base, err)
	}
	return res.Entries[:min(2, len(res.Entries))], nil
}

// find returns the one entry whose user id is the one entered. That the
// directory found an entry is not enough: there are directories that take an
// escaped asterisk for a wildcard.
func (s *session) find(uid string) (*ldap.Entry, error) {
	c := s.auth.conf
	filter := fmt.Sprintf("(%s=%s)", c.CredName, ldap.EscapeFilter(uid))
	entries, err := s.search(c.BaseDN, ldap.ScopeWholeSubtree, filter)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e *ldap.Entry) bool {
		return spelled(uid, e.GetEqualFoldAttributeValues(c.CredName)) == ""
	})
	switch len(entries) {
	case 0:
		return nil, s.auth.fail(ErrCredentials, "no such user", nil)
	case 1:
		return entries[0], nil
	}
	return nil, s.auth.fail(ErrMisconfigured, "more than one entry for the user", nil)
}

// user takes from the entry what was asked for, and no more.
func (s *session) user(uid string, entry *ldap.Entry) (User, error) {
	c := s.auth.conf
	u := User{ID: uid, DN: entry.DN, Attributes: make(map[string][]string)}
	if len(entry.Attributes) > 2*maxAttributes {
		return User{}, s.auth.fail(ErrMisconfigured, "entry has too many attributes", nil)
	}
	if ids := entry.GetEqualFoldAttributeValues(c.CredName); len(ids) > 0 {
		u.ID = either(spelled(uid, ids), ids[0])
	}
	if what := unfit(u.ID, "-"); what != "" {
		return User{}, s.auth.fail(ErrMisconfigured, "entry has "+what, nil)
	}
	for _, name := range c.Attributes {
		values := entry.GetEqualFoldAttributeValues(name)
		if len(values) > maxValues {
			return User{}, s.auth.fail(ErrMisconfigured,
				fmt.Sprintf("attribute %s has %d values, at most %d", name, len(values), maxValues), nil)
		}
		if len(values) > 0 {
			u.Attributes[name] = values
		}
	}
	return u, nil
}

// spelled returns the user id as the directory spells it, so that one person
// has one id in the records however they typed it; empty when the directory's
// ids are others. Like a directory it disregards case and spare blanks.
func spelled(entered string, ids []string) string {
	words := strings.Join(strings.Fields(entered), " ")
	for _, id := range ids {
		if strings.EqualFold(words, strings.Join(strings.Fields(id), " ")) {
			return id
		}
	}
	return ""
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// failed turns an error of the client library into one of ours. The directory's
// own words are left out: it could repeat a password in them.
func (s *session) failed(doing string, err error) error {
	if cause := s.ctx.Err(); cause != nil {
		return s.auth.fail(ErrUnreachable, doing, cause)
	}
	var e *ldap.Error
	if !errors.As(err, &e) {
		return s.auth.fail(ErrUnreachable, doing, err)
	}
	switch e.ResultCode {
	case ldap.ErrorNetwork, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable,
		ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultTimeout, ldap.LDAPResultServerDown,
		ldap.LDAPResultConnectError:
		return s.auth.fail(ErrUnreachable, doing+": "+resultName(e), nil)
	}
	return s.auth.fail(ErrMisconfigured, doing+": "+resultName(e), nil)
}

// resultName names a result without the text that came with it.
func resultName(e *ldap.Error) string {
	if name, ok := ldap.LDAPResultCodeMap[e.ResultCode]; ok {
		return fmt.Sprintf("ldap result %d, %s", e.ResultCode, name)
	}
	return fmt.Sprintf("ldap result %d", e.ResultCode)
}

// bounded ends a connection that has brought more than any login needs.
type bounded struct {
	net.Conn
	received atomic.Int64
}

var errTooMuch = fmt.Errorf("directory sent more than %d bytes", maxReceived)

// Read counts what it reads.
func (b *bounded) Read(p []byte) (int, error) {
	if b.received.Load() >= maxReceived {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p)
	b.received.Add(int64(n))
	return n, err
}
