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
	w := walk[T]{list: l, store: s, need: size + 1, limit: max(2*(size+1), 64)}
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

// reaches says whether any place with this beginning can be asked for.
func (l list[T]) reaches(beginning string) bool {
	cut := func(text string) string { return text[:min(len(text), len(beginning))] }
	switch {
	case l.from != "" && beginning < cut(l.from), l.until != "" && beginning > cut(l.until):
		return false
	case l.after == "":
		return true
	case l.newest:
		return beginning <= cut(l.after)
	}
	return beginning >= cut(l.after)
}

// walk collects the first items of a list.
type walk[T any] struct {
	list[T]
	store *Store
	need  int // items
	limit int // entries that one question may bring
	got   []found[T]
}

// start asks for everything. When that is too much, the beginnings of times lead to what is asked
// for first, and what only Dogtag has written is sorted here.
func (w *walk[T]) start(ctx context.Context) ([]found[T], error) {
	all := append(slices.Clone(w.narrow), w.class)
	entries, full, err := w.store.pool.find(ctx, w.question(and(all...), w.limit))
	if err != nil {
		return nil, err
	}
	if !full {
		w.take(entries)
		return w.got, nil
	}
	if w.store.isForeign(w.place) {
		others := and(append(slices.Clone(w.narrow), w.class, not(w.ours))...)
		if w.store.bare {
			others = and(all...)
		}
		entries, err := w.store.pool.all(ctx, w.question(others, 0), mostRead)
		if err != nil {
			return nil, err
		}
		w.take(entries)
		w.sort(w.got)
		w.got = w.got[:min(len(w.got), w.need)]
		if w.store.bare {
			return w.got, nil
		}
	}
	foreign := w.got
	w.got = nil
	if err := w.below(ctx, ""); err != nil {
		return nil, err
	}
	return append(w.got, foreign...), nil
}

func (w *walk[T]) question(what filter, limit int) search {
	return search{w.place, ldap.ScopeSingleLevel, what, nil, limit}
}

// below goes through the finer beginnings within one, in the order of the list, until there is enough.
func (w *walk[T]) below(ctx context.Context, beginning string) error {
	if len(beginning) == cuts[len(cuts)-1] {
		entries, err := w.store.pool.all(ctx, w.question(w.starting(beginning), 0), mostRead)
		w.take(entries)
		return err
	}
	next := slices.DeleteFunc(finer(beginning), func(b string) bool { return !w.reaches(b) })
	if w.newest {
		slices.Reverse(next)
	}
	for len(next) > 0 && len(w.got) < w.need {
		at, err := w.firstFilled(ctx, next)
		if err != nil || at < 0 {
			return err
		}
		if err := w.into(ctx, next[at]); err != nil {
			return err
		}
		next = next[at+1:]
	}
	return nil
}

// into takes all entries of a beginning, or goes below when they are too many.
func (w *walk[T]) into(ctx context.Context, beginning string) error {
	entries, full, err := w.store.pool.find(ctx, w.question(w.starting(beginning), w.limit))
	if err != nil {
		return err
	}
	if full {
		return w.below(ctx, beginning)
	}
	w.take(entries)
	return nil
}

// starting matches the entries whose time starts with one of the beginnings.
func (w *walk[T]) starting(beginnings ...string) filter {
	times := make([]filter, len(beginnings))
	for i, b := range beginnings {
		times[i] = equals("tmsWhen", b)
	}
	return and(append([]filter{or(times...)}, w.narrow...)...)
}

// firstFilled finds the first beginning with entries, by halves; -1: there is none.
func (w *walk[T]) firstFilled(ctx context.Context, next []string) (int, error) {
	low, high := 0, len(next)
	if filled, err := w.filled(ctx, next); err != nil || !filled {
		return -1, err
	}
	for high-low > 1 { // it is in next[low:high]
		middle := (low + high) / 2
		filled, err := w.filled(ctx, next[low:middle])
		switch {
		case err != nil:
			return 0, err
		case filled:
			high = middle
		default:
			low = middle
		}
	}
	return low, nil
}

func (w *walk[T]) filled(ctx context.Context, next []string) (bool, error) {
	q := w.question(w.starting(next...), 1)
	q.attrs = []string{noAttributes}
	entries, full, err := w.store.pool.find(ctx, q)
	return full || len(entries) > 0, err
}

// take reads entries. One that can't be read is told of, and left out: a list does not fail because
// of one entry that somebody has spoilt.
func (w *walk[T]) take(entries []*ldap.Entry) {
	for _, e := range entries {
		item, place, keep, err := w.read(e)
		if err != nil {
			w.store.log.Warn("entry can't be read", "entry", e.DN, "error", err)
			continue
		}
		if keep && w.within(place) {
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
