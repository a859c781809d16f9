package instance

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Bounds of every listener. A conversation with a card has no time limit here: the TPS has its
// own for each message.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	goodbye           = 2 * time.Second
	expirySoon        = 30 * 24 * time.Hour
)

// serving is how a subsystem is offered: where, and what answers.
type serving struct {
	listen, listenPlain string
	grace               time.Duration
	tls                 *tls.Config
	handler             http.Handler
	plain               http.Handler // of listenPlain; nil: handler
	sessions            func() int   // nil when the subsystem has none
	listeners           []net.Listener
	admin               administration
}

// Address is where a subsystem is offered.
type Address struct {
	Subsystem string
	Scheme    string // https or http
	Addr      net.Addr
}

// URL gives the address as a URL of the local machine when it listens on all interfaces.
func (a Address) URL() string { return a.Scheme + "://" + dialable(a.Addr.String()) }

// defaultListen is where subsystems listen when their configuration does not say.
var defaultListen = map[string]string{
	TKS: "127.0.0.1:8444", TPS: ":8443", CA: "127.0.0.1:8446", KRA: "127.0.0.1:8445",
	OCSP: "127.0.0.1:8447",
}

// readServing reads the service.* keys and the server certificate.
func (p *part) readServing() error {
	p.listen = p.conf.StringOr("service.listen", defaultListen[kindOf(p.name)])
	if _, _, err := splitListen(p.listen); err != nil {
		return p.conf.Errorf("service.listen", "%w", err)
	}
	if err := p.readPlain(); err != nil {
		return err
	}
	var err error
	p.grace, err = p.conf.Duration("service.shutdownTimeout", 30*time.Second, 0, time.Hour)
	if err != nil {
		return err
	}
	nickname := p.conf.StringOr("service.certNickname", serverNickname)
	pair, err := loadPair(p.dir, nickname)
	if err != nil {
		return err
	}
	if left := time.Until(pair.Leaf.NotAfter); left < expirySoon {
		p.log.Warn("server certificate ends soon or has ended", "nickname", nickname,
			"notAfter", pair.Leaf.NotAfter)
	}
	p.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}}
	return nil
}

// readPlain reads where plain HTTP is spoken: by a TPS on this machine only, by a CA and an OCSP
// responder to everybody, as all that they offer there is signed.
func (p *part) readPlain() error {
	key, check := "service.listenPlain", checkLoopback
	switch kindOf(p.name) {
	case TPS:
	case CA, OCSP:
		key = "publish.listen"
		check = func(addr string) error {
			_, _, err := splitListen(addr)
			return err
		}
	default:
		return nil
	}
	if p.listenPlain = p.conf.String(key); p.listenPlain == "" {
		return nil
	}
	if err := check(p.listenPlain); err != nil {
		return p.conf.Errorf(key, "%w", err)
	}
	return nil
}

// requireTLS makes the listener take only clients that a CA in certs/ca.crt vouches for.
func (p *part) requireTLS() error {
	pool, err := loadPool(p.dir)
	if err != nil {
		return err
	}
	p.tls.ClientAuth, p.tls.ClientCAs = tls.RequireAndVerifyClientCert, pool
	return nil
}

// checkLoopback takes addresses that only this machine can reach.
func checkLoopback(addr string) error {
	host, _, err := splitListen(addr)
	if err != nil {
		return err
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("%q is no loopback address: plain HTTP is for this machine only", host)
	}
	return nil
}

