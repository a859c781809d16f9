package connector

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// gate lets listed clients in, and nobody else.
type gate struct {
	clients []allowed
	log     *slog.Logger
	timeout time.Duration
}

func newGate(o HandlerOptions) (gate, error) {
	g := gate{log: o.Log, timeout: o.Timeout}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.timeout <= 0 {
		g.timeout = DefaultTimeout
	}
	for _, c := range o.Clients {
		a, err := newAllowed(c)
		if err != nil {
			return gate{}, err
		}
		g.clients = append(g.clients, a)
	}
	return g, nil
}

// pass answers one request by what answer gives for it. The answer of a stranger is
// "unauthorized=", that of what is no form an HTTP status.
func (g *gate) pass(w http.ResponseWriter, r *http.Request,
	answer func(ctx context.Context, c *allowed, f form) []field,
) {
	client := findClient(g.clients, r.TLS)
	if client == nil {
		g.log.Warn("request refused: client is not on the list", "peer", peerName(r),
			"remote", r.RemoteAddr)
		writeBody(w, []byte(unauthorizedBody))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.timeout)
	defer cancel()
	ctx = WithCaller(ctx, client.Name)
	ctx = WithSession(ctx, r.Header.Get(sessionHeader))
	form, code, err := readForm(w, r)
	if err != nil {
		g.log.Warn("request refused", "client", client.Name, "error", err)
		http.Error(w, http.StatusText(code), code)
		return
	}
	writeBody(w, encodeAnswer(answer(ctx, client, form)))
}
