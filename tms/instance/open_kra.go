package instance

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/agentapi"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/vault"
)

// KRA is the name of the key recovery authority. An instance has one at most.
const KRA = "kra"

// Names of a KRA's keys and files.
const (
	kraTransportName = "transportCert"
	kraStorageName   = "kra-storage"
	kraAuditName     = "kra-audit"
	kraDBFile        = "keys.db"
)

// kraPart is an opened KRA.
type kraPart struct {
	*part
	service   *kra.Service
	transport *x509.Certificate
}

// openKRA builds the key recovery authority and the handler that serves it to other processes and
// to recovery agents.
func (i *Instance) openKRA(ctx context.Context, p *part, o Options) error {
	service, err := i.buildKRA(ctx, p, o)
	if err != nil {
		return err
	}
	clients, err := readListed(p.conf, "tps")
	if err != nil {
		return err
	}
	if len(clients) == 0 {
		p.log.Warn("tps.list names no client: requests over HTTPS are all refused")
	}
	forTPS, err := connector.KRAHandler(service, connector.HandlerOptions{Clients: clients, Log: p.log})
	if err != nil {
		return err
	}
	forAgents, err := agentsHandler(p, service, o)
	if err != nil {
		return err
	}
	if err := p.requireTLS(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", forTPS)
	mux.Handle(agentapi.Prefix, forAgents)
	p.handler = withHealth(mux, p.name, service.Check)
	cert, err := loadCert(p.dir, p.conf.StringOr("kra.transportUnit.nickName", kraTransportName))
	if err != nil {
		return p.conf.Errorf("kra.transportUnit.nickName", "%w", err)
	}
	i.kra = &kraPart{part: p, service: service, transport: cert}
	return nil
}

// buildKRA makes the authority itself. Each thing that is opened is closed with the instance, the
// authority before its archive, the archive before its keys.
func (i *Instance) buildKRA(ctx context.Context, p *part, o Options) (*kra.Service, error) {
	cfg, err := kra.ReadConfig(p.conf)
	if err != nil {
		return nil, err
	}
	store, err := p.openKeystore()
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, store)
	opts := kra.Options{Random: o.Random, Now: o.Now, Log: p.log, Failpoint: o.Failpoint,
		RSA: o.RSA}
	if opts.Transport, err = transportKey(ctx, p, store); err != nil {
		return nil, err
	}
	audit, err := store.Key(ctx, p.conf.StringOr("kra.auditKey.nickName", kraAuditName))
	if err != nil {
		return nil, p.conf.Errorf("kra.auditKey.nickName", "%w", err)
	}
	random := rand.Reader
	if o.Random != nil {
		random = o.Random
	}
	opts.Vault, err = vault.New(ctx, store,
		p.conf.StringOr("kra.storageUnit.nickName", kraStorageName), random)
	if err != nil {
		return nil, p.conf.Errorf("kra.storageUnit.nickName", "%w", err)
	}
	opts.DB, err = keydb.Open(ctx, under(p.dir, p.conf.StringOr("kra.database.path", kraDBFile)),
		audit.CMAC)
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, opts.DB)
	service, err := kra.New(cfg, opts)
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, service)
	return service, nil
}

// transportKey gives the private key of the transport certificate, having checked that they belong
// together.
func transportKey(ctx context.Context, p *part, store *soft.Store) (crypto.Decrypter, error) {
	const key = "kra.transportUnit.nickName"
	name := p.conf.StringOr(key, kraTransportName)
	cert, err := loadCert(p.dir, name)
	if err != nil {
		return nil, p.conf.Errorf(key, "%w", err)
	}
	signer, err := store.Signer(ctx, name)
	if err != nil {
		return nil, p.conf.Errorf(key, "%w", err)
	}
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(cert.PublicKey) {
		return nil, p.conf.Errorf(key, "certificate is not for the key of that name in the key store")
	}
	decrypter, ok := signer.(crypto.Decrypter)
	if !ok {
		return nil, p.conf.Errorf(key, "key does not decrypt: want RSA")
	}
	if left := time.Until(cert.NotAfter); left < expirySoon {
		p.log.Warn("transport certificate ends soon or has ended", "nickname", name, "notAfter",
			cert.NotAfter)
	}
	return decrypter, nil
}

// agentsHandler serves recovery agents, each by the name that kra.agents.list has.
func agentsHandler(p *part, service *kra.Service, o Options) (http.Handler, error) {
	agents, err := readListed(p.conf, "kra.agents")
	if err != nil {
		return nil, err
	}
	for n, name := range p.conf.List("kra.agents.list") {
		agents[n].Name = name
	}
	who, err := connector.Identifier(agents)
	if err != nil {
		return nil, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	return agentapi.Handler(service.Agents(), who, now, p.log), nil
}

// readListed reads <group>.list and the peers that it names: userid, subject, fingerprint.
func readListed(c *conf.Config, group string) ([]connector.Client, error) {
	var out []connector.Client
	var errs []error
	for _, n := range c.List(group + ".list") {
		s := c.Sub(group + "." + n)
		s.Declare("host", "port")
		peer := connector.Client{Name: s.StringOr("userid", group+"."+n), Subject: s.String("subject"),
			Fingerprint: s.String("fingerprint")}
		if peer.Subject == "" && peer.Fingerprint == "" {
			errs = append(errs, s.Errorf("subject", "this or fingerprint is needed: the certificate "+
				"of %s", fmt.Sprintf("%.60q", n)))
		}
		out = append(out, peer)
	}
	return out, errors.Join(errs...)
}

// KRA answers the opened key recovery authority, nil when none was opened.
func (i *Instance) KRA() connector.KRA {
	if i.kra == nil {
		return nil
	}
	return i.kra.service
}

// KRAHandler answers the handler of the KRA's HTTPS listener, nil when none was opened. It must
// stand behind TLS that verifies client certificates.
func (i *Instance) KRAHandler() http.Handler {
	if i.kra == nil {
		return nil
	}
	return i.kra.handler
}
