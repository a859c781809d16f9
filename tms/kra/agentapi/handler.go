// Package agentapi is how recovery agents reach a key recovery authority: JSON over HTTPS, each
// agent known by a client certificate, and the client for it.
//
// It owns paths, forms and bounds. It must not decide anything: who may do what is the
// authority's.
package agentapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
)

// Prefix is what all paths begin with.
const Prefix = "/kra/agent/v1/"

// Bounds of what is read.
const (
	maxRequestBytes = 16 << 10
	maxAnswerBytes  = 8 << 20
	jsonType        = "application/json"
)

// Key is an archived key as agents see it. It holds nothing secret.
type Key struct {
	ID        int64     `json:"id"`
	RequestID string    `json:"requestId,omitempty"` // of the TPS that asked for it
	CUID      string    `json:"cuid"`
	UserID    string    `json:"userId"`
	Type      string    `json:"type"`
	Bits      int       `json:"bits"`
	Usages    string    `json:"usages,omitempty"`
	PublicKey []byte    `json:"publicKey"` // SubjectPublicKeyInfo
	Caller    string    `json:"caller"`
	Created   time.Time `json:"created"`
}

// Request is a request of agents, with the state it is in now.
type Request struct {
	approval.Request
	Now  approval.State `json:"now"`
	Need int            `json:"need"` // approvals that it takes
}

// Fulfilled is what an approved request gives.
type Fulfilled struct {
	Request Request `json:"request"`
	Key     string  `json:"key,omitempty"` // PEM, encrypted
}

// Verified is what a look through the audit trail finds.
type Verified struct {
	OK    bool        `json:"ok"`
	Last  keydb.Event `json:"last"`            // the last event that is as it was written
	Error string      `json:"error,omitempty"` // what is wrong after it
}

// New is what a new request is made of.
type New struct {
	KeyID   int64            `json:"keyId"`
	Purpose approval.Purpose `json:"purpose"`
	User    string           `json:"user,omitempty"`
	Reason  string           `json:"reason"`
}

type passphrase struct {
	Passphrase string `json:"passphrase,omitempty"`
}

type failure struct {
	Error string `json:"error"`
}

// handler answers agents.
type handler struct {
	agents   kra.Agents
	identify func(*tls.ConnectionState) (string, bool)
	now      func() time.Time
	log      *slog.Logger
}

// Handler serves what agents may do, at the paths below Prefix. identify names the agent at the
// other end; it must rely on a certificate that TLS verified. now is the clock of the authority.
func Handler(a kra.Agents, identify func(*tls.ConnectionState) (name string, ok bool),
	now func() time.Time, log *slog.Logger,
) http.Handler {
	h := &handler{agents: a, identify: identify, now: now, log: log}
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(context.Context, string, *http.Request) (any, error){
		"GET keys":                   h.keys,
		"GET keys/{id}":              h.key,
		"GET requests":               h.requests,
		"POST requests":              h.makeRequest,
		"GET requests/{id}":          h.request,
		"POST requests/{id}/approve": h.vote(true),
		"POST requests/{id}/reject":  h.vote(false),
		"POST requests/{id}/cancel":  h.cancel,
		"POST requests/{id}/fulfil":  h.fulfil,
		"GET events":                 h.events,
		"GET events/verify":          h.verify,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			h.answer(w, r, do)
		})
	}
	return mux
}

// errForm is what is no request.
var errForm = errors.New("request is malformed")

func (h *handler) answer(w http.ResponseWriter, r *http.Request,
	do func(context.Context, string, *http.Request) (any, error),
) {
	agent, ok := h.identify(r.TLS)
	if !ok {
		h.log.Warn("agent refused: not on the list", "remote", r.RemoteAddr)
		write(w, http.StatusForbidden, failure{approval.ErrNotAgent.Error()})
		return
	}
	if r.Method == http.MethodPost {
		// A browser that holds an agent's certificate does not send this for another's page.
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
			kind != jsonType {
			write(w, http.StatusUnsupportedMediaType, failure{"want " + jsonType})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
	}
	out, err := do(r.Context(), agent, r)
	if err != nil {
		code := codeOf(err)
		h.log.Warn("agent's request failed", "agent", agent, "path", r.URL.Path, "code", code,
			"error", err)
		text := err.Error()
		if code == http.StatusInternalServerError {
			text = "the key recovery authority failed; its log says why"
		}
		write(w, code, failure{text})
		return
	}
	write(w, http.StatusOK, out)
}

// codeOf gives the HTTP status of an error.
func codeOf(err error) int {
	for code, sentinels := range map[int][]error{
		http.StatusForbidden:  {approval.ErrNotAgent, approval.ErrNotRequester, kra.ErrNoAgents},
		http.StatusNotFound:   {keydb.ErrNotFound},
		http.StatusBadRequest: {approval.ErrForm, kra.ErrPassphrase, errForm},
		http.StatusConflict: {
			approval.ErrTwice, approval.ErrEnded, approval.ErrExpired, approval.ErrNotApproved,
		},
	} {
		for _, s := range sentinels {
			if errors.Is(err, s) {
				return code
			}
		}
	}
	return http.StatusInternalServerError
}

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the peer's absence shows on its side
}

