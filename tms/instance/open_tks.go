package instance

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/keystore"
	"tokenwright/tms/tks"
)

// tksPart is an opened TKS.
type tksPart struct {
	*part
	service   *tks.Service
	keySets   []string
	transport *x509.Certificate // of the KRA, nil when none is configured
}

// openTKS builds the token key service and the handler that serves it to other processes.
func (i *Instance) openTKS(ctx context.Context, p *part, o Options) error {
	cfg, warnings, err := tks.ReadConfig(p.conf)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		p.log.Warn(w)
	}
	p.conf.Declare("tks.defaultSlot", "tks.useDefaultSlot", "tks.useSoftToken", "tks.debug")
	store, err := p.openKeystore()
	if err != nil {
		return err
	}
	i.closers = append(i.closers, store)
	transport, err := transportCert(p)
	if err != nil {
		return err
	}
	service, err := tks.New(ctx, cfg, tks.Options{
		Stores:        map[string]tks.MasterKeys{"": tks.FromKeystore(store)},
		Rand:          o.Random,
		Log:           p.log,
		TransportCert: transport,
	})
	if err != nil {
		return err
	}
	clients, err := readClients(ctx, p.conf, store)
	if err != nil {
		return err
	}
	if len(clients) == 0 {
		p.log.Warn("tps.list names no client: requests over HTTPS are all refused")
	}
	handler, err := connector.TKSHandler(service, nil, connector.HandlerOptions{
		Clients: clients, Log: p.log})
	if err != nil {
		return err
	}
	if err := p.requireTLS(); err != nil {
		return err
	}
	p.handler = withHealth(handler, p.name, func(context.Context) (map[string]string, error) {
		return nil, tks.SelfTest()
	})
	i.tks = &tksPart{part: p, service: service, transport: transport}
	for _, k := range cfg.KeySets {
		i.tks.keySets = append(i.tks.keySets, k.Name)
	}
	return nil
}

// transportCert reads the KRA's transport certificate, nil when none is configured.
func transportCert(p *part) (*x509.Certificate, error) {
	nickname := p.conf.String("tks.drm_transport_cert_nickname")
	if nickname == "" {
		p.log.Info("no transport certificate of a KRA: no card gets a key that a KRA made",
			"key", "tks.drm_transport_cert_nickname")
		return nil, nil
	}
	cert, err := loadCert(p.dir, nickname)
	if err != nil {
		return nil, p.conf.Errorf("tks.drm_transport_cert_nickname", "%w", err)
	}
	return cert, nil
}

// readClients reads tps.list and what it names.
func readClients(ctx context.Context, c *conf.Config, store keystore.Reader) (
	[]connector.Client, error,
) {
	perClient, err := c.Bool("tks.useNewSharedSecretNames", true)
	if err != nil {
		return nil, err
	}
	common := c.StringOr("tks.tksSharedSymKeyName", "sharedSecret")
	var out []connector.Client
	var errs []error
	for _, n := range c.List("tps.list") {
		s := c.Sub("tps." + n)
		s.Declare("host", "port")
		client := connector.Client{
			Name: s.StringOr("userid", "tps."+n), Subject: s.String("subject"),
			Fingerprint: s.String("fingerprint"),
		}
		steps, err := s.Bool("scp02WithoutCryptogram", false)
		client.SCP02Steps, errs = steps, append(errs, err)
		if client.Subject == "" && client.Fingerprint == "" {
			errs = append(errs, s.Errorf("subject", "this or fingerprint is needed: the "+
				"certificate of a client"))
		}
		name, key := common, "nickname"
		if perClient {
			name, err = s.Required(key)
			errs = append(errs, err)
		}
		client.Secret, err = sharedSecret(ctx, store, name)
		if err != nil {
			errs = append(errs, s.Errorf(key, "%w", err))
		}
		out = append(out, client)
	}
	return out, errors.Join(errs...)
}

// sharedSecret gives the secret of a name from a key store.
func sharedSecret(ctx context.Context, store keystore.Reader, name string) (
	*connector.SharedSecret, error,
) {
	key, err := store.Key(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("shared secret %q: %w", name, err)
	}
	return connector.NewSharedSecret(key)
}

// TKS answers the opened token key service, nil when none was opened.
func (i *Instance) TKS() connector.TKS {
	if i.tks == nil {
		return nil
	}
	return i.tks.service
}

// TKSHandler answers the handler of the TKS's HTTPS listener, nil when none was opened. It must
// stand behind TLS that verifies client certificates.
func (i *Instance) TKSHandler() http.Handler {
	if i.tks == nil {
		return nil
	}
	return i.tks.handler
}
