package instance

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/ldappub"
	"tokenwright/tms/ca/ocsp"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
)

// CA is the kind of certificate authorities. Several stand side by side in an instance, each in a
// directory of its own: ca1, ca2, ...
const CA = "ca"

// caRootDir is the directory below a CA's in which a root that was made with it lives, until it is
// taken to a safer place. rootPath is where the CA offers what the root publishes.
const (
	caRootDir   = "root"
	rootCRLFile = "root.crl"
	rootPath    = "/root"
)

// tendEvery is how often a CA looks for what is due.
const tendEvery = 30 * time.Second

// IsCA says whether a subsystem's name is one of a CA: ca and a number.
func IsCA(name string) bool {
	digits, ok := strings.CutPrefix(name, CA)
	return ok && digits != "" && len(digits) < 4 && strings.Trim(digits, "0123456789") == ""
}

// kindOf gives the kind of a subsystem, by which its defaults are named.
func kindOf(name string) string {
	if IsCA(name) {
		return CA
	}
	return name
}

// caPart is an opened CA.
type caPart struct {
	*part
	authority *ca.Authority
}

// openCA builds a certificate authority and what serves it.
func (i *Instance) openCA(ctx context.Context, p *part, o Options) error {
	made, err := i.buildCA(ctx, p, o)
	if err != nil {
		return err
	}
	a := made.authority
	if err := a.StartResponder(ctx); err != nil {
		return err
	}
	clients, err := readAgents(p.conf)
	if err != nil {
		return err
	}
	if len(clients) == 0 {
		p.log.Warn("agents.list names no client: requests over HTTPS are all refused")
	}
	handler, err := connector.CAHandler(a, connector.HandlerOptions{Clients: clients, Log: p.log})
	if err != nil {
		return err
	}
	if err := p.requireTLS(); err != nil {
		return err
	}
	p.handler = withHealth(handler, p.name, func(ctx context.Context) (map[string]string, error) {
		if _, err := a.DB().Pending(ctx); err != nil {
			return map[string]string{"store": "certificate database does not answer"}, err
		}
		return map[string]string{"store": "ok"}, nil
	})
	if err := p.openAdmin(caadmin.Routes(caService{a})...); err != nil {
		return err
	}
	p.plain = made.public()
	i.cas[p.name] = made
	return nil
}

// public is what everybody may ask. What a root publishes that was made with the CA is offered from
// files, so that the root itself need not be here.
func (c *caPart) public() http.Handler {
	own := c.authority.PublicHandler()
	chain := c.authority.Chain()
	root := chain[len(chain)-1]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet, !strings.HasPrefix(r.URL.Path, rootPath):
			own.ServeHTTP(w, r) // not by a ServeMux: it would clean the path of a question by GET
		case r.URL.Path == rootPath+ca.PathCertificate && len(chain) > 1:
			w.Header().Set("Content-Type", "application/pkix-cert")
			_, _ = w.Write(root.Raw) // the peer's absence shows on its side
		case r.URL.Path == rootPath+ca.PathCRL:
			w.Header().Set("Content-Type", "application/pkix-crl")
			http.ServeFile(w, r, filepath.Join(c.dir, certsDir, rootCRLFile))
		default:
			http.NotFound(w, r)
		}
	})
}

// buildCA makes the authority of a part, without anything that serves it.
func (i *Instance) buildCA(ctx context.Context, p *part, o Options) (*caPart, error) {
	cfg, keyName, ocspName, err := readCAConfig(p)
	if err != nil {
		return nil, err
	}
	store, err := p.openKeystore()
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, store)
	if cfg.Key, err = store.Signer(ctx, keyName); err != nil {
		return nil, p.conf.Errorf("ca.signing.keyNickname", "%w", err)
	}
	if ocspName != "" {
		if cfg.OCSPKey, err = store.Signer(ctx, ocspName); err != nil {
			return nil, p.conf.Errorf("ca.ocsp_signing.keyNickname", "%w", err)
		}
	}
	chain, err := loadChain(p.dir, p.conf.StringOr("ca.signing.certNickname", "caSigning"))
	if err != nil {
		return nil, p.conf.Errorf("ca.signing.certNickname", "%w", err)
	}
	cfg.Certificate, cfg.Chain = chain[0], chain[1:]
	cfg.Profiles, err = profile.Load(under(p.dir, p.conf.StringOr("ca.profiles", profilesDir)))
	if err != nil {
		return nil, err
	}
	cfg.DB, err = certdb.Open(ctx, under(p.dir, p.conf.StringOr("ca.database.path", "ca.db")))
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, cfg.DB)
	publisher, err := openPublisher(p)
	if err != nil {
		return nil, err
	}
	if publisher != nil {
		cfg.Publisher = publisher
		i.closers = append(i.closers, publisher)
	}
	cfg.Name, cfg.Log, cfg.Random, cfg.Now, cfg.Failpoint = p.name, p.log, o.Random, o.Now, o.Failpoint
	made := &caPart{part: p}
	made.authority, err = ca.New(cfg)
	return made, err
}

