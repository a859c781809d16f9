// Package ldappub publishes encryption certificates in the entries of their users, and revocation
// lists in the entry of their CA, in an LDAP directory. // RFC 4523
//
// It must not know which certificates belong there, or when lists are issued.
package ldappub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

const (
	timeout = 10 * time.Second
	maxUser = 256

	attrCertificate = "userCertificate;binary"
	attrCRL         = "certificateRevocationList;binary"
	attrDelta       = "deltaRevocationList;binary"
)

// Config says where the directory is and who writes.
type Config struct {
	URL              string // ldaps://host:port; ldap:// only for an address of this machine
	BindDN, Password string
	UserBase         string         // below which users are; "" publishes no certificates
	UserAttribute    string         // attribute that holds a user's id
	CAEntry          string         // entry of the CA; "" publishes no lists
	Roots            *x509.CertPool // whom the directory's certificate is trusted by
}

// Publisher writes to a directory over one connection, which it opens when it is needed. It is safe
// for concurrent use.
type Publisher struct {
	cfg Config
	mu  sync.Mutex
	con *ldap.Conn
}

// New checks the configuration. It connects to nobody yet.
func New(cfg Config) (*Publisher, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" {
		return nil, errors.New("directory: want ldaps://host:port")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "ldap" && u.Hostname() != "localhost" &&
		(ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("directory: ldap:// sends the password in the clear; want ldaps://")
	}
	for _, dn := range []string{cfg.BindDN, cfg.UserBase, cfg.CAEntry} {
		if _, err := ldap.ParseDN(dn); err != nil {
			return nil, fmt.Errorf("directory: %q is no distinguished name: %w", dn, err)
		}
	}
	if cfg.UserBase != "" && cfg.UserAttribute == "" {
		return nil, errors.New("directory: no attribute holds the user's id")
	}
	return &Publisher{cfg: cfg}, nil
}

// PublishCertificate adds a certificate to the entry of a user. One that is there already stays.
func (p *Publisher) PublishCertificate(ctx context.Context, userID string, der []byte) error {
	if p.cfg.UserBase == "" {
		return nil
	}
	if userID == "" || len(userID) > maxUser {
		return fmt.Errorf("publishing certificate: user id has %d bytes", len(userID))
	}
	err := p.with(ctx, func(c *ldap.Conn) error {
		dn, err := p.find(c, userID)
		if err != nil {
			return err
		}
		m := ldap.NewModifyRequest(dn, nil)
		m.Add(attrCertificate, []string{string(der)})
		if err := c.Modify(m); !ldap.IsErrorWithCode(err, ldap.LDAPResultAttributeOrValueExists) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publishing certificate of %.80q: %w", userID, err)
	}
	return nil
}

// PublishCRL replaces the list, full or delta, in the CA's entry.
func (p *Publisher) PublishCRL(ctx context.Context, der []byte, delta bool) error {
	if p.cfg.CAEntry == "" {
		return nil
	}
	attr := attrCRL
	if delta {
		attr = attrDelta
	}
	err := p.with(ctx, func(c *ldap.Conn) error {
		m := ldap.NewModifyRequest(p.cfg.CAEntry, nil)
		m.Replace(attr, []string{string(der)})
		return c.Modify(m)
	})
	if err != nil {
		return fmt.Errorf("publishing revocation list: %w", err)
	}
	return nil
}

// find gives the entry of a user; there must be one.
func (p *Publisher) find(c *ldap.Conn, userID string) (string, error) {
	filter := "(" + p.cfg.UserAttribute + "=" + ldap.EscapeFilter(userID) + ")"
	res, err := c.Search(ldap.NewSearchRequest(p.cfg.UserBase, ldap.ScopeWholeSubtree,
		ldap.NeverDerefAliases, 2, int(timeout/time.Second), false, filter, []string{"1.1"}, nil))
	if err != nil {
		return "", err
	}
	if len(res.Entries) != 1 {
		return "", fmt.Errorf("%d entries, want one", len(res.Entries))
	}
	return res.Entries[0].DN, nil
}

// with runs do on the connection; one that turns out dead is opened anew, once.
func (p *Publisher) with(ctx context.Context, do func(*ldap.Conn) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for try := 0; ; try++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		fresh := p.con == nil
		if fresh {
			if err := p.dial(); err != nil {
				return err
			}
		}
		err := do(p.con)
		if !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
			return err
		}
		_ = p.con.Close() // it is dead
		p.con = nil
		if fresh || try > 0 {
			return err
		}
	}
}

func (p *Publisher) dial() error {
	c, err := ldap.DialURL(p.cfg.URL, ldap.DialWithDialer(&net.Dialer{Timeout: timeout}),
		ldap.DialWithTLSConfig(&tls.Config{RootCAs: p.cfg.Roots, MinVersion: tls.VersionTLS12}))
	if err != nil {
		return err
	}
	c.SetTimeout(timeout)
	if p.cfg.BindDN != "" {
		if err := c.Bind(p.cfg.BindDN, p.cfg.Password); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	p.con = c
	return nil
}

// Close closes the connection.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.con == nil {
		return nil
	}
	err := p.con.Close()
	p.con = nil
	return err
}
