package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Running is a program that goes on until Stop.
type Running struct {
	call   Call
	cmd    *exec.Cmd
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of waiting; read after done
	out    locked
}

// Start starts a program that goes on in the background. Its time limit counts, too.
func Start(ctx context.Context, c Call) (*Running, error) {
	path, err := Find(c.Name)
	if err != nil {
		return nil, err
	}
	if c.Limit == 0 {
		c.Limit = limit
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Limit)
	r := &Running{call: c, cancel: cancel, done: make(chan struct{})}
	r.cmd = exec.CommandContext(ctx, path, c.Args...)
	r.cmd.Dir, r.cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	group(r.cmd)
	r.cmd.WaitDelay = killDelay
	if err := r.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	return r, nil
}

// Output is what the program has written so far, to both of its streams.
func (r *Running) Output() string { return r.out.String() }

// Ended tells whether the program has ended of its own accord, and how.
func (r *Running) Ended() error {
	select {
	case <-r.done:
		return fmt.Errorf("%s has ended: %w\n%s", r.call.Name, errors.Join(r.err), r.Output())
	default:
		return nil
	}
}

// Await polls what the program has written until ok is content with it.
func (r *Running) Await(ctx context.Context, what string, ok func(output string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok(r.Output()) {
			return nil
		}
		select {
		case <-r.done:
			return fmt.Errorf("waiting for %s: %s has ended: %w\n%s", what, r.call.Name,
				errors.Join(r.err), r.Output())
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w\n%s", what, ErrTooLong, r.Output())
		case <-tick.C:
		}
	}
}

// Stop ends the program. It may be called more than once.
func (r *Running) Stop() error {
	r.cancel()
	<-r.done
	return nil
}

// locked is a keep that can be read while it is written.
type locked struct {
	mu sync.Mutex
	k  keep
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.k.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.k.b)
}
