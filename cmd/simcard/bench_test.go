package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/benchtest"
)

// roleEnv makes the test binary another program: simcard itself, or what echoes lines.
const roleEnv = "SIMCARD_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "simcard":
		main()
	case "echo":
		os.Exit(echo(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// echo writes each line as it comes, and does nothing else.
func echo(in io.Reader, out io.Writer) int {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return 0
		}
		if err == nil {
			_, err = out.Write(line)
		}
		if err != nil {
			return 1
		}
	}
}

// child is a program in conversation: a line to its input, a line from its output.
type child struct {
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func startChild(b *testing.B, role string, args ...string) *child {
	b.Helper()
	c := &child{cmd: exec.CommandContext(b.Context(), os.Args[0], args...)}
	c.cmd.Env = append(os.Environ(), roleEnv+"="+role)
	c.cmd.Stderr = os.Stderr
	var err error
	c.in, err = c.cmd.StdinPipe()
	require.NoError(b, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(b, err)
	c.out = bufio.NewReader(out)
	require.NoError(b, c.cmd.Start())
	return c
}

// ask gives the answer with its line end. It is valid until the next call.
func (c *child) ask(b *testing.B, line []byte) []byte {
	if _, err := c.in.Write(line); err != nil {
		b.Fatal(err)
	}
	answer, err := c.out.ReadSlice('\n')
	if err != nil {
		b.Fatal(err)
	}
	return answer
}

// end closes the child's input and wants it to end well.
func (c *child) end(b *testing.B) {
	b.Helper()
	require.NoError(b, c.in.Close())
	require.NoError(b, c.cmd.Wait())
}

// leastOfEcho is how much of an echo's rate the program has to reach.
const leastOfEcho = 0.5

// BenchmarkApdu is "simcard apdu" in a process of its own on pipes, one command at a time, in turns
// with a process that echoes the same lines. Each answer of the card is checked to be 9000.
func BenchmarkApdu(b *testing.B) {
	state := filepath.Join(b.TempDir(), "card")
	code := run(b.Context(), []string{
		"personalize", "--stock", "gp211-scp02", "--state", state, "--key", "rsa2048",
	}, strings.NewReader(""), io.Discard, os.Stderr)
	require.Zero(b, code)
	const nobody = "0000000000000000"
	for _, c := range []struct{ name, line string }{
		{"get-status", "B03C000010"},
		{"read-208", "B056000011" + "7A300000" + "00000000" + "D0" + nobody},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchtest.InTurns(b, leastOfEcho, func() benchtest.Turn {
				return conversation(b, state, []byte(c.line+"\n"))
			})
		})
	}
}

// conversation is a turn with new processes: on which processor the system puts one, and so how fast
// a pipe wakes it, lasts for its life.
func conversation(b *testing.B, state string, line []byte) benchtest.Turn {
	b.Helper()
	const n = 50
	ask := func(c *child, end []byte) func() {
		return func() {
			for range n {
				if answer := c.ask(b, line); !bytes.HasSuffix(answer, end) {
					b.Fatalf("%s: answered %s", line, answer)
				}
			}
		}
	}
	ok := []byte("9000\n")
	card, echo := startChild(b, "simcard", "apdu", "--state", state), startChild(b, "echo")
	for _, c := range []*child{card, echo} {
		c.ask(b, []byte("00A4040007627601FF000000\n"))
		c.ask(b, line)
	}
	return benchtest.Turn{
		N: n, Ours: ask(card, ok), Baseline: ask(echo, line),
		After: func() {
			card.end(b)
			echo.end(b)
		},
	}
}
