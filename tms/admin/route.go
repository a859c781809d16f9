package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Route is one thing that can be asked for.
type Route struct {
	// Method and Path are as http.ServeMux has them: "GET", "/tps/rest/tokens/{id}".
	Method string
	Path   string
	// Roles are those that may ask; any one suffices. None means everybody who is known.
	Roles []Role
	// Do answers. The context ends with the time limit of the route; what it returns is sent as
	// JSON, nil as an empty answer. Errors other than [*Error] are told to the log only.
	Do func(ctx context.Context, r *Request) (any, error)
	// Timeout bounds Do; 0 means nine seconds for GET and a minute for everything else.
	Timeout time.Duration
}

// Request is a request of somebody who may make it.
type Request struct {
	*http.Request
	Caller Caller
}

// Read reads the body, one JSON value. Names that v does not have are passed over, as clients of
// other versions send more.
func (r *Request) Read(v any) error {
	d := json.NewDecoder(r.Body)
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("more than one value")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Errorf(http.StatusRequestEntityTooLarge, "more than %d bytes", maxRequestBytes)
	}
	if err != nil {
		return &Error{Status: http.StatusBadRequest, Message: "the body is not the JSON that is wanted",
			Cause: err}
	}
	return nil
}

// Reason gives why a change is asked for, the query parameter "reason"; clients of Dogtag state
// none.
func (r *Request) Reason() string { return strings.TrimSpace(r.URL.Query().Get("reason")) }

// Handler serves routes to those of users who have the roles. log gets a line for every request
// that changes something or is refused.
func Handler(users *Users, log *slog.Logger, routes ...Route) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	for _, route := range routes {
		s := &service{users: users, log: log, Route: route}
		mux.Handle(route.Method+" "+route.Path, s)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
	})
	return mux
}

// service is a route with what stands before it.
type service struct {
	users *Users
	log   *slog.Logger
	Route
}

// ServeHTTP asks who it is and what they may do before anything is read of the request.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, ok := s.users.Identify(r)
	log := s.log.With("actor", who.Name, "method", r.Method, "path", r.URL.Path)
	switch {
	case !ok:
		log.Warn("administration refused: unknown", "remote", r.RemoteAddr)
		writeError(w, http.StatusUnauthorized, "nobody is listed for this certificate or account")
		return
	case len(s.Roles) > 0 && !who.Has(s.Roles...):
		log.Warn("administration refused: role is missing", "roles", who.Roles, "needs", s.Roles)
		writeError(w, http.StatusForbidden, who.Name+" may not do this: it is for "+words(s.Roles))
		return
	}
	if err := checkBody(w, r); err != nil {
		writeError(w, StatusOf(err), err.Error())
		return
	}
	limit := s.Timeout
	if limit == 0 && r.Method == http.MethodGet {
		limit = readTimeout
	} else if limit == 0 {
		limit = changeTimeout
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	out, err := s.Do(ctx, &Request{Request: r, Caller: who})
	if err != nil && StatusOf(err) == 0 && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err) // not every home of records says so
	}
	s.answer(w, r, log, out, err)
}

// answer writes what came of a request, to the caller and to the log.
func (s *service) answer(w http.ResponseWriter, r *http.Request, log *slog.Logger, out any, err error) {
	if err == nil {
		if r.Method != http.MethodGet {
			log.Info("administration done", "query", r.URL.RawQuery)
		}
		write(w, http.StatusOK, out)
		return
	}
	status, message := http.StatusInternalServerError, "the server failed; its log says why"
	if e, ok := errors.AsType[*Error](err); ok {
		status, message = e.Status, e.Message
	} else if errors.Is(err, context.DeadlineExceeded) {
		status, message = http.StatusServiceUnavailable, "it took too long; ask for less"
	}
	log.Warn("administration failed", "query", r.URL.RawQuery, "status", status, "err", err)
	writeError(w, status, message)
}

// checkBody bounds the body and wants JSON of it. A page of a browser that holds somebody's
// certificate can't send that across sites, and a request that names another site is refused.
func checkBody(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet {
		return nil
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		return &Error{Status: http.StatusForbidden, Cause: err,
			Message: "a page of another site may not ask for changes"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
	if r.ContentLength == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != jsonType {
		return Errorf(http.StatusUnsupportedMediaType, "the body must be "+jsonType)
	}
	return nil
}

func words(roles []Role) string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return strings.Join(out, " or ")
}

func writeError(w http.ResponseWriter, status int, message string) {
	write(w, status, failure{ClassName: classOf(status), Code: status, Message: message})
}

func write(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"Code":500}`)
	}
	h.Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, string(text)+"\n") // the peer's absence shows on its side
}
