package lab

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"tokenwright/tms/ca"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/token"
)

// childEnv tells a process that it is a part of a system, and which.
const childEnv = "TOKENWRIGHT_LAB_CHILD"

// What parent and child say to each other, a line each. The child says that it is ready, then answers
// each question with one line, and has a last word when it kills itself.
const (
	childReady = "ready"
	childDying = "dying"
	childOK    = "ok"
	childError = "error"

	askFuse      = "fuse"      // n: die at the n-th failpoint from now; 0: at none
	askPassed    = "passed"    // how many failpoints were passed since
	askQuiet     = "quiet"     // answered when no session is under way
	askState     = "state"     // CUID and state: an agent changes the state of a token
	askReconcile = "reconcile" // look for what is left undone at authorities
)

// order is what a child is told at its start.
type order struct {
	Dir        string
	Subsystems []string
	Config     map[string]map[string]string
	Keys       string // where a KRA takes RSA keys from; "" makes them
	Fuse       int    // it kills itself at the n-th failpoint that it passes; 0: at none
	Kill       string // the failpoint at which it kills itself whenever it comes there
}

// IsChild says that this process was started to be a part of a system.
func IsChild() bool { return os.Getenv(childEnv) != "" }

// ChildMain is the main function of such a process.
func ChildMain() int {
	if err := serveChild(); err != nil {
		fmt.Fprintln(os.Stderr, "lab child:", err)
		return 1
	}
	return 0
}

func serveChild() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &o); err != nil {
		return err
	}
	f := &fuse{left: o.Fuse, at: o.Kill}
	opts := instance.Options{
		Subsystems: o.Subsystems, Override: o.Config, Failpoint: f.burn,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if o.Keys != "" {
		opts.RSA = keyStock{o.Keys}.next
	}
	inst, err := instance.Open(ctx, o.Dir, opts)
	if err != nil {
		return err
	}
	if err := inst.Listen(ctx); err != nil {
		return errors.Join(err, inst.Close())
	}
	fmt.Println(childReady)
	go func() {
		defer stop() // a parent that is gone needs no child
		listen(ctx, os.Stdin, inst, f)
	}()
	return errors.Join(inst.Serve(ctx), inst.Close())
}

// listen answers the parent until it has nothing more to say.
func listen(ctx context.Context, in io.Reader, inst *instance.Instance, f *fuse) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer, err := obey(ctx, strings.Fields(lines.Text()), inst, f)
		if err != nil {
			fmt.Println(childError, strings.ReplaceAll(err.Error(), "\n", "; "))
			continue
		}
		fmt.Println(childOK, answer)
	}
}

func obey(ctx context.Context, words []string, inst *instance.Instance, f *fuse) (string, error) {
	switch {
	case len(words) == 2 && words[0] == askFuse:
		n, err := strconv.Atoi(words[1])
		f.set(n)
		return "", err
	case slices.Equal(words, []string{askPassed}):
		return strings.Join(f.names(), " "), nil
	case slices.Equal(words, []string{askQuiet}) && inst.TPS() != nil:
		return "", quiet(ctx, inst)
	case slices.Equal(words, []string{askReconcile}):
		return "", inst.Reconcile(ctx)
	case len(words) == 3 && words[0] == askState && inst.TPS() != nil:
		return "", changeState(ctx, inst, words[1], words[2])
	}
	return "", fmt.Errorf("asked for %q", words)
}

// quiet waits until no session is under way.
func quiet(ctx context.Context, inst *instance.Instance) error {
	ctx, cancel := context.WithTimeout(ctx, sessionPatience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for inst.TPS().Sessions() > 0 {
		select {
		case <-ctx.Done():
			return errors.New("a session goes on and on")
		case <-tick.C:
		}
	}
	return nil
}

func changeState(ctx context.Context, inst *instance.Instance, cuid, state string) error {
	raw, err := hex.DecodeString(cuid)
	if err != nil || len(raw) != len(keys.CUID{}) {
		return fmt.Errorf("%q is no CUID", cuid)
	}
	to, err := token.ParseState(state)
	if err != nil {
		return err
	}
	_, err = inst.TPS().ChangeState(ctx, keys.CUID(raw), to, "agent")
	return err
}

// fuse counts the failpoints that a process passes, and ends the process at one of them. What a CA
// does by its clock and for nobody does not count.
type fuse struct {
	mu     sync.Mutex
	left   int
	at     string // the name of one that does it in any case
	passed []string
}

func (f *fuse) set(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.passed = n, nil
}

func (f *fuse) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.passed)
}

func (f *fuse) burn(name string) error {
	if name == ca.FailAfterNumber {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passed = append(f.passed, name)
	if f.left--; f.left == 0 || name == f.at {
		fmt.Println(childDying, name)
		die()
	}
	f.left = max(f.left, 0)
	return nil
}

// die ends the process the hard way and never returns.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
