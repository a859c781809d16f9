package instance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"tokenwright/tms/admin"
	"tokenwright/tms/conf"
)

// AdminSocket is the name of the socket in a subsystem's directory over which it is administered,
// unless admin.socket says otherwise.
const AdminSocket = "admin.sock"

// Bounds of one request of administration: to send it, and to read the answer after what it asks for
// was done, which has bounds of its own.
const (
	adminReadTimeout  = 30 * time.Second
	adminWriteTimeout = 3 * time.Minute
)

// administration is how a subsystem is administered: over a Unix socket, and, when admin.listen says
// where, over HTTPS with client certificates at a port of its own. The port of the clients stays
// without: whoever reaches that one should not even be asked for an administrator's certificate.
type administration struct {
	handler   http.Handler // nil when there is nothing to administer
	socket    string       // empty: none
	mode      fs.FileMode
	gid       int
	listen    string // empty: none
	tls       *tls.Config
	listeners []adminListener
}

type adminListener struct {
	net.Listener
	scheme string // https or unix
}

// openAdmin reads the admin.* keys and offers routes to those who are listed there.
func (p *part) openAdmin(routes ...admin.Route) error {
	c := p.conf.Sub("admin")
	users, err := readAdmins(c)
	if err != nil {
		return err
	}
	if err := p.readAdminSocket(c); err != nil {
		return err
	}
	if p.admin.listen = c.String("listen"); p.admin.listen != "" {
		if _, _, err := splitListen(p.admin.listen); err != nil {
			return c.Errorf("listen", "%w", err)
		}
		pool, err := p.adminCAs(c)
		if err != nil {
			return err
		}
		t := p.tls.Clone()
		t.ClientAuth, t.ClientCAs = tls.RequireAndVerifyClientCert, pool
		p.admin.tls = t
	} else {
		c.Declare("clientCA")
	}
	p.admin.handler = admin.Handler(users, p.log, routes...)
	return nil
}

// readAdminSocket reads where the socket is and who else can get at it.
func (p *part) readAdminSocket(c *conf.Config) error {
	path := c.StringOr("socket", AdminSocket)
	mode, err := c.OneOf("socketMode", "0600", "0600", "0660")
	if err != nil {
		return err
	}
	group := c.String("socketGroup")
	p.admin.gid = -1
	if group != "" {
		if p.admin.gid, err = groupID(group); err != nil {
			return c.Errorf("socketGroup", "%w", err)
		}
	}
	if path == "none" {
		return nil
	}
	p.admin.socket, p.admin.mode = under(p.dir, path), 0o600
	if mode == "0660" {
		p.admin.mode = 0o660
	}
	return nil
}

func groupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if n, bad := strconv.Atoi(name); bad == nil && n >= 0 {
			return n, nil
		}
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// adminCAs reads the CAs that administrators' certificates are trusted by.
func (p *part) adminCAs(c *conf.Config) (*x509.CertPool, error) {
	path := c.String("clientCA")
	if path == "" {
		return loadPool(p.dir)
	}
	text, err := os.ReadFile(under(p.dir, path))
	if err != nil {
		return nil, c.Errorf("clientCA", "%w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, c.Errorf("clientCA", "the file holds no certificate in PEM form")
	}
	return pool, nil
}

// readAdmins reads admin.users.list and the users that it names: subject, fingerprint, account,
// roles.
func readAdmins(c *conf.Config) (*admin.Users, error) {
	var list []admin.User
	var errs []error
	for _, name := range c.List("users.list") {
		s := c.Sub("users." + name)
		u := admin.User{Name: name, Subject: s.String("subject"), Fingerprint: s.String("fingerprint")}
		var err error
		if u.Roles, err = admin.ParseRoles(s.String("roles")); err != nil {
			errs = append(errs, s.Errorf("roles", "%w", err))
		}
		if account := s.String("account"); account != "" {
			uid, err := accountID(account)
			if err != nil {
				errs = append(errs, s.Errorf("account", "%w", err))
			}
			u.UID = &uid
		}
		list = append(list, u)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	users, err := admin.NewUsers(list)
	if err != nil {
		return nil, c.Errorf("users.list", "%w", err)
	}
	return users, nil
}

func accountID(name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n, nil
	}
	a, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(a.Uid)
}

// listenAdmin opens the sockets of administration.
func (p *part) listenAdmin(ctx context.Context) error {
	a := &p.admin
	if a.handler == nil || len(a.listeners) > 0 {
		return nil
	}
	if a.socket != "" {
		l, err := admin.ListenSocket(ctx, a.socket, a.mode, a.gid)
		if err != nil {
			return fmt.Errorf("%s: administration: %w", p.name, err)
		}
		a.listeners = append(a.listeners, adminListener{l, "unix"})
	}
	if a.listen != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.listen)
		if err != nil {
			return fmt.Errorf("%s: administration: %w", p.name, err)
		}
		a.listeners = append(a.listeners, adminListener{l, "https"})
	}
	return nil
}

func (p *part) closeAdmin() error {
	var errs []error
	for _, l := range p.admin.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	p.admin.listeners = nil
	return errors.Join(errs...)
}

// startAdmin serves on the sockets of administration.
func (p *part) startAdmin(failed chan<- error) []*running {
	var out []*running
	for _, l := range p.admin.listeners {
		s, cancel := p.httpServer(p.admin.handler)
		s.ReadTimeout, s.WriteTimeout = adminReadTimeout, adminWriteTimeout
		serve := func() error { return s.Serve(l) }
		if l.scheme == "unix" {
			s.ConnContext = admin.ConnContext
		} else {
			s.TLSConfig = p.admin.tls
			serve = func() error { return s.ServeTLS(l, "", "") }
		}
		p.log.Info("administration listens", "scheme", l.scheme, "addr", l.Addr().String())
		p.serveOn(serve, failed)
		out = append(out, &running{part: p, server: s, cancel: cancel})
	}
	return out
}

// AdminAddress is where a subsystem is administered.
type AdminAddress struct {
	Subsystem string
	// Socket is the path of a Unix socket; empty means HTTPS at Addr.
	Socket string
	Addr   net.Addr
}

// URL gives the HTTPS address as a URL of the local machine, or the path of the socket.
func (a AdminAddress) URL() string {
	if a.Socket != "" {
		return a.Socket
	}
	return "https://" + dialable(a.Addr.String())
}

// AdminAddresses answers where the instance is administered, once it listens.
func (i *Instance) AdminAddresses() []AdminAddress {
	var out []AdminAddress
	for _, p := range i.parts {
		for _, l := range p.admin.listeners {
			a := AdminAddress{Subsystem: p.name, Addr: l.Addr()}
			if l.scheme == "unix" {
				a.Socket = p.admin.socket
			}
			out = append(out, a)
		}
	}
	return out
}

// SocketOf answers where a subsystem of the instance at dir is administered on this machine, whether
// or not it is served at the moment; empty when nowhere.
func SocketOf(dir, subsystem string) (string, error) {
	base := filepath.Join(dir, subsystem)
	c, err := conf.Load(filepath.Join(base, configFile), kindOf(subsystem))
	if err != nil {
		return "", err
	}
	path := c.StringOr("admin.socket", AdminSocket)
	if path == "none" {
		return "", nil
	}
	return under(base, path), nil
}
