package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Limits of a program that says nothing else.
const (
	limit     = 30 * time.Second
	maxOutput = 1 << 20 // bytes that are kept of each stream
	killDelay = 2 * time.Second
)

// ErrTooLong means that a program was killed because it did not end in time.
var ErrTooLong = errors.New("the program did not end in time")

// Call is a program to run and what it is given.
type Call struct {
	Name  string   // what Find takes
	Args  []string // not secret, but for test PINs
	Dir   string   // working directory; empty is ours
	Env   []string // added to ours, as NAME=VALUE
	Stdin []byte
	Limit time.Duration // zero is 30 s
}

// Result is what became of a program that was run.
type Result struct {
	Call   Call
	Code   int // exit code; -1 when a signal ended it
	Stdout []byte
	Stderr []byte
}

// Run runs a program to its end. A program that reports failure is no error here; Err tells.
func Run(ctx context.Context, c Call) (*Result, error) {
	path, err := Find(c.Name)
	if err != nil {
		return nil, err
	}
	if c.Limit == 0 {
		c.Limit = limit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Limit, ErrTooLong)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.Dir, append(os.Environ(), c.Env...), bytes.NewReader(c.Stdin)
	stdout, stderr := &keep{}, &keep{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	group(cmd)
	cmd.WaitDelay = killDelay
	err = cmd.Run()
	r := &Result{Call: c, Stdout: stdout.b, Stderr: stderr.b}
	if cmd.ProcessState != nil {
		r.Code = cmd.ProcessState.ExitCode()
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, fmt.Errorf("%w\n%s", context.Cause(ctx), r)
	case err != nil && !errors.As(err, &exit):
		return r, fmt.Errorf("running %s: %w", c.Name, err)
	}
	return r, nil
}

// Err is nil when the program reported success, else an error with all that it said.
func (r *Result) Err() error {
	if r.Code == 0 {
		return nil
	}
	return fmt.Errorf("%s reports failure (exit code %d)\n%s", r.Call.Name, r.Code, r)
}

// Output is what the program wrote to both of its streams.
func (r *Result) Output() string { return string(r.Stdout) + string(r.Stderr) }

// String is the command line and what the program wrote.
func (r *Result) String() string {
	return "$ " + r.Call.Name + " " + strings.Join(r.Call.Args, " ") + "\n" + strings.TrimSpace(r.Output())
}

// keep is a writer that takes everything and keeps the beginning.
type keep struct{ b []byte }

func (k *keep) Write(p []byte) (int, error) {
	k.b = append(k.b, p[:min(len(p), maxOutput-len(k.b))]...)
	return len(p), nil
}