// read reads the body of a request, which must be one JSON object with known names.
func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil || d.More() {
		return errForm // no detail: it could quote a passphrase
	}
	return nil
}

// number reads a number of the path or query; "" is 0.
func number(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, errForm
	}
	return n, nil
}

// numbers reads several query parameters.
func numbers(r *http.Request, names ...string) ([]int64, error) {
	out := make([]int64, len(names))
	for i, name := range names {
		n, err := number(r.URL.Query().Get(name))
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

func view(k keydb.Key) Key {
	return Key{ID: k.ID, RequestID: k.RequestID, CUID: k.CUID.String(), UserID: k.UserID,
		Type: string(k.Type), Bits: k.Bits, Usages: k.Usages, PublicKey: k.PublicKey,
		Caller: k.Caller, Created: k.Created}
}

func (h *handler) viewRequest(q approval.Request) Request {
	rule := h.agents.Rule()
	return Request{Request: q, Now: q.At(rule, h.now()), Need: rule.Need}
}

func (h *handler) keys(ctx context.Context, agent string, r *http.Request) (any, error) {
	n, err := numbers(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	f := keydb.KeyFilter{UserID: r.URL.Query().Get("user"), After: n[0], Limit: int(n[1])}
	if cuid := r.URL.Query().Get("cuid"); cuid != "" {
		if f.CUID, err = keys.ParseCUID(cuid); err != nil {
			return nil, errForm
		}
	}
	found, err := h.agents.Keys(ctx, agent, f)
	out := make([]Key, 0, len(found))
	for _, k := range found {
		out = append(out, view(k))
	}
	return out, err
}

func (h *handler) key(ctx context.Context, agent string, r *http.Request) (any, error) {
	id, err := number(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	k, err := h.agents.Key(ctx, agent, id)
	return view(k), err
}

func (h *handler) requests(ctx context.Context, agent string, r *http.Request) (any, error) {
	n, err := numbers(r, "key", "before", "limit")
	if err != nil {
		return nil, err
	}
	found, err := h.agents.Requests(ctx, agent,
		keydb.RequestFilter{KeyID: n[0], Before: n[1], Limit: int(n[2])})
	out := make([]Request, 0, len(found))
	for _, q := range found {
		out = append(out, h.viewRequest(q))
	}
	return out, err
}

func (h *handler) request(ctx context.Context, agent string, r *http.Request) (any, error) {
	id, err := number(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	q, err := h.agents.Request(ctx, agent, id)
	return h.viewRequest(q), err
}

func (h *handler) makeRequest(ctx context.Context, agent string, r *http.Request) (any, error) {
	var in New
	if err := read(r, &in); err != nil {
		return nil, err
	}
	q, err := h.agents.Make(ctx, agent, approval.Request{KeyID: in.KeyID, Purpose: in.Purpose,
		User: in.User, Reason: in.Reason})
	return h.viewRequest(q), err
}

func (h *handler) vote(approve bool) func(context.Context, string, *http.Request) (any, error) {
	return func(ctx context.Context, agent string, r *http.Request) (any, error) {
		id, err := number(r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		q, err := h.agents.Vote(ctx, agent, id, approve)
		return h.viewRequest(q), err
	}
}

func (h *handler) cancel(ctx context.Context, agent string, r *http.Request) (any, error) {
	id, err := number(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	q, err := h.agents.Cancel(ctx, agent, id)
	return h.viewRequest(q), err
}

func (h *handler) fulfil(ctx context.Context, agent string, r *http.Request) (any, error) {
	id, err := number(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var in passphrase
	if err := read(r, &in); err != nil {
		return nil, err
	}
	out, err := h.agents.Fulfil(ctx, agent, id, in.Passphrase)
	return Fulfilled{Request: h.viewRequest(out.Request), Key: string(out.Key)}, err
}

func (h *handler) events(ctx context.Context, agent string, r *http.Request) (any, error) {
	n, err := numbers(r, "key", "after", "limit")
	if err != nil {
		return nil, err
	}
	return h.agents.Events(ctx, agent, keydb.EventFilter{KeyID: n[0], After: n[1], Limit: int(n[2])})
}

func (h *handler) verify(ctx context.Context, agent string, _ *http.Request) (any, error) {
	last, err := h.agents.Verify(ctx, agent)
	if errors.Is(err, keydb.ErrChain) {
		return Verified{Last: last, Error: err.Error()}, nil
	}
	return Verified{OK: err == nil, Last: last}, err
}
