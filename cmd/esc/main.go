// Command esc is the smart card client for a desk without a window system: it shows readers and
// cards, and lets a TPS format, enroll and renew a card and reset its PIN.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], desk{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		terminal: term.IsTerminal(int(os.Stdin.Fd())),
		bar:      term.IsTerminal(int(os.Stderr.Fd())),
		hidden:   func() ([]byte, error) { return term.ReadPassword(int(os.Stdin.Fd())) },
		restore:  keepTerminal(int(os.Stdin.Fd())),
		language: language(os.Getenv),
	})
	stop()
	os.Exit(code)
}

// desk is where the person sits: what the program reads from and writes to.
type desk struct {
	in       io.Reader
	out, err io.Writer
	terminal bool                   // somebody can type an answer
	bar      bool                   // err can show a progress bar
	hidden   func() ([]byte, error) // reads a line without showing it
	restore  func()                 // undoes what hidden does to the terminal
	language string                 // of the person, or empty
}

// keepTerminal remembers how the terminal is set, so that an interrupted password prompt does
// not leave it mute.
func keepTerminal(fd int) func() {
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(fd, state) }
}

// run is the whole program; it answers the exit code.
func run(ctx context.Context, args []string, d desk) int {
	root := newRoot(d)
	root.SetArgs(args)
	root.SetIn(d.in)
	root.SetOut(d.out)
	root.SetErr(d.err)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil {
		_, _ = fmt.Fprintln(d.err, "esc: "+explain(err))
	}
	return code
}
