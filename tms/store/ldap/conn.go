package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
)

// Security says how the connection to the directory is protected.
type Security uint8

// The ways to protect it. The zero value is the safest.
const (
	LDAPS Security = iota // TLS from the first byte
	StartTLS
	Plain // secrets cross the network as they are
)

const (
	dialLimit = 5 * time.Second
	callLimit = 15 * time.Second // one request, as the client counts
	askLimit  = 10               // seconds: one question, as the server counts
	attempts  = 3                // of a question whose connection is lost
)

// pool holds connections, each used by one caller at a time.
type pool struct {
	conf  Config
	slots chan *ldap.Conn // nil: not connected yet
	quit  chan struct{}
	fault func(sent bool) error // of tests; nil: none
}

func newPool(c Config) *pool {
	p := &pool{conf: c, slots: make(chan *ldap.Conn, c.Conns), quit: make(chan struct{})}
	for range c.Conns {
		p.slots <- nil
	}
	return p
}

// close ends all connections, waiting for who uses one.
func (p *pool) close() error {
	close(p.quit)
	var errs []error
	for range p.conf.Conns {
		if c := <-p.slots; c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// ask runs a question, again on another connection when one is lost, and ends it when ctx ends.
func (p *pool) ask(ctx context.Context, do func(*ldap.Conn) error) error {
	var err error
	for range attempts {
		err = p.once(ctx, func(c *ldap.Conn) error {
			defer context.AfterFunc(ctx, func() { _ = c.Close() })()
			return do(c)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !lost(err) {
			return err
		}
	}
	return err
}

// once runs a request on a connection. Nothing is repeated; once it is sent, nothing ends it but the
// limits in time.
func (p *pool) once(ctx context.Context, do func(*ldap.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select { // asked first: select has no preference
	case <-p.quit:
		return store.ErrClosed
	default:
	}
	var c *ldap.Conn
	select {
	case c = <-p.slots:
	case <-p.quit:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	back := c
	defer func() { p.slots <- back }()
	if c == nil || c.IsClosing() {
		var err error
		if c, err = p.connect(ctx); err != nil {
			back = nil
			return err
		}
	}
	back = c
	err := do(c)
	if lost(err) || c.IsClosing() {
		_ = c.Close()
		back = nil
	}
	return err
}

// lost tells errors of the connection from answers of the directory.
func lost(err error) bool {
	var e *ldap.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.ResultCode >= ldap.ErrorNetwork || e.ResultCode == ldap.LDAPResultUnavailable ||
		e.ResultCode == ldap.LDAPResultBusy
}

// connect tries the addresses in turn. Errors hold no password.
func (p *pool) connect(ctx context.Context) (*ldap.Conn, error) {
	var errs []error
	for _, addr := range p.conf.Addrs {
		c, err := p.dial(ctx, addr)
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("directory %s: %w", addr, err))
	}
	return nil, errors.Join(errs...)
}

func (p *pool) dial(ctx context.Context, addr string) (_ *ldap.Conn, err error) {
	dialer := &net.Dialer{Timeout: dialLimit}
	if at, ok := ctx.Deadline(); ok {
		dialer.Deadline = at
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.conf.TLS != nil {
		settings = p.conf.TLS.Clone()
	}
	if settings.ServerName == "" {
		settings.ServerName = host
	}
	scheme := "ldap://"
	if p.conf.Security == LDAPS {
		scheme = "ldaps://"
	}
	c, err := ldap.DialURL(scheme+addr, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(settings))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	c.SetTimeout(callLimit)
	if p.conf.Security == StartTLS {
		if err := c.StartTLS(settings); err != nil {
			return nil, err
		}
	}
	if p.conf.External {
		return c, c.ExternalBind()
	}
	return c, c.Bind(p.conf.BindDN, p.conf.Password)
}

// search is a question put to the directory.
type search struct {
	base  name
	scope int
	what  filter
	attrs []string
	limit int // 0: none
}

// find answers a question. full says that the limit cut the answer short.
func (p *pool) find(ctx context.Context, q search) (entries []*ldap.Entry, full bool, err error) {
	err = p.ask(ctx, func(c *ldap.Conn) error {
		res, err := c.Search(ldap.NewSearchRequest(q.base.text, q.scope, ldap.NeverDerefAliases, q.limit,
			askLimit, false, q.what.text, q.attrs, nil))
		full = is(err, ldap.LDAPResultSizeLimitExceeded) && q.limit > 0
		if full {
			err = nil
		}
		entries = nil
		if res != nil {
			entries = res.Entries
		}
		return err
	})
	return entries, full, err
}

// read answers one entry, nil if there is none.
func (p *pool) read(ctx context.Context, dn name, attrs ...string) (*ldap.Entry, error) {
	entries, _, err := p.find(ctx, search{dn, ldap.ScopeBaseObject, has("objectClass"), attrs, 0})
	switch {
	case is(err, ldap.LDAPResultNoSuchObject):
		return nil, nil
	case err != nil || len(entries) == 0:
		return nil, err
	}
	return entries[0], nil
}

// all answers a question however long the answer is, page by page.
func (p *pool) all(ctx context.Context, q search, most int) (entries []*ldap.Entry, err error) {
	err = p.ask(ctx, func(c *ldap.Conn) error {
		entries = nil
		page := ldap.NewControlPaging(1000)
		for {
			res, err := c.Search(ldap.NewSearchRequest(q.base.text, q.scope, ldap.NeverDerefAliases, 0,
				askLimit, false, q.what.text, q.attrs, []ldap.Control{page}))
			if err != nil {
				return err
			}
			if entries = append(entries, res.Entries...); len(entries) > most {
				return fmt.Errorf("%w: more than %d entries", errTooMany, most)
			}
			next, _ := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if next == nil || len(next.Cookie) == 0 {
				return nil
			}
			page.SetCookie(next.Cookie)
		}
	})
	return entries, err
}

// errTooMany: an answer would take more time than anybody should wait.
var errTooMany = errors.New("answer too long")

// is tells whether the directory answered with one of the codes.
func is(err error, codes ...uint16) bool {
	for _, c := range codes {
		if ldap.IsErrorWithCode(err, c) {
			return true
		}
	}
	return false
}

// modification is a change of one entry, which the directory makes wholly or not at all.
type modification struct{ req *ldap.ModifyRequest }

func modify(dn name) modification { return modification{ldap.NewModifyRequest(dn.text, nil)} }

// swap replaces one exact value, which has to be there: compare and set.
func (m modification) swap(attr, old, value string) {
	m.req.Delete(attr, []string{old})
	m.req.Add(attr, []string{value})
}

// set replaces whatever values there are; an empty value leaves none.
func (m modification) set(attr, value string) {
	if value == "" {
		m.req.Replace(attr, nil)
		return
	}
	m.req.Replace(attr, []string{value})
}

func (p *pool) modify(ctx context.Context, m modification) error {
	return p.write(ctx, func(c *ldap.Conn) error { return c.Modify(m.req) })
}

// write runs a request that changes something.
func (p *pool) write(ctx context.Context, do func(*ldap.Conn) error) error {
	if p.fault == nil {
		return p.once(ctx, do)
	}
	if err := p.fault(false); err != nil {
		return err
	}
	err := p.once(ctx, do)
	if fault := p.fault(true); fault != nil {
		return fault
	}
	return err
}

// add makes an entry of attributes; empty values are left out.
func (p *pool) add(ctx context.Context, dn name, classes []string, attrs []attr) error {
	req := ldap.NewAddRequest(dn.text, nil)
	req.Attribute("objectClass", classes)
	for _, a := range attrs {
		if len(a.values) > 0 && a.values[0] != "" {
			req.Attribute(a.name, a.values)
		}
	}
	return p.write(ctx, func(c *ldap.Conn) error { return c.Add(req) })
}

// attr is an attribute to write.
type attr struct {
	name   string
	values []string
}

func one(name, value string) attr { return attr{name, []string{value}} }

// noAttributes asks for names of entries alone. // RFC 4511 §4.5.1.8
const noAttributes = "1.1"
