// Package lab is a whole token management system on loopback, with a user directory, for tests and
// for the development server: an instance as `tms init` makes it, the synthetic applets, and a
// configuration that knows the virtual stocks. It owns nothing of the system itself; it must not be
// part of what an operator deploys.
package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"tokenwright/features/loopback"
	"tokenwright/fixtures/applets"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Options say how a laboratory differs from the usual one. The zero value is the usual one.
type Options struct {
	Config        map[string]string // keys of the TPS that are set otherwise
	DirectoryDown bool              // nobody answers where the user directory should be
	TKSDown       bool              // nobody answers where the token key service should be
	CADown        bool              // the certificate authority answers nobody at first
	Alone         bool              // not shared with other scenarios
	Site          bool              // with authorities of its own, see Site
}

func (o Options) usual() bool {
	return len(o.Config) == 0 && !o.DirectoryDown && !o.TKSDown && !o.CADown && !o.Alone &&
		!o.Site
}

// Lab is a running system.
type Lab struct {
	dir    string
	port   int // of the TPS
	main   int // the port that the instance was made for
	config map[string]map[string]string
	others *Authorities
	ca     *away
	kra    *awayKRA
	site   *Site // nil where the authorities are the pool's

	inst    *instance.Instance
	log     *buffer
	stop    context.CancelFunc
	stopped chan error
	once    sync.Once
	err     error
}

// MakeInstance makes an instance at dir, with the synthetic applets. tpsPort and tksPort are where
// its parts will listen on loopback.
func MakeInstance(ctx context.Context, dir string, tpsPort, tksPort int) error {
	_, err := instance.Init(ctx, dir, instance.InitOptions{
		Host: "127.0.0.1", Issuer: "tokenwright development",
		TPSListen: loopback.Addr(tpsPort), TKSListen: loopback.Addr(tksPort),
		// The passphrases are long and random; stretching them would only make every start slow.
		Cost: soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1},
	})
	if err != nil {
		return err
	}
	for _, v := range applets.Versions() {
		file, err := applets.File(v)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, instance.TPS, "applets", v+".ijc")
		if err := os.WriteFile(path, file, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// start opens and serves the instance at dir with the TPS at port.
func start(ctx context.Context, dir string, port, mainPort int, config map[string]map[string]string,
	subsystems []string, others *Authorities) (*Lab, error) {
	l := &Lab{dir: dir, port: port, main: mainPort, config: config, log: &buffer{}, others: others}
	l.ca, l.kra = &away{CA: others.CA}, &awayKRA{KRA: others.KRA}
	err := l.serve(ctx, instance.Options{
		Subsystems: subsystems, Override: config,
		CAs:  map[string]connector.CA{"ca1": l.ca},
		KRAs: map[string]connector.KRA{"kra1": l.kra},
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// serve opens the instance and serves it.
func (l *Lab) serve(ctx context.Context, o instance.Options) (err error) {
	o.Log = slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if l.inst, err = instance.Open(ctx, l.dir, o); err != nil {
		return err
	}
	if err := l.inst.Listen(ctx); err != nil {
		return errors.Join(err, l.inst.Close())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop, l.stopped = stop, make(chan error, 1)
	go func() { l.stopped <- l.inst.Serve(run) }()
	return nil
}

// Close stops the system. It may be called more than once.
func (l *Lab) Close() error {
	l.once.Do(func() {
		l.stop()
		l.err = errors.Join(<-l.stopped, l.inst.Close())
		if l.site != nil {
			l.err = errors.Join(l.err, l.site.close())
		}
	})
	return l.err
}

// URL is where the TPS answers clients.
func (l *Lab) URL() string { return fmt.Sprintf("https://%s/tps/tps", loopback.Addr(l.port)) }

// PhoneHomeURL is the address that formatting writes to a card.
func (l *Lab) PhoneHomeURL() string {
	return fmt.Sprintf("https://%s/tps/phoneHome", loopback.Addr(l.main))
}

// TLS trusts the instance's own CA and nothing else.
func (l *Lab) TLS() *tls.Config {
	pem, err := os.ReadFile(CAFile(l.dir))
	pool := x509.NewCertPool()
	if err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// CAFile is the certificate that clients of the instance at dir have to trust.
func CAFile(dir string) string { return filepath.Join(dir, "ca", "ca.crt") }

// Store is the token database.
func (l *Lab) Store() store.Store { return l.inst.Store() }

// TKS is the token key service.
func (l *Lab) TKS() connector.TKS { return l.inst.TKS() }

// Authorities are the CA and the KRA; of a site, its first CA.
func (l *Lab) Authorities() *Authorities {
	if l.site != nil {
		return l.site.authorities()
	}
	return l.others
}

// SetCADown has the CA answer nobody, or everybody again.
func (l *Lab) SetCADown(down bool) { l.ca.down.Store(down) }

// ChangeState moves a token to a state, as an agent does.
func (l *Lab) ChangeState(ctx context.Context, cuid keys.CUID, to token.State) error {
	_, err := l.inst.TPS().ChangeState(ctx, cuid, to, "agent")
	return err
}

// Reconcile has the TPS look for what it left undone at the authorities, as it does from time to time.
func (l *Lab) Reconcile(ctx context.Context) error { return l.inst.Reconcile(ctx) }

// Sessions is the number of operations that are going on.
func (l *Lab) Sessions() int { return l.inst.TPS().Sessions() }

// Log is what the system has logged so far, a JSON object a line.
func (l *Lab) Log() string { return l.log.String() }

// Passphrase is a secret that must never show up anywhere.
func (l *Lab) Passphrase() string {
	b, err := os.ReadFile(filepath.Join(l.dir, instance.TPS, "keystore.passphrase"))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

// Again starts a closed system anew, over the same directory and token database, with more keys of the
// TPS set.
func (l *Lab) Again(ctx context.Context, config map[string]string) (*Lab, error) {
	if l.site != nil {
		return l.site.again(ctx, l, config)
	}
	port := l.port
	all, err := withPort(overlay(l.config, config), port)
	if err != nil {
		return nil, err
	}
	return start(ctx, l.dir, port, l.main, all, nil, l.others)
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
