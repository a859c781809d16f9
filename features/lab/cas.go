package lab

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"tokenwright/features/loopback"
	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra"
)

// SiteCAs are the certificate authorities of a site.
var SiteCAs = []string{"ca0", "ca1", "ca2"}

// SiteAgents are the recovery agents of a site's KRA, all of whom must approve.
var SiteAgents = []string{"ann", "bob"}

// Site is what a laboratory consists of whose authorities are its own: an instance as an operator
// makes it, with a CS.cfg for everything, each CA and the KRA served apart over HTTPS, so that each
// can be stopped, changed and started again.
type Site struct {
	dir    string
	log    *buffer
	served map[string]*served
}

// served is one subsystem, which answers until it is stopped, and can be looked into even then.
type served struct {
	*instance.Instance
	stop    context.CancelFunc
	stopped chan error // gets how serving ended; nil once that was read
}

// end has it answer nobody any more.
func (a *served) end() error {
	if a.stopped == nil {
		return nil
	}
	a.stop()
	err := <-a.stopped
	a.stopped = nil
	return err
}

// Dir is the instance's directory.
func (s *Site) Dir() string { return s.dir }

// names are the subsystems that stand for themselves.
func (s *Site) names() []string { return append(slices.Clone(SiteCAs), instance.KRA) }

// makeSite makes an instance with its authorities.
func makeSite(ctx context.Context, dir string) error {
	ports, err := takePorts()
	if err != nil {
		return err
	}
	if err := MakeInstance(ctx, dir, ports[instance.TPS], ports[instance.TKS]); err != nil {
		return err
	}
	quick := soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}
	for _, name := range SiteCAs {
		if _, err := instance.CreateCA(ctx, dir, instance.CAOptions{
			Name: name, Key: keystore.P256, Host: "127.0.0.1", Listen: loopback.Addr(ports[name]),
			PublicListen: loopback.Addr(ports[name+"-public"]), Cost: quick,
		}); err != nil {
			return err
		}
	}
	_, err = instance.CreateKRA(ctx, dir, instance.KRAOptions{
		Host: "127.0.0.1", Listen: loopback.Addr(ports[instance.KRA]), Agents: SiteAgents,
		Approvals: len(SiteAgents), Cost: quick,
	})
	return err
}

// takePorts finds a free port for each listener of a site.
func takePorts() (map[string]int, error) {
	out := map[string]int{}
	names := []string{instance.TPS, instance.TKS, instance.KRA}
	for _, name := range SiteCAs {
		names = append(names, name, name+"-public")
	}
	for _, name := range names {
		port, err := loopback.Port()
		if err != nil {
			return nil, err
		}
		out[name] = port
	}
	return out, nil
}

// copyTree copies a directory with the modes of its files.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
}

// startSite starts a laboratory over a copy of the instance at template.
func startSite(ctx context.Context, template, dir string, tps map[string]string) (*Lab, error) {
	if err := copyTree(template, dir); err != nil {
		return nil, err
	}
	ports, err := takePorts()
	if err != nil {
		return nil, err
	}
	s := &Site{dir: dir, log: &buffer{}, served: map[string]*served{}}
	if err := s.settle(ports, tps); err != nil {
		return nil, err
	}
	l := &Lab{dir: dir, port: ports[instance.TPS], main: ports[instance.TPS], site: s}
	return l, l.startSite(ctx)
}

// settle writes where everything listens, and how the TPS differs.
func (s *Site) settle(ports map[string]int, tps map[string]string) error {
	tps = maps.Clone(tps)
	tps["service.listen"] = loopback.Addr(ports[instance.TPS])
	for id, name := range map[string]string{
		"tks1": instance.TKS, "kra1": instance.KRA, "ca0": "ca0", "ca1": "ca1", "ca2": "ca2",
	} {
		tps["tps.connector."+id+".host"] = "127.0.0.1"
		tps["tps.connector."+id+".port"] = strconv.Itoa(ports[name])
	}
	errs := []error{s.Set(instance.TPS, tps)}
	for _, name := range []string{instance.TKS, instance.KRA} {
		errs = append(errs, s.Set(name, map[string]string{"service.listen": loopback.Addr(ports[name])}))
	}
	for _, name := range SiteCAs {
		public := loopback.Addr(ports[name+"-public"])
		errs = append(errs, s.Set(name, map[string]string{
			"service.listen": loopback.Addr(ports[name]), "publish.listen": public,
			"ca.url": "http://" + public,
		}))
	}
	return errors.Join(errs...)
}

// Set writes keys of a subsystem's CS.cfg. What runs goes on as before.
func (s *Site) Set(subsystem string, keys map[string]string) error {
	path := filepath.Join(s.dir, subsystem, "CS.cfg")
	f, err := conf.ReadFile(path)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if err := f.Set(key, keys[key]); err != nil {
			return err
		}
	}
	return f.WriteFile(path)
}

// Get reads a key of a subsystem's CS.cfg.
func (s *Site) Get(subsystem, key string) (string, error) {
	f, err := conf.ReadFile(filepath.Join(s.dir, subsystem, "CS.cfg"))
	if err != nil {
		return "", err
	}
	value, _, ok := f.Get(key)
	if !ok {
		return "", fmt.Errorf("CS.cfg of %s does not say %s", subsystem, key)
	}
	return value, nil
}

