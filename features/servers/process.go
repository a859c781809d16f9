// Package servers starts directory and database servers that nobody here wrote, each on a loopback
// port with files of its own, for tests and for the laboratory.
//
// It owns finding the programs, the user they run as, getting ready and ending, also when the process
// that started them is killed. It must not know what is kept in them.
package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"tokenwright/features/loopback"
)

// ErrMissing says that a program is not installed on this machine.
var ErrMissing = errors.New("not installed")

const (
	readyLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
)

// Required says that a missing server is a failure, not a reason to do without: so in CI.
func Required() bool { return os.Getenv("CI") == "true" }

// process is a running server.
type process struct {
	dir  string
	port int
	cmd  *exec.Cmd
	hold io.Closer // the server ends when this is closed, by whatever way
	done chan error
	log  *tail
	once sync.Once
	err  error
}

// guard runs a server until descriptor 3 ends, which this process holds the other end of, then sends
// it a signal and removes its files.
const guard = `sig=$1; dir=$2; shift 2; "$@" </dev/null 3<&- & pid=$!
(cat <&3; kill -"$sig" "$pid") >/dev/null 2>&1 &
exec 3<&-; wait "$pid"; status=$?; cd /; rm -rf "$dir"; exit "$status"`

// run starts a server. The process removes dir when it has ended.
func run(dir string, port int, as *syscall.Credential, sig string, env []string, argv ...string) (
	*process, error,
) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p := &process{dir: dir, port: port, hold: w, done: make(chan error, 1), log: &tail{}}
	p.cmd = exec.Command("sh", append([]string{"-c", guard, "guard", sig, dir}, argv...)...)
	p.cmd.Dir = dir
	p.cmd.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.WaitDelay = stopLimit
	p.cmd.ExtraFiles = []*os.File{r} // 3
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// Stop ends the server and removes its files. It may be called more than once.
func (p *process) Stop() error {
	p.once.Do(func() {
		p.err = p.hold.Close()
		select {
		case <-p.done:
		case <-time.After(stopLimit):
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.done
			p.err = errors.Join(p.err, fmt.Errorf("%s had to be killed", p.cmd.Args[6]))
		}
		p.err = errors.Join(p.err, os.RemoveAll(p.dir))
	})
	return p.err
}

// Port is where the server listens, on 127.0.0.1.
func (p *process) Port() int { return p.port }

// await polls until the server answers.
func (p *process) await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			select { // or was it somebody else who answered at our port?
			case ended := <-p.done:
				p.done <- ended
				return fmt.Errorf("it ended while starting: %w\n%s", ended, p.log)
			default:
				return nil
			}
		}
		select {
		case ended := <-p.done:
			p.done <- ended
			return fmt.Errorf("it ended while starting: %w\n%s", ended, p.log)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w\n%s", err, p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// listening is the simplest question: does anybody listen.
func (p *process) listening(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", loopback.Addr(p.port))
	if err != nil {
		return err
	}
	return c.Close()
}

// find looks for a program where Debian has it.
func find(name string, folders ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.EvalSymlinks(path)
	}
	for _, pattern := range folders {
		all, _ := filepath.Glob(filepath.Join(pattern, name)) // the pattern is well-formed
		if len(all) > 0 {
			return all[len(all)-1], nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrMissing)
}

// servant is somebody else to run a server as, for one that refuses to run as root; nil when this
// process is not root.
func servant(names ...string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, e1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, e2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(e1, e2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("none of the users %q is there: %w", names, ErrMissing)
}

// folder makes a folder for a server's files, owned by who runs it.
func folder(as *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp("", "tokenwright-server-")
	if err != nil || as == nil {
		return dir, err
	}
	return dir, os.Chown(dir, int(as.Uid), int(as.Gid))
}

// tool runs a program to its end, as somebody else if as is not nil.
func tool(ctx context.Context, dir string, as *syscall.Credential, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(argv[0]), err, out)
	}
	return nil
}

// tail keeps the end of what a server says.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailSize = 8 << 10

// Write takes more of it.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if over := t.b.Len() - tailSize; over > 0 {
		t.b.Next(over)
	}
	return len(p), nil
}

// String gives it.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// Dir is the folder of the server's files.
func (p *process) Dir() string { return p.dir }
