package instance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/keystore"
	"tokenwright/tms/store"
	"tokenwright/tms/tps"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/contact"
)

// tpsPart is an opened TPS.
type tpsPart struct {
	*part
	server *tps.Server
	store  Home
	joined joined
}

// openTPS builds the token processing system with its store, authenticators and connectors.
func (i *Instance) openTPS(ctx context.Context, p *part, o Options) error {
	keyStore, err := p.openKeystore()
	if err != nil {
		return err
	}
	i.closers = append(i.closers, keyStore)
	connectors, err := i.openConnectors(ctx, p, keyStore)
	if err != nil {
		return err
	}
	authenticators, err := openAuth(p, o.Auth)
	if err != nil {
		return err
	}
	records, err := i.openRecords(ctx, p)
	if err != nil {
		return err
	}
	others, err := i.openAuthorities(p, o)
	if err != nil {
		return err
	}
	server, err := tps.New(tps.Options{
		Config: p.conf, Dir: p.dir, Store: records, TKS: connectors, Auth: authenticators,
		CAs: others.cas, KRAs: others.kras, Authorities: others.signers,
		PhoneHome: under(p.dir, p.conf.StringOr("phoneHome.path", phoneHomeFile)),
		Log:       p.log, Random: o.Random, Now: o.Now, Failpoint: o.Failpoint,
	})
	if err != nil {
		return err
	}
	if err := server.NoteInterrupted(ctx, records); err != nil {
		return fmt.Errorf("looking for interrupted operations: %w", err)
	}
	check := newTPSCheck(records, connectors)
	p.handler = withHealth(server.Handler(), p.name, check.run)
	p.sessions = server.Sessions
	if err := p.openAdmin(tpsRoutes(p, server, records)...); err != nil {
		return err
	}
	i.tps = &tpsPart{part: p, server: server, store: records,
		joined: joined{connectors, authenticators, others}}
	return nil
}

// openConnectors makes the connections to token key services, by connector id.
func (i *Instance) openConnectors(ctx context.Context, p *part, keyStore keystore.Reader) (
	map[string]contact.TKS, error,
) {
	out := map[string]contact.TKS{}
	var errs []error
	for _, id := range p.conf.Sub("tps.connector").Children() {
		c := p.conf.Sub("tps.connector." + id)
		enabled, err := c.Bool("enable", true)
		if err != nil || !enabled || !isTKS(c) {
			errs = append(errs, err)
			continue
		}
		t, err := i.openConnector(ctx, p, id, keyStore)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[id] = t
	}
	return out, errors.Join(errs...)
}

// isTKS tells a connector to a TKS from others by the requests it has addresses for.
func isTKS(c *conf.Config) bool {
	for _, key := range c.Sub("uri").Keys() {
		if key == "computeSessionKey" {
			return true
		}
	}
	return false
}

// openConnector makes one connection: the TKS of this process itself if its address is the
// configured one or none is configured, else a client over HTTPS.
func (i *Instance) openConnector(ctx context.Context, p *part, id string,
	keyStore keystore.Reader,
) (contact.TKS, error) {
	c := p.conf.Sub("tps.connector." + id)
	host := c.String("host")
	port, portErr := c.Int("port", 8443, 0, 65535)
	timeout, timeErr := c.Duration("timeout", connector.DefaultTimeout, time.Second, 10*time.Minute)
	conns, connErr := c.Int("maxHttpConns", 15, 1, 10_000)
	secretKey := "conn." + id + ".tksSharedSymKeyName"
	secretName := p.conf.StringOr(secretKey, "sharedSecret")
	nickname := c.StringOr("nickName", clientNickname)
	c.Declare("minHttpConns", "clientCiphers", "serverKeygen", "keySet")
	uris := map[string]string{}
	for _, name := range c.Sub("uri").Keys() {
		uris[name] = c.Sub("uri").String(name)
	}
	if err := errors.Join(portErr, timeErr, connErr); err != nil {
		return nil, err
	}
	if i.tks != nil && (host == "" || i.tks.isAt(host, port)) {
		p.log.Info("token key service is in this process", "connector", id)
		return i.tks.service, nil
	}
	if host == "" {
		return nil, c.Errorf("host", "%w", conf.ErrMissing)
	}
	secret, err := sharedSecret(ctx, keyStore, secretName)
	if err != nil {
		return nil, p.conf.Errorf(secretKey, "%w", err)
	}
	pair, err := loadPair(p.dir, nickname)
	if err != nil {
		return nil, c.Errorf("nickName", "%w", err)
	}
	pool, err := loadPool(p.dir)
	if err != nil {
		return nil, err
	}
	client, err := connector.NewTKSClient(connector.ClientConfig{
		Hosts: host, Port: port, URIs: uris, Secret: secret, Timeout: timeout, MaxConns: conns,
		KeySet: c.String("keySet"), Log: p.log.With("connector", id),
		TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair},
			MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return nil, c.Errorf("host", "%w", err)
	}
	i.closers = append(i.closers, client)
	p.log.Info("token key service is reached over HTTPS", "connector", id, "hosts", host)
	return client, nil
}