// Start has an authority answer, as its CS.cfg says now; one that does goes on.
func (s *Site) Start(ctx context.Context, name string) error {
	if at := s.served[name]; at != nil {
		if at.stopped != nil {
			return nil
		}
		delete(s.served, name)
		if err := at.Close(); err != nil {
			return err
		}
	}
	inst, err := instance.Open(ctx, s.dir, instance.Options{
		Subsystems: []string{name}, Log: slog.New(slog.NewJSONHandler(s.log, nil)),
	})
	if err != nil {
		return err
	}
	if err := inst.Listen(ctx); err != nil {
		return errors.Join(err, inst.Close())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	at := &served{inst, stop, make(chan error, 1)}
	done := at.stopped
	go func() { done <- inst.Serve(run) }()
	s.served[name] = at
	return nil
}

// Stop has an authority answer nobody any more.
func (s *Site) Stop(name string) error {
	if at := s.served[name]; at != nil {
		return at.end()
	}
	return nil
}

// Authority is a CA, whether or not it answers.
func (s *Site) Authority(name string) *ca.Authority {
	if at := s.served[name]; at != nil {
		return at.Authority(name)
	}
	return nil
}

// KRA is the key recovery authority, whether or not it answers.
func (s *Site) KRA() *kra.Service {
	at := s.served[instance.KRA]
	if at == nil {
		return nil
	}
	service, _ := at.Instance.KRA().(*kra.Service)
	return service
}

// authorities are those that scenarios ask who know of one CA only.
func (s *Site) authorities() *Authorities {
	first := s.Authority("ca1")
	return &Authorities{CA: first, KRA: s.KRA(), Certificate: first.Chain()[0]}
}

// startSite starts the authorities of a site, and the system before them.
func (l *Lab) startSite(ctx context.Context) (err error) {
	s := l.site
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, name := range s.names() {
		if err := s.Start(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	l.log = s.log
	return l.serve(ctx, instance.Options{Subsystems: []string{instance.TKS, instance.TPS}})
}

func (s *Site) close() error {
	var errs []error
	for name, at := range s.served {
		errs = append(errs, at.end(), at.Close())
		delete(s.served, name)
	}
	return errors.Join(errs...)
}

// CAs are the laboratory's certificate authorities, all of which answer from now on.
func (l *Lab) CAs(ctx context.Context) ([]*ca.Authority, error) {
	if l.site == nil {
		return []*ca.Authority{l.others.CA}, nil
	}
	var out []*ca.Authority
	for _, name := range SiteCAs {
		if err := l.site.Start(ctx, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, l.site.Authority(name))
	}
	return out, nil
}

// Good lists the certificates for a card that are valid or on hold at any CA, by the CAs' own databases,
// whether or not they answer others.
func (l *Lab) Good(ctx context.Context, cuid keys.CUID) (serials []connector.Serial, err error) {
	authorities := []*ca.Authority{l.others.CA}
	if l.site != nil {
		authorities = nil
		for _, name := range SiteCAs {
			authorities = append(authorities, l.site.Authority(name))
		}
	}
	for _, a := range authorities {
		for _, state := range []certdb.State{certdb.Valid, certdb.OnHold} {
			page, err := a.DB().List(ctx, certdb.Query{
				CUID: cuid.String(), State: &state, Limit: certdb.MaxPage})
			if err != nil {
				return nil, err
			}
			for _, c := range page {
				serials = append(serials, c.Serial)
			}
		}
	}
	return serials, nil
}

// Certificate asks the CA that has a certificate, whether or not it answers others.
func (l *Lab) Certificate(ctx context.Context, serial connector.Serial) (
	out connector.CertificateStatus, err error,
) {
	if l.site == nil {
		return l.others.CA.Certificate(ctx, serial)
	}
	for _, name := range SiteCAs {
		out, err = l.site.Authority(name).Certificate(ctx, serial)
		if !errors.Is(err, connector.ErrCANotFound) {
			return out, err
		}
	}
	return out, err
}

// Issuers are the certificates of the laboratory's CAs.
func (l *Lab) Issuers() []*x509.Certificate {
	if l.site == nil {
		return []*x509.Certificate{l.others.Certificate}
	}
	var out []*x509.Certificate
	for _, name := range SiteCAs {
		out = append(out, l.site.Authority(name).Chain()[0])
	}
	return out
}

// again starts a closed site anew, with more keys of the TPS set.
func (s *Site) again(ctx context.Context, l *Lab, tps map[string]string) (*Lab, error) {
	if err := s.Set(instance.TPS, tps); err != nil {
		return nil, err
	}
	next := &Lab{dir: l.dir, port: l.port, main: l.main, site: s}
	return next, next.startSite(ctx)
}

// Site is what the laboratory consists of if its authorities are its own, else nil.
func (l *Lab) Site() *Site { return l.site }

// site starts a laboratory with authorities of its own. The first makes what all are copies of.
func (p *Pool) site(ctx context.Context, directory int, config map[string]string) (*Lab, error) {
	template := filepath.Join(filepath.Dir(p.dir), "site")
	if _, err := os.Stat(template); err != nil {
		if err := makeSite(ctx, template); err != nil {
			return nil, err
		}
	}
	tps := withKRA(overlay(Config(directory), config))[instance.TPS]
	return startSite(ctx, template, fmt.Sprintf("%s-%d", template, p.made), tps)
}
