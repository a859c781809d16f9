package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Paths at which a TKS answers. One handler serves all of them: what a request is depends on the
// parameters it has, not on its path.
const (
	PathComputeSessionKey = "/tks/agent/tks/computeSessionKey"
	PathCreateKeySetData  = "/tks/agent/tks/createKeySetData"
	PathEncryptData       = "/tks/agent/tks/encryptData"
	PathComputeRandomData = "/tks/agent/tks/computeRandomData"
)

// DefaultTimeout is how long one request may take, on either side, when nothing else is said.
const DefaultTimeout = 30 * time.Second

// HandlerOptions says whom a TKSHandler serves. Nobody is served by default.
type HandlerOptions struct {
	Clients []Client
	Log     *slog.Logger  // nil discards
	Timeout time.Duration // for one request; 0 means DefaultTimeout
}

// TKSHandler serves t in the wire form, at the four paths. secret wraps session keys for clients
// that have none of their own; it may be nil when each has. The handler must stand behind TLS
// that requests and verifies client certificates: without one, every answer is "unauthorized=".
// An SCP02Stepper is used if t is one.
func TKSHandler(t TKS, secret *SharedSecret, o HandlerOptions) (http.Handler, error) {
	clients := make([]Client, 0, len(o.Clients))
	for _, c := range o.Clients {
		if c.Secret == nil {
			c.Secret = secret
		}
		if c.Secret == nil {
			return nil, fmt.Errorf("client %q: has no shared secret", c.Name)
		}
		if c.Secret.Legacy() && o.Log != nil {
			o.Log.Warn("shared secret is a DES3 key; replace it by an AES one", "client", c.Name)
		}
		clients = append(clients, c)
	}
	o.Clients = clients
	g, err := newGate(o)
	if err != nil {
		return nil, err
	}
	h := &tksHandler{gate: g, tks: t}
	h.stepper, _ = t.(SCP02Stepper)
	mux := http.NewServeMux()
	for _, p := range []string{PathComputeSessionKey, PathCreateKeySetData, PathEncryptData,
		PathComputeRandomData} {
		mux.Handle("POST "+p, h)
	}
	return mux, nil
}

type tksHandler struct {
	gate
	tks     TKS
	stepper SCP02Stepper // nil when the TKS is none
}

// ServeHTTP answers one request.
func (h *tksHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.pass(w, r, func(ctx context.Context, c *allowed, f form) []field {
		fields, err := h.dispatch(ctx, c, f)
		if err != nil {
			h.log.Warn("request failed", "client", c.Name, "session", Session(ctx),
				"status", int(StatusOf(err)), "error", err)
			fields = []field{{fieldStatus, strconv.Itoa(int(StatusOf(err)))}}
		}
		return fields
	})
}

// dispatch decides what is asked by which parameters are present, in the order that the wire
// form prescribes.
func (h *tksHandler) dispatch(ctx context.Context, c *allowed, f form) ([]field, error) {
	switch {
	case f.has(fieldCardChal) && !f.has(fieldProtocol):
		return h.sessionKey(ctx, c, f, 1)
	case f.has(fieldData):
		return h.encryptData(ctx, f)
	case f.has(fieldNewKeyInfo):
		return h.keySetData(ctx, c, f)
	case f.has(fieldRandomCount):
		return h.randomData(ctx, f)
	case strings.Contains(f.get(fieldProtocol), "2") && f.has(fieldConstant):
		if f.has(fieldCardCrypto) {
			return h.sessionKey(ctx, c, f, 2)
		}
		return h.scp02Step(ctx, c, f)
	case strings.Contains(f.get(fieldProtocol), "3"):
		return h.sessionKey(ctx, c, f, 3)
	}
	return nil, Errorf(StatusParameter, "request is none of the known ones")
}

// form is a request's parameters: each name at most once.
type form map[string]string

func (f form) has(name string) bool   { _, ok := f[name]; return ok }
func (f form) get(name string) string { return f[name] }

// readForm reads the body of a request; on error it gives the HTTP status to answer.
func readForm(w http.ResponseWriter, r *http.Request) (form, int, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != formContentType {
		return nil, http.StatusUnsupportedMediaType, fmt.Errorf("body is no %s", formContentType)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, http.StatusRequestEntityTooLarge,
				fmt.Errorf("body has more than %d bytes", maxRequestBytes)
		}
		return nil, http.StatusBadRequest, errors.New("body is no url-encoded form")
	}
	f, err := newForm(r.PostForm)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	return f, 0, nil
}

func newForm(values url.Values) (form, error) {
	if len(values) > maxRequestFields {
		return nil, fmt.Errorf("more than %d parameters", maxRequestFields)
	}
	f := make(form, len(values))
	for name, v := range values {
		if len(v) != 1 {
			return nil, errors.New("a parameter occurs twice")
		}
		f[name] = v[0]
	}
	return f, nil
}

func writeBody(w http.ResponseWriter, body []byte) {
	head := w.Header()
	head.Set("Content-Type", "text/plain; charset=us-ascii")
	head.Set("Content-Length", strconv.Itoa(len(body)))
	head.Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // the peer's absence shows on its side
}

func peerName(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "no certificate"
	}
	return r.TLS.PeerCertificates[0].Subject.String()
}