// Listen opens the sockets, so that addresses are known before Serve; Serve does it otherwise.
func (i *Instance) Listen(ctx context.Context) error {
	for _, p := range i.parts {
		if len(p.listeners) > 0 {
			continue
		}
		for _, addr := range []string{p.listen, p.listenPlain} {
			if addr == "" {
				continue
			}
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			p.listeners = append(p.listeners, l)
		}
		if err := p.listenAdmin(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Addresses answers where the instance is offered, once it listens.
func (i *Instance) Addresses() []Address {
	var out []Address
	for _, p := range i.parts {
		for n, l := range p.listeners {
			out = append(out, Address{p.name, [2]string{"https", "http"}[n], l.Addr()})
		}
	}
	return out
}

func (p *part) closeListeners() error {
	var errs []error
	for _, l := range p.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	p.listeners = nil
	return errors.Join(append(errs, p.closeAdmin())...)
}

// Serve answers requests until ctx ends, then lets running ones finish for as long as
// service.shutdownTimeout says and ends the rest. It returns nil after that, or the error of a
// listener that failed. An instance serves once.
func (i *Instance) Serve(ctx context.Context) error {
	if err := i.Listen(ctx); err != nil {
		return errors.Join(err, i.closeAll())
	}
	failed := make(chan error, 4*len(i.parts))
	var atWork []*running
	for _, p := range i.parts {
		atWork = append(atWork, p.start(failed)...)
	}
	defer i.tend(ctx)()
	var err error
	select {
	case <-ctx.Done():
		i.log.Info("stopping", "why", context.Cause(ctx).Error())
	case err = <-failed:
		i.log.Error("stopping", "err", err)
	}
	// The TPS goes first: its running sessions may still need the TKS.
	for _, r := range slices.Backward(atWork) {
		err = errors.Join(err, r.stop())
	}
	i.log.Info("stopped")
	return err
}

// tend starts what goes on beside requests; the function it returns ends that.
func (i *Instance) tend(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	if i.tps != nil {
		work.Go(func() { i.tps.reconcile(ctx) })
		work.Go(func() { i.tps.lookAround(ctx, usualPatience) })
	}
	if i.ocsp != nil {
		for _, c := range i.ocsp.cas {
			work.Go(func() { c.keep(ctx, i.ocsp.part) })
		}
	}
	for _, c := range i.cas {
		work.Go(func() { c.authority.Maintain(ctx, tendEvery) })
	}
	return func() {
		cancel()
		work.Wait()
	}
}

func (i *Instance) closeAll() error {
	var errs []error
	for _, p := range i.parts {
		errs = append(errs, p.closeListeners())
	}
	return errors.Join(errs...)
}

// running is one listener at work.
type running struct {
	part   *part
	server *http.Server
	cancel context.CancelFunc
}

// start serves on the part's listeners: the first is HTTPS, the second plain HTTP, and then those of
// administration.
func (p *part) start(failed chan<- error) []*running {
	var out []*running
	for n, l := range p.listeners {
		s, cancel := p.httpServer(p.handler)
		serve := func() error { return s.ServeTLS(l, "", "") }
		scheme := "https"
		if n > 0 {
			scheme, serve = "http", func() error { return s.Serve(l) }
			if p.plain != nil {
				s.Handler = p.plain
			}
		}
		p.log.Info("listening", "scheme", scheme, "addr", l.Addr().String())
		p.serveOn(serve, failed)
		out = append(out, &running{part: p, server: s, cancel: cancel})
	}
	return append(out, p.startAdmin(failed)...)
}

// httpServer makes the server of one listener; cancel ends the requests that run.
func (p *part) httpServer(h http.Handler) (s *http.Server, cancel context.CancelFunc) {
	base, cancel := context.WithCancel(context.Background())
	return &http.Server{
		Handler: h, TLSConfig: p.tls, ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:    slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return base },
		// A conversation is full duplex over one HTTP/1.1 request.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}, cancel
}

func (p *part) serveOn(serve func() error, failed chan<- error) {
	go func() {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("%s: %w", p.name, err)
		}
	}()
}

// stop takes no new request, waits for the running ones, and ends what is left.
func (r *running) stop() error {
	defer r.cancel()
	if r.part.sessions != nil && r.part.sessions() > 0 {
		r.part.log.Info("waiting for sessions", "sessions", r.part.sessions(),
			"atMost", r.part.grace.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(r.part.grace, time.Nanosecond))
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		r.part.log.Warn("requests were still running and are ended")
		r.cancel() // they see their context end, and get a moment to say so to the other side
		last, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		if err = r.server.Shutdown(last); errors.Is(err, context.DeadlineExceeded) {
			err = r.server.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("%s: stopping: %w", r.part.name, err)
	}
	return nil
}
