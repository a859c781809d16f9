package tpsadmin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"tokenwright/tms/admin"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

type handler struct{ Options }

// Routes are what can be asked for. Everybody who is known may look; the state and the record of a
// token are the agents' to change, and tokens the administrators' to add and to delete.
func Routes(o Options) []admin.Route {
	h := &handler{Options: o}
	if h.Labels == nil {
		h.Labels = func() token.Labels { return token.Labels{} }
	}
	look := admin.Roles()
	agent, administrator := []admin.Role{admin.Agent}, []admin.Role{admin.Administrator}
	all := []admin.Route{
		{Method: "GET", Path: "/account/login", Do: h.login},
		{Method: "GET", Path: "/account/logout", Do: h.logout},
		{Method: "GET", Path: "/tokens", Roles: look, Do: h.tokens},
		{Method: "POST", Path: "/tokens", Roles: administrator, Do: h.add},
		{Method: "GET", Path: "/tokens/{id}", Roles: look, Do: h.token},
		{Method: "PUT", Path: "/tokens/{id}", Roles: agent, Do: h.replace},
		{Method: "PATCH", Path: "/tokens/{id}", Roles: agent, Do: h.modify},
		{Method: "POST", Path: "/tokens/{id}", Roles: agent, Do: h.changeState},
		{Method: "DELETE", Path: "/tokens/{id}", Roles: administrator, Do: h.remove},
		{Method: "GET", Path: "/activities", Roles: look, Do: h.activities},
		{Method: "GET", Path: "/activities/{id}", Roles: look, Do: h.activity},
		{Method: "GET", Path: "/certs", Roles: look, Do: h.certs},
		{Method: "GET", Path: "/certs/{id}", Roles: look, Do: h.cert},
	}
	var out []admin.Route
	for _, prefix := range Prefixes() {
		for _, r := range all {
			r.Path = prefix + r.Path
			out = append(out, r)
		}
	}
	return out
}

// roleNames are the groups of Dogtag that the roles stand for.
var roleNames = map[admin.Role]string{
	admin.Administrator: "Administrators", admin.Agent: "TPS Agents", admin.Operator: "TPS Operators",
}

// login answers who asks. There are no sessions: every request is known by itself.
func (h *handler) login(_ context.Context, r *admin.Request) (any, error) {
	out := Account{ID: r.Caller.Name, Roles: []string{}}
	for _, role := range admin.Roles() {
		if r.Caller.Has(role) {
			out.Roles = append(out.Roles, roleNames[role])
		}
	}
	return out, nil
}

func (h *handler) logout(context.Context, *admin.Request) (any, error) { return nil, nil }

// asked makes an error of the store one for the caller, where it is theirs.
func asked(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return &admin.Error{Status: http.StatusNotFound, Message: what + " is not known", Cause: err}
	case errors.Is(err, store.ErrInvalid):
		return &admin.Error{Status: http.StatusBadRequest, Message: "the question makes no sense",
			Cause: err}
	}
	return err
}

// actor is who asks for a change, and why.
func actor(r *admin.Request) (Actor, error) {
	why := r.Reason()
	if len(why) > maxReason || token.CleanMessage(why) != why {
		return Actor{}, admin.BadRequest("reason must be text of %d bytes at most", maxReason)
	}
	return Actor{Name: r.Caller.Name, Why: why, Address: r.Caller.Address}, nil
}

// activities lists the activity log, the latest first.
func (h *handler) activities(ctx context.Context, r *admin.Request) (any, error) {
	p, err := readParams(r.URL.Query())
	if err != nil {
		return nil, err
	}
	q, err := activityQuery(p)
	if err != nil {
		return nil, err
	}
	return collect(ctx, p, func(ctx context.Context, after store.Cursor, limit int) (
		[]token.Activity, store.Cursor, error,
	) {
		q.After, q.Limit = after, limit
		got, err := h.Records.Activities(ctx, q)
		return got.Activities, got.Next, asked(err, "activity")
	}, viewActivity)
}

func activityQuery(p params) (q store.ActivityQuery, err error) {
	q.UserID, q.Session = p.Get("userID"), p.Get("session")
	if text := p.Get("tokenID"); text != "" {
		if q.CUID, err = parseCUID(text); err != nil {
			return q, admin.BadRequest("tokenID: %v", err)
		}
	}
	if text := p.Get("operation"); text != "" {
		if q.Op, err = token.ParseOp(text); err != nil {
			return q, admin.BadRequest("operation: %v", err)
		}
	}
	if text := p.Get("result"); text != "" {
		if q.Result, err = token.ParseResult(text); err != nil {
			return q, admin.BadRequest("result: %v", err)
		}
	}
	if f := p.Get("filter"); f != "" {
		filterActivities(&q, strings.Trim(f, "*"))
	}
	q.From, q.Until, err = p.times()
	return q, err
}

// filterActivities takes the one word of Dogtag's clients for what it can be: a token, an operation,
// else a user.
func filterActivities(q *store.ActivityQuery, word string) {
	if cuid, err := parseCUID(word); err == nil {
		q.CUID = cuid
		return
	}
	if op, err := token.ParseOp(word); err == nil {
		q.Op = op
		return
	}
	q.UserID = word
}

func (h *handler) activity(ctx context.Context, r *admin.Request) (any, error) {
	at, id, ok := parseActivityID(r.PathValue("id"))
	if !ok {
		return nil, admin.NotFound("activity is not known")
	}
	q := store.ActivityQuery{From: at, Until: at.Add(1), Limit: store.MaxLimit}
	got, err := h.Records.Activities(ctx, q)
	if err != nil {
		return nil, asked(err, "activity")
	}
	for _, a := range got.Activities {
		if a.ID == id {
			return viewActivity(a), nil
		}
	}
	return nil, admin.NotFound("activity is not known")
}

// certs lists certificate records of one token, one user or all, the oldest first.
func (h *handler) certs(ctx context.Context, r *admin.Request) (any, error) {
	p, err := readParams(r.URL.Query())
	if err != nil {
		return nil, err
	}
	q := store.CertQuery{UserID: p.Get("userID")}
	text := p.Get("tokenID")
	if text == "" {
		text = strings.Trim(p.Get("filter"), "*")
	}
	if text != "" {
		if q.CUID, err = parseCUID(text); err != nil && p.Get("tokenID") != "" {
			return nil, admin.BadRequest("tokenID: %v", err)
		}
		if err != nil { // no card's: a user's, which is found without looking through all
			q.UserID = text
		}
	}
	return collect(ctx, p, func(ctx context.Context, after store.Cursor, limit int) (
		[]token.Certificate, store.Cursor, error,
	) {
		q.After, q.Limit = after, limit
		got, err := h.Records.Certificates(ctx, q)
		return got.Certificates, got.Next, asked(err, "certificate")
	}, viewCertificate)
}

func (h *handler) cert(ctx context.Context, r *admin.Request) (any, error) {
	serial, id, _ := strings.Cut(r.PathValue("id"), ".")
	cuid, err := parseCUID(id)
	if err != nil {
		return nil, admin.NotFound("certificate is not known")
	}
	got, err := h.Records.Certificates(ctx, store.CertQuery{CUID: cuid, Serial: serial, Limit: 1})
	if err != nil {
		return nil, asked(err, "certificate")
	}
	if len(got.Certificates) == 0 {
		return nil, admin.NotFound("certificate is not known")
	}
	return viewCertificate(got.Certificates[0]), nil
}
