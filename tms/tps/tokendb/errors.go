package tokendb

import (
	"errors"
	"fmt"

	"tokenwright/tms/token"
)

// Wire status numbers that the errors of this package carry.
const (
	statusUnknownToken  = 16
	statusSecureChannel = 17
	statusUnreachable   = 25
	statusNotAllowed    = 26
	statusCannotAdd     = 29
	statusLost          = 32
	statusTerminated    = 35
	statusCannotUpdate  = 41
	statusNotPINReset   = 27
)

// The decisions a caller can take. Use errors.Is; the error itself is an
// [*Error].
var (
	// ErrUnknownToken: the card has no record and the operation wants one.
	ErrUnknownToken = errors.New("token is not known")
	// ErrNotAllowed: the token's state does not let the operation happen.
	ErrNotAllowed = errors.New("operation not allowed in this state")
	// ErrKeyInfo: the card's keys are neither the recorded nor the intended.
	ErrKeyInfo = errors.New("card's keys are not the recorded ones")
	// ErrDatabase: the records could not be read or changed.
	ErrDatabase = errors.New("token database failed")
)

// Error is what the rules return.
type Error struct {
	// Kind is one of the sentinels of this package.
	Kind error
	// Code is the number that the client is told at the end of the operation.
	Code int
	// CUID is the card in hex, State its recorded state.
	CUID  string
	State token.State
	// Detail says more for the log.
	Detail string
	// Cause is the error below, if any.
	Cause error
}

// Error returns the whole chain for the log.
func (e *Error) Error() string {
	text := fmt.Sprintf("token %s: %v", e.CUID, e.Kind)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives both the kind and the cause to errors.Is.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// Status returns Code.
func (e *Error) Status() int { return e.Code }

// refusal returns the number for an operation that the token's state does not
// allow. Only enrollment tells the states apart, as clients expect.
func refusal(op token.Op, s token.State) int {
	switch op {
	case token.OpPINReset:
		return statusNotPINReset
	case token.OpEnrollment, token.OpRecovery, token.OpRenewal:
		switch s {
		case token.Terminated:
			return statusTerminated
		case token.PermLost:
			return statusLost
		}
	}
	return statusNotAllowed
}
