package instance

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/ocsp"
	"tokenwright/tms/conf"
	"tokenwright/tms/keystore/soft"
)

// OCSP is the name of an OCSP responder apart from its CAs. An instance has one at most.
const OCSP = "ocsp"

// Where the responder answers: as the incumbent's does, and as a CA's own.
const pathOCSP = "/ocsp/ee/ocsp"

// ocspPart is an opened responder.
type ocspPart struct {
	*part
	cas []*ocspCA
}

// ocspCA is the responder for one CA.
type ocspCA struct {
	name      string
	conf      *conf.Config
	responder *ocsp.Responder
	key       crypto.Signer
	list      *listSource // nil when the state comes from the CA's database
	nickname  string      // of the responder's certificate
	taken     time.Time   // when the file of that one was changed last
}

// openOCSP builds a responder and what serves it.
func (i *Instance) openOCSP(ctx context.Context, p *part, o Options) error {
	validity, err := p.conf.Int("ocsp.validity", 240, 1, 10_080)
	memory, merr := p.conf.Int("ocsp.memory", ocsp.DefaultMemory>>20, 1, 1<<20)
	if err = errors.Join(err, merr); err != nil {
		return err
	}
	store, err := p.openKeystore()
	if err != nil {
		return err
	}
	i.closers = append(i.closers, store)
	made := &ocspPart{part: p}
	var group ocsp.Group
	for _, name := range p.conf.List("ocsp.list") {
		c := &ocspCA{name: name, conf: p.conf.Sub("ocsp." + name)}
		opts := ocsp.Options{Validity: time.Duration(validity) * time.Minute, Memory: int64(memory) << 20,
			Now: o.Now, Random: o.Random, Log: p.log.With("ca", name)}
		if err := i.openOCSPFor(ctx, p, c, store, opts); err != nil {
			return err
		}
		made.cas, group = append(made.cas, c), append(group, c.responder)
	}
	if len(group) == 0 {
		return p.conf.Errorf("ocsp.list", "%w: names no CA to answer for", conf.ErrMissing)
	}
	if err := p.requireTLS(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", ocspHandler(group))
	p.handler = withHealth(mux, p.name, made.check)
	p.plain = ocspHandler(group)
	i.ocsp = made
	return nil
}

// ocspHandler answers below both paths. A ServeMux would clean the paths of questions by GET.
func ocspHandler(g ocsp.Group) http.Handler {
	own, asCA := g.Handler(pathOCSP), g.Handler(ca.PathOCSP)
	at := func(path, below string) bool {
		return len(path) >= len(below) && path[:len(below)] == below &&
			(len(path) == len(below) || path[len(below)] == '/')
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case at(r.URL.Path, pathOCSP):
			own.ServeHTTP(w, r)
		case at(r.URL.Path, ca.PathOCSP):
			asCA.ServeHTTP(w, r)
		case r.URL.Path == "/":
			_, _ = fmt.Fprintf(w, "This is an OCSP responder. Ask at %s, by POST or GET.\n", pathOCSP)
		default:
			http.NotFound(w, r)
		}
	})
}

// openOCSPFor builds the responder for one CA.
func (i *Instance) openOCSPFor(ctx context.Context, p *part, c *ocspCA, store *soft.Store,
	o ocsp.Options,
) (err error) {
	if o.Issuer, err = loadCert(p.dir, c.conf.StringOr("certNickname", c.name)); err != nil {
		return c.conf.Errorf("certNickname", "%w", err)
	}
	c.key, err = store.Signer(ctx, c.conf.StringOr("signing.keyNickname", c.name+"-ocsp"))
	if err != nil {
		return c.conf.Errorf("signing.keyNickname", "%w", err)
	}
	c.nickname = c.conf.StringOr("signing.certNickname", c.name+"-ocsp")
	if o.Signer, err = c.signer(p.dir, o.Issuer, o.Log); err != nil {
		return c.conf.Errorf("signing.certNickname", "%w", err)
	}
	if o.Source, err = i.ocspSource(ctx, p, c, o); err != nil {
		return err
	}
	c.responder, err = ocsp.New(o)
	return err
}

// signer gives the responder's key with its certificate, having checked that they, and the CA's
// certificate, belong together.
func (c *ocspCA) signer(dir string, issuer *x509.Certificate, log *slog.Logger) (ocsp.Signer, error) {
	info, err := os.Stat(under(filepath.Join(dir, certsDir), c.nickname) + ".crt")
	if err != nil {
		return ocsp.Signer{}, err
	}
	c.taken = info.ModTime()
	cert, err := loadCert(dir, c.nickname)
	if err != nil {
		return ocsp.Signer{}, err
	}
	pub, ok := c.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(cert.PublicKey) {
		return ocsp.Signer{}, errors.New("certificate is not for the responder's key")
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		return ocsp.Signer{}, fmt.Errorf("certificate is not the CA's: %w", err)
	}
	if left := time.Until(cert.NotAfter); left < expirySoon {
		log.Warn("certificate of the responder ends soon or has ended", "notAfter", cert.NotAfter,
			"do", "tms ocsp certify")
	}
	return ocsp.Signer{Key: c.key, Cert: cert}, nil
}

// ocspSource gives where the state of a CA's certificates is known.
func (i *Instance) ocspSource(ctx context.Context, p *part, c *ocspCA, o ocsp.Options) (
	ocsp.Source, error,
) {
	database, list := c.conf.String("database"), c.conf.String("crl")
	c.conf.Declare("crl.refresh", "crl.notFoundAsGood")
	switch {
	case (database == "") == (list == ""):
		return nil, c.conf.Errorf("database", "%w: want this or crl", conf.ErrMissing)
	case database != "":
		db, err := certdb.OpenReadOnly(ctx, under(p.dir, database))
		if err != nil {
			return nil, c.conf.Errorf("database", "%w", err)
		}
		i.closers = append(i.closers, db)
		return ca.Source(db), nil
	}
	var err error
	c.list, err = newListSource(p, c, list, o)
	if err != nil {
		return nil, err
	}
	return c.list.List, nil
}

// check looks whether all states are known.
func (o *ocspPart) check(ctx context.Context) (map[string]string, error) {
	needs := map[string]string{}
	var failed error
	for _, c := range o.cas {
		needs[c.name] = "ok"
		switch err := c.responder.Check(ctx); {
		case errors.Is(err, ocsp.ErrSignerEnded):
			needs[c.name], failed = "certificate of the responder has ended", err
		case err != nil:
			needs[c.name], failed = "state of certificates is not known", err
		}
	}
	return needs, failed
}

// keep keeps the answers for one CA fresh until ctx ends, and takes up new lists and certificates.
func (c *ocspCA) keep(ctx context.Context, p *part) {
	var work sync.WaitGroup
	defer work.Wait()
	if c.list != nil {
		work.Go(func() { c.list.follow(ctx) })
	}
	work.Go(func() { c.responder.Keep(ctx) })
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.renew(p)
		}
	}
}

// renew takes up a certificate that was put into the place of the responder's.
func (c *ocspCA) renew(p *part) {
	log := p.log.With("ca", c.name)
	info, err := os.Stat(under(filepath.Join(p.dir, certsDir), c.nickname) + ".crt")
	if err != nil || info.ModTime().Equal(c.taken) {
		return
	}
	s, err := c.signer(p.dir, c.responder.Issuer(), log)
	if err == nil {
		err = c.responder.SetSigner(s)
	}
	if err != nil {
		log.Error("new certificate of the responder was not taken", "error", err)
		return
	}
	log.Info("new certificate of the responder", "notAfter", s.Cert.NotAfter)
}
