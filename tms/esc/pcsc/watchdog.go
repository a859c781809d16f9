package pcsc

import (
	"context"
	"sync/atomic"
	"time"
)

// line lets calls through one at a time and stops waiting for one that takes too long. The calls
// are the library's, which can't be cancelled: one that was given up runs on, and the line stays
// dead, because what its card does is unknown.
type line struct {
	busy chan struct{} // holds a token while a call runs, given up or not
	dead atomic.Bool
}

func newLine() *line { return &line{busy: make(chan struct{}, 1)} }

// do runs f. Errors beside f's: ErrTimeout, the error of ctx, ErrAbandoned.
func (l *line) do(ctx context.Context, timeout time.Duration, f func() ([]byte, error),
) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	if l.dead.Load() {
		return nil, ErrAbandoned
	}
	select {
	case l.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if ctx.Err() != nil || l.dead.Load() {
		<-l.busy
		if l.dead.Load() {
			return nil, ErrAbandoned
		}
		return nil, context.Cause(ctx)
	}
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b, err := f()
		<-l.busy
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		l.dead.Store(true)
		return nil, context.Cause(ctx)
	}
}

// close runs f last, when the call in the line is over; it does not wait for one that was given up
// and returns ErrAbandoned then.
func (l *line) close(f func() error) error {
	if !l.dead.Swap(true) {
		l.busy <- struct{}{}
		return f()
	}
	go func() {
		l.busy <- struct{}{}
		_ = f() // nobody is left to tell
	}()
	return ErrAbandoned
}
