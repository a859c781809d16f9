package instance

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/tps/auth"
)

// Options say how an instance is opened. The zero value opens all that its directory holds.
type Options struct {
	// Subsystems are those to open: TKS, TPS, KRA, OCSP, a CA by its name, or CA for all CAs; nil
	// means all that are there.
	Subsystems []string
	// Log gets what the subsystems have to say; nil discards.
	Log *slog.Logger
	// Override gives values to keys of a subsystem's configuration, in memory only:
	// Override["tps"]["service.listen"].
	Override map[string]map[string]string
	// Auth takes the place of configured authenticators of the same instance name.
	Auth map[string]auth.Authenticator
	// CAs and KRAs take the place of configured connectors of the TPS of the same id.
	CAs  map[string]connector.CA
	KRAs map[string]connector.KRA
	// Random is where session ids, challenges and fresh keys come from; nil means crypto/rand.
	Random io.Reader
	// Now is the clock of records; nil means time.Now.
	Now func() time.Time
	// RSA is handed to the KRA; see kra.Options.
	RSA func(bits int) (*rsa.PrivateKey, error)
	// Failpoint is handed to TPS, CAs and KRA; see their Options.
	Failpoint func(name string) error
}

// Instance is an opened instance. Close it, whether or not it served.
type Instance struct {
	dir     string
	log     *slog.Logger
	parts   []*part
	tks     *tksPart  // nil when not opened
	tps     *tpsPart  // nil when not opened
	kra     *kraPart  // nil when not opened
	ocsp    *ocspPart // nil when not opened
	cas     map[string]*caPart
	closers []io.Closer
}

// Open builds the subsystems of the instance at dir from their configuration and joins them. Every
// mistake in a configuration is found here, with its key. Nothing listens yet.
func Open(ctx context.Context, dir string, o Options) (*Instance, error) {
	there, err := Subsystems(dir)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	wanted, err := choose(dir, o.Subsystems, there)
	if err != nil {
		return nil, err
	}
	i := &Instance{dir: dir, log: o.Log, cas: map[string]*caPart{}}
	for _, name := range wanted {
		if err := i.open(ctx, name, o); err != nil {
			return nil, errors.Join(err, i.Close())
		}
	}
	if err := i.warnMissing(); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

// choose gives those of the subsystems that are there which are asked for, in the order of there:
// a TPS comes last, as it may lean on what is beside it.
func choose(dir string, asked, there []string) ([]string, error) {
	if len(asked) == 0 {
		return there, nil
	}
	var out []string
	for _, name := range there {
		if slices.Contains(asked, name) || slices.Contains(asked, kindOf(name)) {
			out = append(out, name)
		}
	}
	for _, name := range asked {
		switch {
		case name != TKS && name != TPS && name != KRA && name != OCSP && kindOf(name) != CA:
			return nil, fmt.Errorf("no subsystem %q: want %s, %s, %s, %s, %s, or a CA by its name", name,
				TKS, TPS, KRA, OCSP, CA)
		case !slices.ContainsFunc(out, func(o string) bool { return o == name || kindOf(o) == name }):
			return nil, fmt.Errorf("%s: %w: no subsystem %q is there", dir, ErrNoInstance, name)
		}
	}
	return out, nil
}

func (i *Instance) open(ctx context.Context, name string, o Options) error {
	p, err := newPart(i.dir, name, o)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch kindOf(name) {
	case TKS:
		err = i.openTKS(ctx, p, o)
	case CA:
		err = i.openCA(ctx, p, o)
	case KRA:
		err = i.openKRA(ctx, p, o)
	case OCSP:
		err = i.openOCSP(ctx, p, o)
	default:
		err = i.openTPS(ctx, p, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	i.parts = append(i.parts, p)
	for _, u := range p.conf.Unread() {
		p.log.Warn(u.String())
	}
	return nil
}

// Unread answers the keys of the opened configurations that nothing reads.
func (i *Instance) Unread() []conf.Unread {
	var out []conf.Unread
	for _, p := range i.parts {
		out = append(out, p.conf.Unread()...)
	}
	return out
}

// Close ends what Open began: stores, key stores, connections and listeners.
func (i *Instance) Close() error {
	var errs []error
	for _, p := range i.parts {
		errs = append(errs, p.closeListeners())
	}
	for _, c := range slices.Backward(i.closers) {
		errs = append(errs, c.Close())
	}
	i.closers = nil
	return errors.Join(errs...)
}

// part is what both subsystems have alike: a directory, a configuration, listeners.
type part struct {
	name string
	dir  string
	conf *conf.Config
	log  *slog.Logger
	serving
}

// newPart reads the configuration of a subsystem and what it says about serving.
func newPart(dir, name string, o Options) (*part, error) {
	p := &part{name: name, dir: filepath.Join(dir, name), log: o.Log.With("subsystem", name)}
	var err error
	if p.conf, err = conf.Load(filepath.Join(p.dir, configFile), kindOf(name)); err != nil {
		return nil, err
	}
	for key, value := range o.Override[name] {
		if err := p.conf.Set(key, value); err != nil {
			return nil, fmt.Errorf("overriding %s: %w", key, err)
		}
	}
	return p, p.readServing()
}

// openKeystore opens the key store that a configuration names.
func (p *part) openKeystore() (*soft.Store, error) {
	passphrase, err := readPassphrase(under(p.dir,
		p.conf.StringOr("keystore.passphraseFile", passphraseFile)))
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	path := under(p.dir, p.conf.StringOr("keystore.path", keystoreFile))
	store, err := soft.Open(path, passphrase)
	if err != nil {
		return nil, fmt.Errorf("key store %s: %w", path, err)
	}
	return store, nil
}
