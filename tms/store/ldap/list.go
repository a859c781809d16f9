package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
)

// Limits of lists.
const (
	listLimit = 10 * time.Second
	mostRead  = 50_000 // entries read for one answer that no index can order
)

// list is a question with an answer in order: of time, and of names within an instant.
type list[T any] struct {
	place  name
	narrow []filter
	// class tells entries from others at the place, ours and Dogtag's.
	class filter
	// ours tells entries that carry beginnings of their time, for Dogtag's are the others.
	ours   filter
	newest bool // the latest first, else the oldest
	// from is inclusive, until exclusive, after too: beginnings of an item's place in the order, or
	// empty.
	from, until, after string
	// attrs are those to ask for.
	attrs []string
	// read gives an item with its place in the order; keep false leaves it out.
	read func(*ldap.Entry) (item T, place string, keep bool, err error)
}

// found is an item with its place in the order: exact time, dot, name.
type found[T any] struct {
	item  T
	place string
}

// run answers at most size items and whether there are more.
func (l list[T]) run(ctx context.Context, s *Store, size int) (_ []found[T], more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	w := walk[T]{list: l, store: s, need: size + 1, limit: max(2*(size+1), 100)}
	if w.got, err = w.start(ctx); err != nil {
		return nil, false, err
	}
	l.sort(w.got)
	if len(w.got) > size {
		return w.got[:size], true, nil
	}
	return w.got, false, nil
}

func (l list[T]) sort(all []found[T]) {
	slices.SortFunc(all, func(a, b found[T]) int {
		if l.newest {
			a, b = b, a
		}
		return strings.Compare(a.place, b.place)
	})
}

// within says whether a place in the order is asked for.
func (l list[T]) within(place string) bool {
	switch {
	case l.from != "" && place < l.from, l.until != "" && place >= l.until:
		return false
	case l.after == "":
		return true
	case l.newest:
		return place < l.after
	}
	return place > l.after
}

// walk collects the first items of a list.
type walk[T any] struct {
	list[T]
	store *Store
	need  int    // items
	limit int    // entries that one question may bring
	key   string // by which the store remembers what helped
	got   []found[T]
}

// start asks for everything. When that is too much, windows in time lead to what is asked for first,
// and what only Dogtag has written is sorted here.
func (w *walk[T]) start(ctx context.Context) ([]found[T], error) {
	all := append(slices.Clone(w.narrow), w.class)
	w.key = w.place.text + and(all...).text + fmt.Sprint(w.need)
	if !w.store.memory.isBig(w.key) {
		entries, full, err := w.store.pool.find(ctx, w.question(and(all...), w.limit))
		if err != nil {
			return nil, err
		}
		if !full {
			w.take(entries)
			return w.got, nil
		}
	}
	w.store.memory.big(w.key)
	if w.store.isForeign(w.place) {
		if err := w.takeForeign(ctx, all); err != nil || w.store.bare {
			return w.got, err
		}
	}
	foreign := w.got
	w.got = nil
	if err := w.windows(ctx); err != nil {
		return nil, err
	}
	return append(w.got, foreign...), nil
}

// takeForeign takes the first of what only Dogtag has written: all of it is read.
func (w *walk[T]) takeForeign(ctx context.Context, all []filter) error {
	what := and(append(slices.Clone(all), not(w.ours))...)
	if w.store.bare {
		what = and(all...)
	}
	entries, err := w.store.pool.all(ctx, w.question(what, 0), mostRead)
	if err != nil {
		return err
	}
	w.take(entries)
	w.sort(w.got)
	w.got = w.got[:min(len(w.got), w.need)]
	return nil
}

func (w *walk[T]) question(what filter, limit int) search {
	return search{w.place, ldap.ScopeSingleLevel, what, w.attrs, limit}
}

// starting matches the entries whose time starts with one of the beginnings.
func (w *walk[T]) starting(beginnings ...string) filter {
	times := make([]filter, len(beginnings))
	for i, b := range beginnings {
		times[i] = equals("tmsWhen", b)
	}
	return and(append([]filter{or(times...)}, w.narrow...)...)
}

// take reads entries. One that can't be read is told of, and left out: a list does not fail because
// of one entry that somebody has spoilt.
func (w *walk[T]) take(entries []*ldap.Entry) { w.takeBetween(entries, "", "") }

// takeBetween takes those from a place in the order on, and before another, if it is not empty.
func (w *walk[T]) takeBetween(entries []*ldap.Entry, from, until string) {
	for _, e := range entries {
		item, place, keep, err := w.read(e)
		if err != nil {
			w.store.log.Warn("entry can't be read", "entry", e.DN, "error", err)
			continue
		}
		if keep && w.within(place) && place >= from && (until == "" || place < until) {
			w.got = append(w.got, found[T]{item, place})
		}
	}
}

// placeOf is an item's place in the order.
func placeOf(at time.Time, name string) string { return exact(at) + "." + name }

// afterOf turns a cursor into a place in the order; ok tells whether its name is one of this list.
func afterOf(c store.Cursor, ok func(name string) bool) (string, error) {
	p, given, err := c.Position()
	if err != nil || !given {
		return "", err
	}
	if !ok(p.Key) || !inRange(p.At) {
		return "", fmt.Errorf("%w: cursor of another question", store.ErrInvalid)
	}
	return placeOf(p.At, p.Key), nil
}

// bound turns a time that a question is limited by into the beginning of places in the order.
func bound(t time.Time) string {
	if t.IsZero() || !inRange(t) {
		return ""
	}
	return exact(t)
}