// readCAConfig reads what a CA's configuration says of the authority.
func readCAConfig(p *part) (cfg ca.Options, keyName, ocspName string, err error) {
	c := p.conf
	keyName = c.StringOr("ca.signing.keyNickname", "caSigning")
	ocspName = c.String("ca.ocsp_signing.keyNickname")
	cfg.URL = strings.TrimSuffix(c.String("ca.url"), "/")
	var errs [8]error
	cfg.Retired, errs[0] = c.Bool("ca.retired", false)
	var lint bool
	lint, errs[1] = c.Bool("ca.lint", true)
	cfg.SkipLint = !lint
	crl := c.Sub("ca.crl.MasterCRL")
	var interval, grace, validity int
	interval, errs[2] = crl.Int("autoUpdateInterval", 240, 1, 525_600)
	grace, errs[3] = crl.Int("nextUpdateGracePeriod", 60, 1, 525_600)
	cfg.CRL.FullEvery, errs[4] = crl.Int("updateSchema", 1, 1, 1000)
	cfg.CRL.OnChange, errs[5] = crl.Bool("alwaysUpdate", false)
	validity, errs[6] = c.Int("ca.ocsp.validity", 240, 1, 10_080)
	var memory int
	memory, errs[7] = c.Int("ca.ocsp.memory", ocsp.DefaultMemory>>20, 1, 1<<20)
	cfg.OCSPMemory, cfg.OCSPURL = int64(memory)<<20, c.String("ca.ocsp.url")
	cfg.CRL.Interval = time.Duration(interval) * time.Minute
	cfg.CRL.Grace = time.Duration(grace) * time.Minute
	cfg.OCSPValidity = time.Duration(validity) * time.Minute
	return cfg, keyName, ocspName, errors.Join(errs[:]...)
}

// openPublisher makes the connection to a directory, nil when none is configured.
func openPublisher(p *part) (*ldappub.Publisher, error) {
	c := p.conf.Sub("ca.publish.ldap")
	enabled, err := c.Bool("enable", false)
	if err != nil || !enabled {
		c.Declare("**")
		return nil, err
	}
	cfg := ldappub.Config{URL: c.String("url"), BindDN: c.String("bindDN"),
		UserBase: c.String("userBase"), UserAttribute: c.StringOr("userAttribute", "uid"),
		CAEntry: c.String("caEntry")}
	if name := c.String("passwordName"); name != "" {
		if cfg.Password, err = p.password(name); err != nil {
			return nil, c.Errorf("passwordName", "%w", err)
		}
	}
	if cfg.Roots, err = loadPool(p.dir); err != nil {
		return nil, err
	}
	pub, err := ldappub.New(cfg)
	if err != nil {
		return nil, c.Errorf("url", "%w", err)
	}
	return pub, nil
}

// loadChain reads a certificate and those above it from one file.
func loadChain(dir, nickname string) ([]*x509.Certificate, error) {
	path := under(filepath.Join(dir, certsDir), nickname) + ".crt"
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there: has the CA been certified? see tms ca install: %w",
			path, err)
	}
	if err != nil {
		return nil, err
	}
	return parseChain(text)
}

// parseChain reads certificates in PEM form, at most 16 of them.
func parseChain(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(out) == 16 {
			return nil, errors.New("want at most 16 certificates in PEM form, and nothing else")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return out, nil
}

// readAgents reads agents.list and what it names.
func readAgents(c *conf.Config) ([]connector.Client, error) {
	var out []connector.Client
	var errs []error
	for _, n := range c.List("agents.list") {
		s := c.Sub("agents." + n)
		client := connector.Client{Name: s.StringOr("userid", "agents."+n),
			Subject: s.String("subject"), Fingerprint: s.String("fingerprint")}
		if client.Subject == "" && client.Fingerprint == "" {
			errs = append(errs, s.Errorf("subject", "this or fingerprint is needed: the certificate "+
				"of a client"))
		}
		out = append(out, client)
	}
	return out, errors.Join(errs...)
}

// CA answers an opened certificate authority, nil when none of the name was opened.
func (i *Instance) CA(name string) connector.CA {
	if c := i.cas[name]; c != nil {
		return c.authority
	}
	return nil
}

// CAHandlers answers the handlers of a CA's listeners, of HTTPS and of plain HTTP; nil when none of
// the name was opened. The first must stand behind TLS that verifies client certificates.
func (i *Instance) CAHandlers(name string) (agents, public http.Handler) {
	if c := i.cas[name]; c != nil {
		return c.handler, c.plain
	}
	return nil, nil
}

// Authority answers an opened certificate authority itself, for those who administer it; nil when
// none of the name was opened.
func (i *Instance) Authority(name string) *ca.Authority {
	if c := i.cas[name]; c != nil {
		return c.authority
	}
	return nil
}
