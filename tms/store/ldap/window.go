package ldap

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Bounds of windows.
const (
	firstWidth  = time.Hour
	leastWidth  = time.Millisecond
	mostWidth   = 100 * 365 * 24 * time.Hour
	mostForgets = 1000 // lists remembered
	askAgain    = 200  // lists after which a big one is tried as a whole again
)

// The times that can be written.
var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	endOfTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// units are how long the cuts are, about.
var units = []time.Duration{
	mostWidth, mostWidth / 10, 365 * 24 * time.Hour, 30 * 24 * time.Hour, 24 * time.Hour, time.Hour,
	time.Minute, time.Second, time.Second / 10, time.Millisecond,
}

// after is the end of the unit of a cut that begins at t.
func after(t time.Time, cut int) time.Time {
	switch cut {
	case 0:
		return t.AddDate(100, 0, 0)
	case 1:
		return t.AddDate(10, 0, 0)
	case 2:
		return t.AddDate(1, 0, 0)
	case 3:
		return t.AddDate(0, 1, 0)
	}
	return t.Add(units[cut])
}

// floor is the begin of the unit of a cut that t is in.
func floor(t time.Time, cut int) time.Time {
	const begin = "00000101000000000000000"
	text := exact(t)[:cuts[cut]]
	out, err := parseExact(text + begin[len(text):])
	if err != nil {
		return firstTime
	}
	return out
}

// cover gives the beginnings of all times from low to high, or a little beyond: not finer than a
// window of that width needs.
func cover(low, high time.Time, width time.Duration) (out []string) {
	fine := len(cuts) - 1
	for i, u := range units {
		if u <= width/8 {
			fine = i
			break
		}
	}
	low = floor(low, fine)
	if high.Before(endOfTime) {
		if down := floor(high, fine); down.Before(high) {
			high = after(down, fine)
		}
	}
	for t := low; t.Before(high); {
		cut := fine
		for i := range fine {
			if floor(t, i).Equal(t) && !after(t, i).After(high) {
				cut = i
				break
			}
		}
		out = append(out, exact(t)[:cuts[cut]])
		t = after(t, cut)
	}
	return out
}

// windows goes through time, in the order of the list, in steps that bring enough entries and not too
// many.
func (w *walk[T]) windows(ctx context.Context) error {
	low, high := w.bounds()
	known := w.store.memory.get(w.key)
	edge, err := w.edge(ctx, low, high, known.edge)
	if err != nil || edge.IsZero() {
		return err
	}
	width := max(known.width, leastWidth)
	if known.width == 0 {
		width = firstWidth
	}
	for full := 0; ; {
		from, to := w.window(low, high, edge, width)
		n, all, err := w.step(ctx, from, to, width)
		switch {
		case err != nil:
			return err
		case !all:
			if full++; full == 3 { // much has come since the edge was remembered
				if edge, err = w.edge(ctx, low, high, time.Time{}); err != nil {
					return err
				}
			}
			width = max(width/time.Duration(min(1<<full, 64)), leastWidth)
			continue
		case len(w.got) >= w.need:
			w.remember()
			return nil
		case w.newest && !from.After(low), !w.newest && !to.Before(high):
			return nil
		}
		if w.newest {
			high, edge = from, from
		} else {
			low, edge = to, to
		}
		width, full = w.wider(width, n), 0
	}
}

// window is the next one: from the edge as far as it is wide, and everything on the near side of it.
func (w *walk[T]) window(low, high, edge time.Time, width time.Duration) (from, to time.Time) {
	if w.newest {
		if from = edge.Add(-width); from.Before(low) || width >= mostWidth {
			from = low
		}
		return from, high
	}
	if to = edge.Add(width); to.After(high) || width >= mostWidth {
		to = high
	}
	return low, to
}

// wider guesses the width that brings what is missing, from one that brought n.
func (w *walk[T]) wider(width time.Duration, n int) time.Duration {
	factor := int64(8)
	if n > 0 {
		factor = min(factor, int64((w.need-len(w.got))/n+2))
	}
	if int64(width) > int64(mostWidth)/factor {
		return mostWidth
	}
	return time.Duration(int64(width) * factor)
}

