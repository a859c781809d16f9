package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"

	"tokenwright/tms/connector"
)

// User is somebody who may administer. At least one of Subject, Fingerprint and UID is stated; the
// first two are of a certificate that TLS verified.
type User struct {
	Name        string
	Subject     string // RFC 4514 text
	Fingerprint string // SHA-256 in hex
	UID         *int   // account on this machine
	Roles       []Role
}

// Users tells who a caller is.
type Users struct {
	byCert func(*tls.ConnectionState) (string, bool)
	byUID  map[int]Caller
	roles  map[string][]Role
	self   int
}

// NewUsers checks the list. Whoever owns the process, and root, may do everything over the socket:
// they could change the files as well.
func NewUsers(list []User) (*Users, error) {
	u := &Users{byUID: map[int]Caller{}, roles: map[string][]Role{}, self: os.Getuid()}
	var certs []connector.Client
	var errs []error
	for _, e := range list {
		switch {
		case e.Name == "":
			errs = append(errs, errors.New("user without a name"))
		case u.roles[e.Name] != nil:
			errs = append(errs, fmt.Errorf("user %.60q is listed twice", e.Name))
		case len(e.Roles) == 0:
			errs = append(errs, fmt.Errorf("user %.60q has no role", e.Name))
		case e.Subject == "" && e.Fingerprint == "" && e.UID == nil:
			errs = append(errs, fmt.Errorf("user %.60q: needs a certificate or an account", e.Name))
		}
		u.roles[e.Name] = e.Roles
		if e.Subject != "" || e.Fingerprint != "" {
			certs = append(certs, connector.Client{Name: e.Name, Subject: e.Subject,
				Fingerprint: e.Fingerprint})
		}
		if e.UID != nil {
			u.byUID[*e.UID] = Caller{Name: e.Name, Roles: e.Roles}
		}
	}
	var err error
	u.byCert, err = connector.Identifier(certs)
	return u, errors.Join(append(errs, err)...)
}

// Identify tells who sent a request: by the peer of the socket, else by the certificate.
func (u *Users) Identify(r *http.Request) (Caller, bool) {
	if p, ok := r.Context().Value(peerKey{}).(peer); ok {
		return u.local(p)
	}
	name, ok := u.byCert(r.TLS)
	if !ok {
		return Caller{}, false
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = ""
	}
	return Caller{Name: name, Roles: u.roles[name], Address: host}, true
}

// local tells who is at the other end of the socket.
func (u *Users) local(p peer) (Caller, bool) {
	if p.err != nil {
		return Caller{}, false
	}
	if c, ok := u.byUID[p.uid]; ok {
		return c, true
	}
	if p.uid != 0 && p.uid != u.self {
		return Caller{}, false
	}
	name := strconv.Itoa(p.uid)
	if a, err := user.LookupId(name); err == nil {
		name = a.Username
	}
	return Caller{Name: "local:" + name, Roles: Roles()}, true
}

// peer is who is at the other end of a Unix socket.
type peer struct {
	uid int
	err error
}

type peerKey struct{}

// ConnContext notes who is at the other end of a connection over the socket; it is for the
// http.Server of that listener, and no other.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	p := peer{err: errors.New("no unix socket")}
	if unix, ok := c.(*net.UnixConn); ok {
		p.uid, p.err = peerUID(unix)
	}
	return context.WithValue(ctx, peerKey{}, p)
}
