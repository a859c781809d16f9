package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"tokenwright/features/loopback"
	"tokenwright/fixtures/ldap"
	"tokenwright/tms/instance"
)

// Pool makes laboratories over one instance's keys and certificates. The usual one is shared; one that
// differs is a scenario's own, with a token database of its own: a server that starts takes what it finds
// unfinished there for the work of one that died.
type Pool struct {
	mu        sync.Mutex
	dir       string
	port      int
	directory *Directory
	others    *Authorities
	shared    *Lab
	made      int   // laboratories that differ
	err       error // of making the instance; it is not tried again
}

// NewPool makes an empty pool. Nothing is started before it is needed.
func NewPool() *Pool { return &Pool{} }

// Start returns a running laboratory. Whoever gets it calls release when done; the shared one lives
// until the pool is closed.
func (p *Pool) Start(ctx context.Context, o Options) (l *Lab, release func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir == "" && p.err == nil {
		p.err = p.make(ctx)
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	if o.usual() {
		if p.shared == nil {
			p.shared, p.err = p.startShared(ctx)
		}
		return p.shared, func() error { return nil }, p.err
	}
	if l, err = p.different(ctx, o); err != nil {
		return nil, nil, err
	}
	return l, l.Close, nil
}

func (p *Pool) startShared(ctx context.Context) (*Lab, error) {
	config, err := withPort(withKRA(Config(p.directory.Port())), p.port)
	if err != nil {
		return nil, err
	}
	return start(ctx, p.dir, p.port, p.port, config, nil, p.others)
}

func (p *Pool) make(ctx context.Context) error {
	dir, err := makeScratch()
	if err != nil {
		return err
	}
	p.dir = dir
	users, err := ldap.Users()
	if err != nil {
		return err
	}
	if p.directory, err = StartDirectory(loopback.Addr(0), users); err != nil {
		return err
	}
	if p.port, err = loopback.Port(); err != nil {
		return err
	}
	tks, err := loopback.Port()
	if err != nil {
		return err
	}
	p.dir = filepath.Join(dir, "instance")
	if err := MakeInstance(ctx, p.dir, p.port, tks); err != nil {
		return err
	}
	authorities := filepath.Join(dir, "authorities")
	if p.others, err = openAuthorities(ctx, authorities); err != nil {
		return err
	}
	return copyTransport(authorities, p.dir)
}

func (p *Pool) different(ctx context.Context, o Options) (*Lab, error) {
	directory := p.directory.Port()
	if o.DirectoryDown {
		directory = nobody
	}
	p.made++
	if o.Site {
		return p.site(ctx, directory, o.Config)
	}
	config := withKRA(overlay(Config(directory), o.Config))
	config[instance.TPS]["tokendb.path"] = fmt.Sprintf("tokens-%d.db", p.made)
	port, err := loopback.Port()
	if err != nil {
		return nil, err
	}
	if config, err = withPort(config, port); err != nil {
		return nil, err
	}
	var subsystems []string
	if o.TKSDown {
		subsystems = []string{instance.TPS}
		config[instance.TPS][tks1+"port"] = fmt.Sprint(nobody)
	}
	l, err := start(ctx, p.dir, port, p.port, config, subsystems, p.others)
	if err == nil && o.CADown {
		l.SetCADown(true)
	}
	return l, err
}

// Close stops what is shared and removes the instance.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	if p.shared != nil {
		errs = append(errs, p.shared.Close())
	}
	if p.others != nil {
		errs = append(errs, p.others.Close())
	}
	if p.directory != nil {
		p.directory.Close()
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(filepath.Dir(p.dir)))
	}
	return errors.Join(errs...)
}