// step takes what is in a window; all is false when that is too much, unless the window can't be any
// smaller.
func (w *walk[T]) step(ctx context.Context, from, to time.Time, width time.Duration) (
	n int, all bool, err error,
) {
	what := w.starting(cover(from, to, width)...)
	entries, full, err := w.store.pool.find(ctx, w.question(what, w.limit))
	if err == nil && full && width <= leastWidth {
		full = false
		entries, err = w.store.pool.all(ctx, w.question(what, 0), mostRead)
	}
	if err != nil || full {
		return 0, false, err
	}
	before := len(w.got)
	w.takeBetween(entries, exact(from), bound(to))
	return len(w.got) - before, true, nil
}

// bounds are the times that are asked for.
func (w *walk[T]) bounds() (low, high time.Time) {
	low, high = firstTime, endOfTime
	at := func(place string) (time.Time, bool) {
		if len(place) < exactDigits {
			return time.Time{}, false
		}
		t, err := parseExact(place[:exactDigits])
		return t, err == nil
	}
	if t, ok := at(w.from); ok {
		low = t
	}
	if t, ok := at(w.until); ok {
		high = t
	}
	if t, ok := at(w.after); ok && w.newest {
		high = earlier(high, t.Add(1))
	} else if ok && t.After(low) {
		low = t
	}
	return low, high
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// edge is where the entries begin, seen from where the list begins: a bound, what was remembered, or
// what the beginnings of times lead to. Zero: there are none.
func (w *walk[T]) edge(ctx context.Context, low, high, known time.Time) (time.Time, error) {
	switch {
	case w.newest && high.Before(endOfTime):
		return high, nil
	case !w.newest && low.After(firstTime):
		return low, nil
	case !known.IsZero():
		return known, nil
	}
	beginning := ""
	for len(beginning) < cuts[len(cuts)-1] {
		next := finer(beginning)
		if w.newest {
			slices.Reverse(next)
		}
		at, err := w.firstFilled(ctx, next)
		if err != nil || at < 0 {
			return time.Time{}, err
		}
		beginning = next[at]
	}
	t, err := parseExact(beginning + "000000")
	if w.newest {
		t = t.Add(time.Millisecond)
	}
	return t, err
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

// remember keeps how wide a window would have brought just enough, and where the first item was.
func (w *walk[T]) remember() {
	w.sort(w.got)
	first, err1 := parseExact(w.got[0].place[:exactDigits])
	last, err2 := parseExact(w.got[w.need-1].place[:exactDigits])
	if err1 != nil || err2 != nil {
		return
	}
	span := last.Sub(first).Abs()
	h := hint{width: span + span/8 + leastWidth}
	if w.after == "" && w.until == "" && w.newest {
		h.edge = first.Add(1)
	}
	if w.after == "" && w.from == "" && !w.newest {
		h.edge = first
	}
	w.store.memory.set(w.key, h)
}

// hint is what helped with a list the last time.
type hint struct {
	width time.Duration
	edge  time.Time
	asked int // since the list was last tried as a whole
}

// memory keeps hints. They make lists quicker and never wrong.
type memory struct {
	mu    sync.Mutex
	hints map[string]hint
}

func (m *memory) get(key string) hint {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hints[key]
}

func (m *memory) set(key string, h hint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.hints[key]; h.edge.IsZero() {
		h.edge = old.edge
	}
	h.asked = m.hints[key].asked
	m.hints[key] = h
}

// isBig says that a list was too much as a whole, not long ago.
func (m *memory) isBig(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.hints[key]
	if h.asked++; !ok || h.asked > askAgain {
		return false
	}
	m.hints[key] = h
	return true
}

func (m *memory) big(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.hints) >= mostForgets || m.hints == nil {
		m.hints = map[string]hint{}
	}
	h := m.hints[key]
	if h.asked > askAgain {
		h.asked = 0
	}
	m.hints[key] = h
}
