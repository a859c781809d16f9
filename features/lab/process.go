package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"tokenwright/features/loopback"
	"tokenwright/tms/tps/op"
)

// childPatience bounds the wait for anything that a child is asked for, on however busy a machine;
// sessionPatience, which is shorter so that a child can say why, the wait for its sessions to end.
const (
	childPatience   = 2 * time.Minute
	sessionPatience = time.Minute
)

// errDied means that a process is gone.
var errDied = errors.New("the process died")

// process is a child as its parent knows it.
type process struct {
	name  string
	order order
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // what it says; closed when it says no more
	log   *buffer
}

// startProcess starts this program again as a part of a system, and waits until it listens.
func startProcess(name string, o order) (*process, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, order: o, lines: make(chan string, 8), log: &buffer{}}
	p.cmd = exec.Command(self) // it ends itself when its input does
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	p.cmd.Stderr = p.log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	if line, err := p.hear(); err != nil || line != childReady {
		err = errors.Join(fmt.Errorf("%s did not get ready: %q", name, line), err, p.end())
		return nil, fmt.Errorf("%w\n%s", err, p.log)
	}
	return p, nil
}

// hear gives the next line that the process says.
func (p *process) hear() (string, error) {
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", errDied
		}
		return line, nil
	case <-time.After(childPatience):
		return "", fmt.Errorf("%s says nothing", p.name)
	}
}

// ask has the process do something. errDied means that it is, or was, about to kill itself; answer
// names the failpoint then.
func (p *process) ask(words ...string) (answer string, err error) {
	_, wrote := fmt.Fprintln(p.in, strings.Join(words, " "))
	line, err := p.hear()
	if err != nil {
		return "", errors.Join(err, wrote)
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case childOK:
		return rest, nil
	case childDying:
		return rest, errDied
	}
	return "", fmt.Errorf("%s, asked to %s: %s", p.name, words[0], rest)
}

// killed waits for the end of a process that killed itself or was killed.
func (p *process) killed() error {
	if err := p.wait(); err != nil {
		return err
	}
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
		return nil
	}
	return fmt.Errorf("%s ended by itself: %s\n%s", p.name, p.cmd.ProcessState, p.log)
}

// end has the process stop as at the end of a day.
func (p *process) end() error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	_ = p.in.Close() // it may be dead already
	if err := p.wait(); err != nil {
		return err
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s ended badly: %s\n%s", p.name, p.cmd.ProcessState, p.log)
	}
	return nil
}

// wait waits for the end of the process, which is killed if it takes too long.
func (p *process) wait() error {
	slow := time.AfterFunc(childPatience, func() { _ = p.cmd.Process.Kill() })
	for range p.lines { // Wait closes the pipe that they come from
	}
	_ = p.cmd.Wait() // ProcessState tells
	if !slow.Stop() {
		return fmt.Errorf("%s did not end", p.name)
	}
	return nil
}

// KillPoints names the points at which the server of a laboratory can be killed, in the order of a
// format.
func KillPoints() []string { return op.Failpoints() }

// WithChild runs f with a laboratory whose system is a process of its own, over the same directory and
// token database, which kills itself at the named point. It is an error when it did not.
func (l *Lab) WithChild(_ context.Context, point string, f func(*Lab) error) error {
	port, err := loopback.Port()
	if err != nil {
		return err
	}
	config, err := withPort(l.config, port)
	if err != nil {
		return err
	}
	p, err := startProcess("the server", order{Dir: l.dir, Config: config, Kill: point})
	if err != nil {
		return err
	}
	err = f(&Lab{
		dir: l.dir, port: port, main: l.main, config: config, inst: l.inst, log: p.log, others: l.others,
		ca: l.ca, kra: l.kra,
	})
	if _, died := p.ask(askPassed); !errors.Is(died, errDied) {
		return errors.Join(err, errors.New("the server was not killed at the point"), p.end())
	}
	return errors.Join(err, p.killed())
}
