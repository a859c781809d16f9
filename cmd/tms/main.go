// Command tms makes and runs instances of the token management system: a token key service (TKS),
// which holds master keys, certificate authorities, and a token processing system (TPS), which talks
// to cards.
//
// It owns the command line alone; package instance does the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed   = 1 // it was tried and did not work
	exitUsage    = 2 // the command line is wrong
	exitInstance = 3 // the instance or its configuration is wrong
	exitExists   = 4 // init: something is there already
)

const help = `Make and run an instance of the token management system.

  tms init DIR           makes an instance: certificates, keys, configuration
  tms serve --dir DIR    runs it: TKS and TPS in one process
  tms serve tks --dir D  runs one of them; the TPS finds the TKS by its configuration
  tms ca create ca1      makes a certificate authority in an instance; tms ca --help
  tms kra create         makes its key recovery authority; tms kra --help
  tms reconcile          compares tokens, certificates and keys; tms reconcile --help
  tms ocsp create        makes an OCSP responder apart from its CAs; tms ocsp --help
  tms token list         looks at tokens of a running server, and changes them; tms token --help
  tms activity           shows what was done to tokens
  tms admin add          says who may; tms admin --help
  tms tokendb migrate    copies the token database elsewhere; tms tokendb --help
  tms explain            tells what would decide about a card; tms explain --help

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 instance or configuration wrong,
4 init or create found something already there, 5 no such token or certificate, 6 not allowed to
whoever asks.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := &cobra.Command{Use: "tms", Short: "Token management system", Long: help,
		SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(initCommand(), serveCommand(), caCommand(), kraCommand(), ocspCommand(), reconcileCommand(),
		versionCommand())
	root.AddCommand(tokenCommand(), activityCommand(), adminCommand(), explainCommand(),
		tokendbCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(errOut, "tms:", err)
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[usageError](err); ok || isUnknownCommand(root, args) {
		fmt.Fprintln(errOut, `Try "tms --help".`)
		return exitUsage
	}
	return exitFailed
}
