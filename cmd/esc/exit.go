package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"tokenwright/tms/esc"
	"tokenwright/tms/esc/pcsc"
	"tokenwright/tms/perso"
	"tokenwright/tms/wire"
	"tokenwright/vpcd"
)

// Exit codes; the help of the root command explains them.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
	exitNoCard  = 3
	exitNoTPS   = 4
	exitOther   = 5
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

// ranError marks an error of a command that was run; everything else that cobra reports is
// about the command line.
type ranError struct{ error }

func (e ranError) Unwrap() error   { return e.error }
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// done marks the end of a command that was run.
func done(err error) error {
	if err == nil {
		return nil
	}
	return ranError{err}
}

var cardErrors = []error{
	esc.ErrCard, perso.ErrNoCardManager, perso.ErrNoAnswer, pcsc.ErrUnavailable, pcsc.ErrNoService,
	pcsc.ErrNoReader, pcsc.ErrNoCard, pcsc.ErrAmbiguous, pcsc.ErrInUse, pcsc.ErrMute,
	pcsc.ErrRemoved, pcsc.ErrReset, pcsc.ErrTransmission, pcsc.ErrTimeout, vpcd.ErrNoCard,
	vpcd.ErrRemoved, vpcd.ErrUnpowered, vpcd.ErrTimeout, errNoReader,
}

var serverErrors = []error{
	wire.ErrConnectionLost, esc.ErrConnect, esc.ErrProtocol, esc.ErrPhoneHome,
}

func exitCode(err error) int {
	var (
		ran     ranError
		usage   usageError
		refused *esc.OperationError
	)
	switch {
	case err == nil:
		return exitDone
	case !errors.As(err, &ran), errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case isAny(err, cardErrors):
		return exitNoCard
	case errors.Is(err, context.Canceled):
		return exitOther
	case isAny(err, serverErrors):
		return exitNoTPS
	}
	return exitOther
}

func isAny(err error, targets []error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// explain is the error for the person, with what to do about it where that is not obvious.
func explain(err error) string {
	text := printable(err.Error())
	var broken brokenOffError
	switch {
	case exitCode(err) == exitUsage:
		text += "\nTry esc --help."
	case errors.Is(err, wire.ErrConnectionLost):
		text += fmt.Sprintf("\n%s (code %d)", wire.StatusConnLost.Sentence(), int(wire.StatusConnLost))
	case errors.As(err, new(x509.UnknownAuthorityError)):
		text += "\nIf the server has an authority of its own, give its certificate with --ca FILE."
	case errors.Is(err, context.Canceled):
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	case errors.Is(err, pcsc.ErrUnavailable), errors.Is(err, pcsc.ErrNoService),
		errors.Is(err, pcsc.ErrNoReader):
		text += "\nA card can also connect by itself: see --vpcd in esc --help."
	}
	text += reasonElsewhere(err)
	if errors.As(err, &broken) {
		text += "\n" + broken.hint
	}
	return text
}

// reasonElsewhere says where the reason is to be found of a code that tells none.
func reasonElsewhere(err error) string {
	var refused *esc.OperationError
	if !errors.As(err, &refused) {
		return ""
	}
	const log = "\nThe server's log says why, under this session"
	switch refused.Status {
	case wire.StatusMisconfiguration, wire.StatusNoTKSConnID, wire.StatusUpgradeApplet:
		return log + "; what the server lacks, it says when it starts."
	case wire.StatusSNAC, wire.StatusCAResponse, wire.StatusMACEnrollPDU, wire.StatusDB:
		return log + "."
	}
	return ""
}

// printable keeps what a server or a card said from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
