// Command cardcert holds a card, virtual or in a reader, against the catalogue of what cards must do,
// and says in a report how it came out.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitFailed       = 1 // a case failed, or a report is not to be believed
	exitUsage        = 2 // flags or input make no sense
	exitInconclusive = 3 // no case failed, and some could not be judged
	exitRefused      = 4 // a rule that protects the card, or its owner, stood against the run
)

const help = `Certifies card stock: runs the catalogue of conformance cases on a card and
reports what came of each.

  cardcert run --sim STOCK          on a virtual card
  cardcert run --reader NAME        on the card in a reader of the PC/SC service
  cardcert verify FOLDER            is a report what was signed, do its verdicts follow
  cardcert lot --size N             accept or reject a lot by a sample of its cards
  cardcert profile                  what a card can do and how long it takes
  cardcert compare REFERENCE CARD   is a card of the same stock, by profiles
  cardcert list                     the cases, with clause, class and risk
  cardcert coverage                 the clauses, with the cases that test them
  cardcert facts                    what a case may ask of a card

A card in a reader is first identified, by SELECT and GET DATA alone. Cases that
change its content or spend authentication tries run only with --consent and the
CUID that was shown. A report is no qualification by anybody: it says so itself.

Exit codes: 0 every case passed or does not apply, 1 a case failed or a
report is refused, 2 wrong command line, 3 something could not be judged, 4 refused to protect the card.`

// usageError marks what the caller got wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