// isAt tells whether host, one name and not a list, and port are where this subsystem listens on
// its own machine.
func (p *part) isAt(host string, port int) bool {
	own, ownPort, err := net.SplitHostPort(p.listen)
	if err != nil || strings.ContainsAny(host, " \t") {
		return false
	}
	if h, text, err := net.SplitHostPort(host); err == nil {
		if port, err = strconv.Atoi(text); err != nil {
			return false
		}
		host = h
	}
	if ownPort != strconv.Itoa(port) {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == own || host == "localhost" || err == nil && ip.IsLoopback()
}

// openAuth makes the configured authenticators; given ones take the place of theirs.
func openAuth(p *part, given map[string]auth.Authenticator) (
	map[string]auth.Authenticator, error,
) {
	out := map[string]auth.Authenticator{}
	var errs []error
	for _, id := range p.conf.Sub("auths.instance").Children() {
		if a, ok := given[id]; ok {
			out[id] = a
			p.conf.Declare("auths.instance." + id + ".**")
			continue
		}
		if p.conf.String("auths.instance."+id+".ldap.basedn") == "" {
			p.log.Warn("directory is not configured: whoever has to log in can't",
				"key", "auths.instance."+id+".ldap.basedn")
			p.conf.Declare("auths.instance." + id + ".**")
			continue
		}
		cfg, err := auth.LoadLDAP(p.conf, id, p.dir, p.password)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a, err := auth.NewLDAP(cfg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[id] = a
	}
	for id, a := range given {
		out[id] = a
	}
	return out, errors.Join(errs...)
}

// password looks a name up in password.conf, lines of name=password, readable by its owner only.
func (p *part) password(name string) (string, error) {
	path := filepath.Join(p.dir, "password.conf")
	if err := ownerOnly(path); err != nil {
		return "", err
	}
	f, err := conf.ReadFile(path)
	if err != nil {
		return "", err
	}
	text, _, ok := f.Get(name)
	if !ok {
		return "", fmt.Errorf("%s holds none: %w", path, fs.ErrNotExist)
	}
	return text, nil
}

// TPS answers the opened token processing system, nil when none was opened.
func (i *Instance) TPS() *tps.Server {
	if i.tps == nil {
		return nil
	}
	return i.tps.server
}

// Reconcile has the TPS finish or undo what its sessions left undone at CAs and KRAs, as it does by
// itself while the instance serves.
func (i *Instance) Reconcile(ctx context.Context) error {
	if i.tps == nil {
		return nil
	}
	return i.tps.server.Reconcile(ctx, i.tps.store)
}

// TPSHandler answers the handler of the TPS's listeners, nil when none was opened.
func (i *Instance) TPSHandler() http.Handler {
	if i.tps == nil {
		return nil
	}
	return i.tps.handler
}

// Store answers the home of the TPS's token records, nil when no TPS was opened.
func (i *Instance) Store() store.Store {
	if i.tps == nil {
		return nil
	}
	return i.tps.store
}
