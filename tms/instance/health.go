package instance

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/tps/contact"
)

// PathHealth is where every listener says how its subsystem is: 200 when it can do its work, 503
// when it can't. The answer is JSON and holds nothing secret.
const PathHealth = "/healthz"

// healthAge is how long an answer about other systems is given again without asking them, so
// that whoever asks often costs nobody much.
const healthAge = 2 * time.Second

// healthTimeout bounds one look at other systems.
const healthTimeout = 10 * time.Second

// Health is what PathHealth answers.
type Health struct {
	Subsystem string `json:"subsystem"`
	Status    string `json:"status"` // "ok" or "failed"
	// Needs are what the subsystem leans on: "ok", or a word on what is wrong.
	Needs map[string]string `json:"needs,omitempty"`
}

// withHealth puts the health page before a subsystem's handler.
func withHealth(h http.Handler, name string,
	check func(context.Context) (map[string]string, error),
) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET "+PathHealth, func(w http.ResponseWriter, r *http.Request) {
		needs, err := check(r.Context())
		answer, code := Health{Subsystem: name, Status: "ok", Needs: needs}, http.StatusOK
		if err != nil {
			answer.Status, code = "failed", http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(answer)
	})
	return mux
}

// tpsCheck looks at what a TPS leans on.
type tpsCheck struct {
	store      store.Store
	connectors map[string]contact.TKS
	now        func() time.Time

	mu    sync.Mutex
	at    time.Time
	needs map[string]string
	err   error
}

func newTPSCheck(s store.Store, connectors map[string]contact.TKS) *tpsCheck {
	return &tpsCheck{store: s, connectors: connectors, now: time.Now}
}

// run asks the store for one record and every TKS for random numbers, at most every healthAge.
func (c *tpsCheck) run(ctx context.Context) (map[string]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.needs != nil && c.now().Sub(c.at) < healthAge {
		return c.needs, c.err
	}
	// The answer is for others too: it must not depend on this caller's patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	needs := map[string]string{}
	c.err = nil
	note := func(name, bad string, err error) {
		needs[name] = "ok"
		if err != nil {
			needs[name], c.err = bad, err
		}
	}
	_, err := c.store.Tokens(ctx, store.TokenQuery{Limit: 1})
	note("store", "token database does not answer", err)
	for id, t := range c.connectors {
		_, err := t.ComputeRandomData(ctx, 8)
		note(id, "token key service does not answer", err)
	}
	c.needs, c.at = needs, c.now()
	return needs, c.err
}
