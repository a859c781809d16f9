package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"tokenwright/features/loopback"
	"tokenwright/tms/instance"
	"tokenwright/tms/tps/op"
)

// childEnv tells a process that it is a server to be killed, and which.
const childEnv = "TOKENWRIGHT_LAB_CHILD"

const (
	childReady    = "ready"
	childPatience = 30 * time.Second
)

// order is what the child is told.
type order struct {
	Dir    string
	Config map[string]map[string]string
	Kill   string // the point at which it kills itself
}

// KillPoints names the points at which a server can be killed, in the order of a format.
func KillPoints() []string { return op.Failpoints() }

// IsChild says that this process was started to be a server.
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
	inst, err := instance.Open(ctx, o.Dir, instance.Options{
		Override: o.Config, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Failpoint: func(name string) error {
			if name == o.Kill {
				die()
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	if err := inst.Listen(ctx); err != nil {
		return errors.Join(err, inst.Close())
	}
	fmt.Println(childReady)
	return errors.Join(inst.Serve(ctx), inst.Close())
}

// die ends the process the hard way and never returns.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// WithChild runs f with a laboratory whose system is a process of its own, over the same directory and
// token database, which kills itself at the named point. It is an error when it did not.
func (l *Lab) WithChild(ctx context.Context, point string, f func(*Lab) error) (err error) {
	port, err := loopback.Port()
	if err != nil {
		return err
	}
	config, err := withPort(l.config, port)
	if err != nil {
		return err
	}
	o := order{Dir: l.dir, Config: config, Kill: point}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, childPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	log := &buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, killed(cmd)); err != nil {
			err = fmt.Errorf("%w\n%s", err, log)
		}
	}()
	if err := awaitReady(out); err != nil {
		return err
	}
	return f(&Lab{
		dir: l.dir, port: port, main: l.main, config: o.Config, inst: l.inst, log: log, others: l.others,
		ca: l.ca, kra: l.kra,
	})
}

func awaitReady(out io.Reader) error {
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != childReady {
		return errors.New("the server process did not get ready")
	}
	return nil
}

// killed waits for the process and wants it to have been killed by its own signal.
func killed(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Signal(os.Interrupt)
		<-done
		return errors.New("the server process was not killed at the point")
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signal() == syscall.SIGKILL {
		return nil
	}
	return fmt.Errorf("the server process ended by itself: %s", cmd.ProcessState)
}
