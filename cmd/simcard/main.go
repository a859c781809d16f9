// Command simcard is a virtual smart card: in a reader (run), in a script's hands (apdu), or on
// paper (stock).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed = 1 // the card or its reader failed
	exitUsage  = 2 // flags or input make no sense
)

const help = `A virtual smart card for token management systems: a GlobalPlatform card with
SCP01, SCP02 or SCP03 that takes the CoolKey applet.

  simcard stock                          the kinds of card there are
  simcard run --stock NAME               puts one into a reader of pcscd or esc
  simcard apdu --stock NAME              answers hex APDUs, one a line
  simcard personalize                    makes one with a user's keys and certificates

Its keys are published test keys: it is for trying out and testing, and keeps no
secret. Exit codes: 0 done, 1 the card or its reader failed, 2 wrong command line.`

// usageError marks what the caller got wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := &cobra.Command{
		Use:           "simcard",
		Short:         "A virtual smart card for token management systems",
		Long:          help,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	// Most terminals are no wider; the flags' own lines are as long as they come.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages",
		".FlagUsagesWrapped 80"))
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand(), apduCommand(), personalizeCommand(), stockCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(errOut, "simcard:", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		_, _ = fmt.Fprintln(errOut, `Try "simcard --help".`)
		return exitUsage
	}
	return exitFailed
}
