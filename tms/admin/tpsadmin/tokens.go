package tpsadmin

import (
	"context"
	"fmt"
	"strings"

	"tokenwright/tms/admin"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// tokens lists token records, the latest modified first.
func (h *handler) tokens(ctx context.Context, r *admin.Request) (any, error) {
	p, err := readParams(r.URL.Query())
	if err != nil {
		return nil, err
	}
	labels := h.Labels()
	view := func(r token.Record) Token { return h.view(r, labels) }
	cuid, one, err := wanted(p)
	if err != nil {
		return nil, err
	}
	if one { // there is one at most
		rec, err := h.Records.Token(ctx, cuid)
		if err = asked(err, "token"); admin.StatusOf(err) == 404 {
			return page(p, nil, "", view), nil
		}
		if err != nil {
			return nil, err
		}
		return page(p, []token.Record{rec}, "", view), nil
	}
	q, err := tokenQuery(p)
	if err != nil {
		return nil, err
	}
	return collect(ctx, p, func(ctx context.Context, after store.Cursor, limit int) (
		[]token.Record, store.Cursor, error,
	) {
		q.After, q.Limit = after, limit
		got, err := h.Records.Tokens(ctx, q)
		return got.Tokens, got.Next, asked(err, "token")
	}, view)
}

// wanted tells the token that is asked for by its id.
func wanted(p params) (cuid keys.CUID, ok bool, err error) {
	if text := p.Get("tokenID"); text != "" {
		if cuid, err = parseCUID(text); err != nil {
			return cuid, false, admin.BadRequest("tokenID: %v", err)
		}
		return cuid, true, nil
	}
	cuid, err = parseCUID(strings.Trim(p.Get("filter"), "*"))
	return cuid, err == nil, nil
}

func tokenQuery(p params) (q store.TokenQuery, err error) {
	q.UserID, q.Type = p.Get("userID"), p.Get("type")
	if word := strings.Trim(p.Get("filter"), "*"); word != "" {
		q.UserID = word
	}
	for word := range strings.SplitSeq(p.Get("status"), ",") {
		if word == "" {
			continue
		}
		s, err := token.ParseState(word)
		if err != nil {
			return q, admin.BadRequest("status: %v", err)
		}
		q.Status = append(q.Status, s)
	}
	q.ModifiedFrom, q.ModifiedUntil, err = p.times()
	return q, err
}

// of reads the token that a path names.
func of(r *admin.Request) (keys.CUID, error) {
	cuid, err := parseCUID(r.PathValue("id"))
	if err != nil {
		return cuid, admin.BadRequest("token: %v", err)
	}
	return cuid, nil
}

func (h *handler) token(ctx context.Context, r *admin.Request) (any, error) {
	cuid, err := of(r)
	if err != nil {
		return nil, err
	}
	rec, err := h.Records.Token(ctx, cuid)
	if err != nil {
		return nil, asked(err, fmt.Sprintf("token %s", cuid))
	}
	return h.view(rec, h.Labels()), nil
}

// add records a card that nobody has seen yet.
func (h *handler) add(ctx context.Context, r *admin.Request) (any, error) {
	by, err := actor(r)
	if err != nil {
		return nil, err
	}
	var in Token
	if err := r.Read(&in); err != nil {
		return nil, err
	}
	cuid, err := parseCUID(in.TokenID)
	if err != nil {
		return nil, admin.BadRequest("TokenID: %v", err)
	}
	e, err := edit(in, false)
	if err != nil {
		return nil, err
	}
	return h.changed(h.Changes.Add(ctx, cuid, e, by))
}

// replace and modify change user and policy; the latter only as far as they are stated. With the
// parameter merge=true, rules that the policy does not state stay as well.
func (h *handler) replace(ctx context.Context, r *admin.Request) (any, error) {
	return h.change(ctx, r, true)
}

func (h *handler) modify(ctx context.Context, r *admin.Request) (any, error) {
	return h.change(ctx, r, false)
}

func (h *handler) change(ctx context.Context, r *admin.Request, whole bool) (any, error) {
	cuid, err := of(r)
	if err != nil {
		return nil, err
	}
	by, err := actor(r)
	if err != nil {
		return nil, err
	}
	var in Token
	if err := r.Read(&in); err != nil {
		return nil, err
	}
	e, err := edit(in, whole)
	if err != nil {
		return nil, err
	}
	e.Merge = !whole && r.URL.Query().Get("merge") == "true"
	return h.changed(h.Changes.Edit(ctx, cuid, e, by))
}

// edit reads what a record is to become. Unless it is meant whole, what is empty stays.
func edit(in Token, whole bool) (e Edit, err error) {
	if in.UserID != "" || whole {
		e.UserID = &in.UserID
	}
	if in.Policy != "" || whole {
		p, err := token.ParsePolicy(in.Policy)
		if err != nil {
			return e, admin.BadRequest("Policy: %v", err)
		}
		e.Policy = &p
	}
	return e, nil
}

// changeState moves a token to the state that the query names.
func (h *handler) changeState(ctx context.Context, r *admin.Request) (any, error) {
	cuid, err := of(r)
	if err != nil {
		return nil, err
	}
	by, err := actor(r)
	if err != nil {
		return nil, err
	}
	text := r.URL.Query().Get("status")
	if text == "" {
		return nil, admin.BadRequest("status: want the state to move to")
	}
	to, err := token.ParseState(text)
	if err != nil {
		return nil, admin.BadRequest("status: %v", err)
	}
	return h.changed(h.Changes.ChangeState(ctx, cuid, to, by))
}

func (h *handler) remove(ctx context.Context, r *admin.Request) (any, error) {
	cuid, err := of(r)
	if err != nil {
		return nil, err
	}
	by, err := actor(r)
	if err != nil {
		return nil, err
	}
	return nil, h.Changes.Delete(ctx, cuid, by)
}

// changed answers the record as it is now.
func (h *handler) changed(rec token.Record, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return h.view(rec, h.Labels()), nil
}
