package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"sync"

	"github.com/glauth/glauth/v2/pkg/config"
	"github.com/glauth/glauth/v2/pkg/handler"
	gldap "github.com/glauth/ldap"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace/noop"

	"tokenwright/fixtures/ldap"
)

// BaseDN is the root of the laboratory's directory; people are entries below ou=people.
const BaseDN = "dc=example,dc=org"

// Directory is the embedded, read-only user directory of tests and of the development server.
type Directory struct {
	listener net.Listener
	server   *gldap.Server
	once     sync.Once
}

// StartDirectory serves users over plain LDAP at addr, a loopback address; port 0 takes a free one.
func StartDirectory(addr string, users []ldap.User) (*Directory, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("starting the user directory: %w", err)
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		l.Close()
		return nil, fmt.Errorf("starting the user directory: %s is not a loopback address", addr)
	}
	d := &Directory{listener: l, server: gldap.NewServer()}
	h := newHandler(users)
	d.server.EnforceLDAP = true
	d.server.BindFunc("", h)
	d.server.SearchFunc("", h)
	d.server.CloseFunc("", h)
	go func() { _ = d.server.Serve(l) }() // ends with an error when Close closes the listener
	return d, nil
}

// Port is where the directory listens, on 127.0.0.1.
func (d *Directory) Port() int { return d.listener.Addr().(*net.TCPAddr).Port }

// Close stops listening. It may be called more than once.
func (d *Directory) Close() { d.once.Do(d.server.Close) }

func newHandler(users []ldap.User) handler.Handler {
	backend := config.Backend{
		BaseDN: BaseDN, Datastore: "config",
		NameFormat: "uid", NameFormatAsArray: []string{"uid"},
		GroupFormat: "ou", GroupFormatAsArray: []string{"ou"},
	}
	cfg := &config.Config{
		Backends: []config.Backend{backend},
		Groups:   []config.Group{{Name: "people", GIDNumber: 5501}},
	}
	for i, u := range users {
		sum := sha256.Sum256([]byte(u.Password))
		cfg.Users = append(cfg.Users, config.User{
			Name: u.UID, UIDNumber: 5001 + i, PrimaryGroup: 5501,
			GivenName: u.GivenName, SN: u.SN, Mail: u.Mail,
			PassSHA256:   hex.EncodeToString(sum[:]),
			Capabilities: []config.Capability{{Action: "search", Object: "*"}},
			CustomAttrs:  customAttributes(u),
		})
	}
	silent := zerolog.Nop()
	tracer := noop.NewTracerProvider().Tracer("directory")
	return handler.NewConfigHandler(
		handler.Backend(backend), handler.Logger(&silent), handler.Config(cfg),
		handler.LDAPHelper(handler.NewLDAPOpsHelper(tracer)),
		handler.Monitor(noMetrics{}), handler.Tracer(tracer))
}

// customAttributes are what glauth has no field for, in the form that its configuration files have.
func customAttributes(u ldap.User) map[string]any {
	out := map[string]any{"displayName": []any{u.CN}}
	for name, values := range u.Attributes {
		var list []any
		for _, v := range values {
			list = append(list, v)
		}
		out[name] = list
	}
	return out
}

// noMetrics satisfies glauth's monitor, which it calls without asking whether there is one.
type noMetrics struct{}

func (noMetrics) SetResponseTimeMetric(map[string]string, float64) error { return nil }
func (noMetrics) SetLDAPMetric(map[string]string, float64) error         { return nil }
