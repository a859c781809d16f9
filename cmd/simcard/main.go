// Command simcard is a virtual smart card: in a reader (run), in a script's hands (apdu), or on
// paper (stock).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
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
  simcard personalities                  ways to depart from the specification
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
