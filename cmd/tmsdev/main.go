// Command tmsdev is the whole token management system in one process, for trying out: an instance, a
// user directory and a few users whose passwords everybody knows, on loopback.
//
// It owns the command line and what the newcomer reads; it alone, and not tms, links the embedded
// directory and the fixtures.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

const help = `A token management system for trying out, in one process on loopback: token key
service, token processing system, and a user directory with a few users. It prints
its addresses, its users and what to type next.

Nothing here is safe: the users' passwords are public and the vendor keys are the
well-known test keys. For anything else there is "tms init" and "tms serve".

Without --dir everything is gone when it ends. With --dir the instance and its token
database stay, and the next tmsdev with the same --dir goes on with them.

Exit codes: 0 ended as told, 1 failed, 2 wrong command line.`

func main() {
	log.SetOutput(io.Discard) // the embedded directory logs through the global logger
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	var o options
	cmd := &cobra.Command{
		Use: "tmsdev", Short: "A token management system for trying out", Long: help,
		Example: "  tmsdev\n  tmsdev --listen 127.0.0.1:9443 --dir ~/tmsdev",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, out, errOut) },
	}
	o.flags(cmd.Flags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	// Most terminals are no wider; the flags' own lines are as long as they come.
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages",
		".FlagUsagesWrapped 80"))
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errOut)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(errOut, "tmsdev:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintln(errOut, `Try "tmsdev --help".`)
		return exitUsage
	}
	return exitFailed
}
