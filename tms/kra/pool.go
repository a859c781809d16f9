package kra

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"
)

// retryAfter is how long the pool waits after a key could not be made.
const retryAfter = time.Second

// pool makes RSA keys in advance, in memory only, and hands each out once. Beside the keys that are
// ready, one of each size may wait for its place.
type pool struct {
	make  func(bits int) (*pair, error)
	log   *slog.Logger
	ready map[int]chan *pair // by size; the map does not change
	slots chan struct{}      // bounds how many are made in advance at once
	now   chan struct{}      // bounds how many are made while somebody waits
	quit  chan struct{}
	work  sync.WaitGroup
	once  sync.Once
}

// newPool starts making keys, by sizes in bits and how many of each are kept ready.
func newPool(sizes map[int]int, workers int, log *slog.Logger,
	make1 func(bits int) (*pair, error),
) *pool {
	p := &pool{make: make1, log: log, ready: map[int]chan *pair{},
		slots: make(chan struct{}, max(workers, 1)),
		now:   make(chan struct{}, runtime.GOMAXPROCS(0)), quit: make(chan struct{})}
	for bits, n := range sizes {
		if n > 0 {
			p.ready[bits] = make(chan *pair, n)
		}
	}
	for bits, ready := range p.ready {
		p.work.Go(func() { p.fill(bits, ready) })
	}
	return p
}

// fill keeps one size ready until the pool is closed.
func (p *pool) fill(bits int, ready chan<- *pair) {
	for {
		select {
		case p.slots <- struct{}{}:
		case <-p.quit:
			return
		}
		k, err := p.make(bits)
		<-p.slots
		if err != nil {
			p.log.Error("making a key in advance", "bits", bits, "error", err)
			select {
			case <-time.After(retryAfter):
				continue
			case <-p.quit:
				return
			}
		}
		select {
		case ready <- k:
		case <-p.quit:
			k.wipe()
			return
		}
	}
}

// take gives a key that is ready, and otherwise makes one, unless one becomes ready first.
func (p *pool) take(ctx context.Context, bits int) (*pair, error) {
	ready := p.ready[bits] // nil, from which nothing comes, for a size that is not kept
	select {
	case k := <-ready:
		return k, nil
	default:
	}
	select {
	case k := <-ready:
		return k, nil
	case p.now <- struct{}{}:
		defer func() { <-p.now }()
		return p.make(bits)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// depth tells how many keys of each size are ready.
func (p *pool) depth() map[int]int {
	out := map[int]int{}
	for bits, ready := range p.ready {
		out[bits] = len(ready)
	}
	return out
}

// close ends the making of keys and overwrites those that are ready. It waits for a key in the
// making. Nobody may take keys any more.
func (p *pool) close() {
	p.once.Do(func() {
		close(p.quit)
		p.work.Wait()
		for _, ready := range p.ready {
			close(ready)
			for k := range ready {
				k.wipe()
			}
		}
	})
}
