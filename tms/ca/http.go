package ca

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"tokenwright/tms/connector"
)

// Paths of what everybody may have, over plain HTTP: all of it is signed. // RFC 5280 §8
const (
	PathOCSP        = "/ca/ocsp"
	PathCertificate = "/ca/ca.crt"
	PathChain       = "/ca/chain.pem"
	PathCRL         = "/ca/ca.crl"
	PathDelta       = "/ca/delta.crl"
)

// PublicHandler answers what everybody may ask: certificate and chain of the CA, revocation lists,
// OCSP, and a page that tells of them.
func (a *Authority) PublicHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathCertificate, func(w http.ResponseWriter, _ *http.Request) {
		send(w, "application/pkix-cert", a.o.Certificate.Raw)
	})
	mux.HandleFunc("GET "+PathChain, func(w http.ResponseWriter, _ *http.Request) {
		send(w, "application/x-pem-file", a.ChainPEM())
	})
	mux.HandleFunc("GET /{$}", a.servePage)
	mux.HandleFunc("GET /ca/{$}", a.servePage)
	mux.HandleFunc("GET "+PathCRL, a.serveCRL(false))
	mux.HandleFunc("GET "+PathDelta, a.serveCRL(true))
	responder := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := a.Responder(); o != nil {
			o.Handler(PathOCSP).ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
	mux.Handle(PathOCSP, responder)
	// ServeMux cleans paths, and base64 may hold "//": questions by GET go around it.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) > len(PathOCSP) && r.URL.Path[:len(PathOCSP)+1] == PathOCSP+"/" {
			responder.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func send(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the peer's absence shows on its side
}

func (a *Authority) serveCRL(delta bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.CRL(r.Context(), delta)
		switch {
		case errors.Is(err, connector.ErrCANotFound):
			http.NotFound(w, r)
			return
		case err != nil:
			a.log.Error("revocation list not served", "error", err)
			http.Error(w, http.StatusText(http.StatusServiceUnavailable),
				http.StatusServiceUnavailable)
			return
		}
		head := w.Header()
		head.Set("Last-Modified", c.ThisUpdate.Format(http.TimeFormat))
		head.Set("Expires", c.NextUpdate.Format(http.TimeFormat))
		head.Set("ETag", strconv.Quote(strconv.FormatInt(c.Number, 10)))
		if r.Header.Get("If-None-Match") == head.Get("ETag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		send(w, "application/pkix-crl", c.DER)
	}
}

// ChainPEM gives the CA's certificate and those above it in PEM form.
func (a *Authority) ChainPEM() []byte {
	var out []byte
	for _, c := range a.Chain() {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// Maintain issues revocation lists when they are due, sees to the responder's certificate, and keeps
// OCSP answers fresh, until ctx ends. What fails is logged and tried again.
func (a *Authority) Maintain(ctx context.Context, every time.Duration) {
	var answers sync.WaitGroup
	defer answers.Wait()
	if r := a.Responder(); r != nil {
		answers.Go(func() { r.Keep(ctx) })
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		a.Tend(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Tend does once what Maintain does over and over, OCSP answers apart.
func (a *Authority) Tend(ctx context.Context) {
	if _, err := a.DueCRL(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("revocation list that is due was not issued", "error", err)
	}
	if err := a.StartResponder(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("ocsp responder has no fresh certificate", "error", err)
	}
}
