package tpsadmin

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"tokenwright/tms/admin"
	"tokenwright/tms/store"
)

// params are the parameters of a list.
type params struct {
	url.Values
	start, size int
	after       store.Cursor
	ours        bool // "after" is there, if empty: the caller understands "next"
}

func readParams(v url.Values) (params, error) {
	p := params{Values: v, size: defaultSize, after: store.Cursor(v.Get("after")), ours: v.Has("after")}
	for name, to := range map[string]*int{"start": &p.start, "size": &p.size, "pageSize": &p.size} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return p, admin.BadRequest("%s must be a number", name)
		}
		*to = n
	}
	p.size = max(1, min(p.size, maxSize))
	switch {
	case p.start > maxStart:
		return p, admin.BadRequest("start is at most %d: narrow the list, or go on with after", maxStart)
	case p.start > 0 && p.after != "":
		return p, admin.BadRequest("either start or after")
	}
	if f := v.Get("filter"); f != "" && len(f) < minFilter {
		return p, admin.BadRequest("filter must have %d characters at least", minFilter)
	}
	return p, nil
}

// times reads the bounds of a time, from inclusive and until exclusive: days, or instants as RFC 3339
// has them. A day is one of the server's.
func (p params) times() (from, until time.Time, err error) {
	for name, to := range map[string]*time.Time{"from": &from, "until": &until} {
		text := p.Get(name)
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			if t, err = time.ParseInLocation(time.DateOnly, text, time.Local); err != nil {
				return from, until, admin.BadRequest("%s must be a day (2006-01-02) or an instant "+
					"(2006-01-02T15:04:05Z)", name)
			}
		}
		*to = t
	}
	return from, until, nil
}

// collect asks for the page that the parameters mean. With start, what comes before is passed over:
// what can be asked for that way is bounded.
func collect[T, V any](ctx context.Context, p params,
	ask func(ctx context.Context, after store.Cursor, limit int) ([]T, store.Cursor, error),
	view func(T) V,
) (Page[V], error) {
	skip, at := p.start, p.after
	for skip > 0 {
		n := min(skip, store.MaxLimit)
		list, next, err := ask(ctx, at, n)
		if err != nil {
			return Page[V]{}, err
		}
		skip -= len(list)
		if at = next; at == "" {
			return page[T, V](p, nil, "", view), nil
		}
	}
	list, next, err := ask(ctx, at, p.size)
	if err != nil {
		return Page[V]{}, err
	}
	return page(p, list, next, view), nil
}

func page[T, V any](p params, list []T, next store.Cursor, view func(T) V) Page[V] {
	out := Page[V]{Total: p.start + len(list), Entries: make([]V, 0, len(list)), Links: []V{}}
	for _, item := range list {
		out.Entries = append(out.Entries, view(item))
	}
	if next != "" {
		out.Total++
	}
	if p.ours {
		text := string(next)
		out.Next = &text
	}
	return out
}
