package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/loopback"
)

// deadline bounds every wait of these tests.
const deadline = 2 * time.Minute

// build makes the commands that a session types, in bin of a new directory.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin")+"/",
		"tokenwright/cmd/tmsdev", "tokenwright/cmd/simcard", "tokenwright/cmd/esc", "tokenwright/cmd/tms").CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

// freeRow finds a port with five free ones behind it: tmsdev takes the first five.
func freeRow(t *testing.T) int {
	t.Helper()
	for range 100 {
		port, err := loopback.Port()
		require.NoError(t, err)
		row := true
		for p := port; p < port+6 && row; p++ {
			l, err := net.Listen("tcp", addr(p))
			if row = err == nil; row {
				require.NoError(t, l.Close())
			}
		}
		if row {
			return port
		}
	}
	t.Fatal("no six free ports in a row")
	return 0
}

// background is a command that runs until the test ends.
type background struct {
	t    *testing.T
	cmd  *exec.Cmd
	gone chan error
	mu   sync.Mutex
	said strings.Builder
}

// start runs one line of a session in a directory.
func start(t *testing.T, dir, line string) *background {
	t.Helper()
	b := &background{t: t, cmd: exec.CommandContext(t.Context(), "sh", "-c", "exec "+line), gone: make(chan error, 1)}
	b.cmd.Dir = dir
	pipe, err := b.cmd.StdoutPipe()
	require.NoError(t, err)
	b.cmd.Stderr = b.cmd.Stdout
	require.NoError(t, b.cmd.Start())
	go func() {
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			b.mu.Lock()
			b.said.WriteString(lines.Text() + "\n")
			b.mu.Unlock()
		}
		b.gone <- b.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", line, b.output())
		}
	})
	return b
}

func (b *background) output() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said.String()
}

// await waits until text was said.
func (b *background) await(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return strings.Contains(b.output(), text) }, deadline,
		10*time.Millisecond, text)
}

// stop ends it as Ctrl-C does.
func (b *background) stop() {
	b.t.Helper()
	require.NoError(b.t, b.cmd.Process.Signal(syscall.SIGINT))
	select {
	case err := <-b.gone:
		assert.NoError(b.t, err)
	case <-time.After(deadline):
		b.t.Error("did not end")
	}
}

// typed gives the lines of a text that a person types: commands, without comments, and with their
// continuations.
func typed(text string) []string {
	var out []string
	open := false
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
		line = strings.TrimSpace(line)
		more := strings.TrimSuffix(line, `\`)
		switch {
		case open:
			out[len(out)-1] += strings.TrimSpace(more)
		case strings.HasPrefix(line, "bin/"), strings.HasPrefix(line, "echo "),
			strings.HasPrefix(line, "printf "), strings.HasPrefix(line, "dir="):
			out = append(out, more)
		default:
			continue
		}
		if open = more != line; open {
			out[len(out)-1] = strings.TrimSpace(out[len(out)-1]) + " "
		}
	}
	return out
}

// readme gives the session of the README.
func readme(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "```\nmake build\n")
	require.True(t, ok)
	session, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	return typed(session)
}

// TestReadmeSession types what the README says, at free ports, and holds what tmsdev prints to it.
func TestReadmeSession(t *testing.T) {
	lines := readme(t)
	require.Len(t, lines, 10)
	require.Equal(t, "bin/tmsdev", lines[0])
	dir, port := build(t), freeRow(t)
	reader := port + 5
	system := start(t, dir, lines[0]+" --listen "+addr(port))
	system.await("Ctrl-C")
	printed := typed(system.output())
	require.Len(t, printed, 9)
	move := func(line string) string {
		return strings.NewReplacer(addr(8443), addr(port), addr(8445), addr(port+2),
			strconv.Itoa(vpcdPort), strconv.Itoa(reader)).Replace(line)
	}
	for n, line := range lines[1:] {
		if n != 1 {
			assert.Equal(t, strings.NewReplacer(addr(8443), addr(port), addr(8445), addr(port+2)).
				Replace(line), printed[n])
		}
	}
	require.Contains(t, lines[2], "dir=THE-INSTANCE-THAT-TMSDEV-NAMES")
	card := start(t, dir, move(lines[1]))
	script := []string{"set -e", printed[1]}
	for _, line := range lines[3:] {
		script = append(script, move(line))
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	sh := exec.CommandContext(ctx, "sh", "-c", strings.Join(script, "\n"))
	sh.Dir = dir
	out, err := sh.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, want := range []string{"is formatted", "is enrolled", "personalized", "has its new PIN",
		"is renewed", "making keys",
		"encryption key for alice, RSA-2048, until", "for UID=alice,O=Token Key User", "PIN is reset",
		"caTokenUserEncryptionKeyRenewal", "RSA-"} {
		assert.Contains(t, string(out), want)
	}
	assert.NotContains(t, system.output(), "level=WARN", "all that is needed is there")
	card.stop()
	system.stop()
}

// TestInstanceThatStays opens an instance again at other ports, and one that lacks what an earlier
// tmsdev, or one that was killed, did not come to.
func TestInstanceThatStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "i")
	require.NoError(t, makeOnce(t.Context(), dir, portsFrom(freeRow(t))))
	applet := filepath.Join(dir, "tps", "applets", "1.4.58768072.ijc")
	require.NoError(t, os.Truncate(applet, 10))
	for _, gone := range []string{"kra", "ca1", "tks/certs/kraTransport.crt", "kra-agents"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, gone)))
	}
	for _, name := range []string{"tks", "tps"} {
		path := filepath.Join(dir, name, "CS.cfg")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var kept []string
		for line := range strings.SplitSeq(string(text), "\n") {
			if !strings.Contains(line, "drm_transport") && !strings.Contains(line, "kra1") &&
				!strings.Contains(line, "ca1.h") && !strings.HasPrefix(line, "tps.connCAList") {
				kept = append(kept, line)
			}
		}
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(kept, "\n")), 0o600))
	}
	port := freeRow(t)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	in, out := io.Pipe()
	var log lockedBuilder
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"--dir", dir, "--listen", addr(port), "--json"}, out, &log)
		_ = out.Close()
	}()
	var g greeting
	require.NoError(t, json.NewDecoder(in).Decode(&g), log.String())
	assert.Equal(t, "https://"+addr(port)+"/tps/tps", g.TPS)
	assert.Equal(t, "http://"+addr(port+4), g.Public)
	info, err := os.Stat(applet)
	require.NoError(t, err)
	assert.Greater(t, info.Size(), int64(1000))
	cancel()
	assert.Zero(t, <-done)
	assert.NotContains(t, log.String(), "level=WARN")
}

// lockedBuilder is a log that several write to.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWrongCommandLines(t *testing.T) {
	for args, want := range map[string]string{
		"--listen 0.0.0.0:8443":    "not a loopback address",
		"--listen 127.0.0.1:65533": "65531",
		"--listen 8443":            "host:port",
		"--log-level loud":         "loud",
		"now":                      "unexpected",
	} {
		var log lockedBuilder
		assert.Equal(t, exitUsage, run(t.Context(), strings.Fields(args), io.Discard, &log), args)
		assert.Contains(t, log.String(), want)
	}
	var log lockedBuilder
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "letter"), nil, 0o600))
	assert.Equal(t, exitFailed, run(t.Context(), []string{"--dir", other}, io.Discard, &log))
	assert.Contains(t, log.String(), "neither empty nor an instance")
}
