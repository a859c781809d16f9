package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"time"

	"tokenwright/tms/ca"
)

// public is where everybody may ask the CA, over plain HTTP on loopback: certificates name it, so that
// it is taken before there is a CA.
type public struct {
	listener net.Listener
	server   *http.Server
	done     chan error
}

// askTimeout bounds one question.
const askTimeout = 10 * time.Second

func listenPublic(ctx context.Context) (*public, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &public{listener: l, done: make(chan error, 1)}, nil
}

func (p *public) url() string { return "http://" + p.listener.Addr().String() }

// serve answers for an authority until Close.
func (p *public) serve(authority *ca.Authority) {
	p.server = &http.Server{
		Handler: authority.PublicHandler(), ReadTimeout: askTimeout, WriteTimeout: askTimeout,
	}
	go func() { p.done <- p.server.Serve(p.listener) }()
}

// Close stops answering.
func (p *public) Close() error {
	if p.server == nil {
		return p.listener.Close()
	}
	err := p.server.Close()
	if served := <-p.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// newCA makes an authority that answers everybody, with a responder for OCSP.
func (a *Authorities) newCA(ctx context.Context, o ca.Options) (err error) {
	p, err := listenPublic(ctx)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, p)
	if o.OCSPKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	o.URL = p.url()
	if a.CA, err = ca.New(o); err != nil {
		return err
	}
	if err := a.CA.StartResponder(ctx); err != nil {
		return err
	}
	p.serve(a.CA)
	return nil
}
