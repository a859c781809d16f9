package instance

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
)

// authorities are the CAs and KRAs that a TPS asks, by connector id.
type authorities struct {
	cas  map[string]connector.CA
	kras map[string]connector.KRA
	// signers are the key identifiers of the CAs' certificates, as far as certs/ holds
	// them, in lower-case hex.
	signers map[string]string
}

// openAuthorities makes the connections to CAs and KRAs that are configured and enabled. Given
// ones take the place of theirs, and need no configuration.
func (i *Instance) openAuthorities(p *part, o Options) (authorities, error) {
	a := authorities{
		cas: map[string]connector.CA{}, kras: map[string]connector.KRA{}, signers: map[string]string{},
	}
	var errs []error
	for _, id := range p.conf.Sub("tps.connector").Children() {
		c := p.conf.Sub("tps.connector." + id)
		isCA, isKRA := hasURI(c, "enrollment"), hasURI(c, "GenerateKeyPair")
		if !isCA && !isKRA {
			continue
		}
		if o.CAs[id] != nil || o.KRAs[id] != nil {
			c.Declare("**")
			continue
		}
		enabled, err := c.Bool("enable", false)
		if err != nil || !enabled {
			c.Declare("**")
			errs = append(errs, err)
			continue
		}
		errs = append(errs, i.openAuthority(p, c, id, isCA, a))
	}
	maps.Copy(a.cas, o.CAs)
	maps.Copy(a.kras, o.KRAs)
	return a, errors.Join(errs...)
}

// hasURI tells what a connector leads to by the requests it has addresses for.
func hasURI(c *conf.Config, operation string) bool {
	_, ok := c.Sub("uri").Lookup(operation)
	return ok
}

// openAuthority makes one connection over HTTPS.
func (i *Instance) openAuthority(p *part, c *conf.Config, id string, isCA bool, a authorities) error {
	cfg, err := peerConfig(p, c, id)
	if err != nil {
		return err
	}
	if own := i.cas[id]; isCA && own != nil && own.isAt(cfg.Hosts, cfg.Port) {
		p.log.Info("certificate authority is in this process", "connector", id)
		a.cas[id], a.signers[id] = own.authority,
			hex.EncodeToString(own.authority.Chain()[0].SubjectKeyId)
		c.Declare("caNickname")
		return nil
	}
	if i.kra != nil && !isCA && i.kra.isAt(cfg.Hosts, cfg.Port) {
		p.log.Info("key recovery authority is in this process", "connector", id)
		a.kras[id] = i.kra.service
		return nil
	}
	var made any
	if isCA {
		var ca *connector.CAClient
		if ca, err = connector.NewCAClient(cfg); err == nil {
			made, a.cas[id] = ca, ca
			err = a.readSigner(p, c, id)
		}
	} else {
		var kra *connector.KRAClient
		if kra, err = connector.NewKRAClient(cfg); err == nil {
			made, a.kras[id] = kra, kra
		}
	}
	if err != nil {
		return c.Errorf("host", "%w", err)
	}
	if closer, ok := made.(io.Closer); ok {
		i.closers = append(i.closers, closer)
	}
	p.log.Info("authority is reached over HTTPS", "connector", id, "hosts", cfg.Hosts)
	return nil
}

// peerConfig reads how an authority is reached.
func peerConfig(p *part, c *conf.Config, id string) (connector.PeerConfig, error) {
	port, portErr := c.Int("port", 8443, 0, 65535)
	timeout, timeErr := c.Duration("timeout", connector.DefaultTimeout, time.Second, 10*time.Minute)
	conns, connErr := c.Int("maxHttpConns", 15, 1, 10_000)
	hosts, hostErr := c.Required("host")
	nickname := c.StringOr("nickName", clientNickname)
	c.Declare("minHttpConns", "clientCiphers", "keySet", "generateHostChallenge", "caSKI", "caNickname")
	uris := map[string]string{}
	for _, name := range c.Sub("uri").Keys() {
		uris[name] = c.Sub("uri").String(name)
	}
	if err := errors.Join(portErr, timeErr, connErr, hostErr); err != nil {
		return connector.PeerConfig{}, err
	}
	pair, err := loadPair(p.dir, nickname)
	if err != nil {
		return connector.PeerConfig{}, c.Errorf("nickName", "%w", err)
	}
	pool, err := loadPool(p.dir)
	return connector.PeerConfig{
		Hosts: hosts, Port: port, URIs: uris, Timeout: timeout, MaxConns: conns,
		Log: p.log.With("connector", id),
		TLS: &tls.Config{
			RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		},
	}, err
}

// readSigner takes the key identifier of a CA from its certificate, if one is named.
func (a authorities) readSigner(p *part, c *conf.Config, id string) error {
	nickname := c.String("caNickname")
	if nickname == "" {
		return nil
	}
	cert, err := loadCert(p.dir, nickname)
	if err != nil {
		return c.Errorf("caNickname", "%w", err)
	}
	a.signers[id] = hex.EncodeToString(cert.SubjectKeyId)
	return nil
}

// reconcileEvery is how often a TPS looks for what is left undone at CAs and KRAs.
const reconcileEvery = time.Minute

// reconcile finishes or undoes what sessions left undone at CAs and KRAs, at once and then again
// and again until ctx ends.
func (t *tpsPart) reconcile(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		if err := t.server.Reconcile(ctx, t.store); err != nil && ctx.Err() == nil {
			t.log.Warn("left undone at authorities", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
