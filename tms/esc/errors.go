package esc

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/wire"
)

// What can go wrong beside the server's own verdict; told apart with errors.Is.
var (
	ErrConnect  = errors.New("connecting to the server failed")
	ErrCard     = errors.New("the card did not answer")
	ErrPrompt   = errors.New("login was not answered")
	ErrNewPIN   = errors.New("there is no new PIN")
	ErrProtocol = errors.New("the server said something that makes no sense here")
	ErrURL      = errors.New("unusable address")
)

// OperationError is the server's verdict that an operation failed.
type OperationError struct {
	Operation wire.Operation
	Called    string // what the person calls the operation; empty: its name
	Result    wire.Result
	Status    wire.Status
}

// Error is a sentence for the person, with the code at its end. A server that says "bad" with
// code 0 (some do for operations they do not have) is not quoted as saying that all is well.
func (e *OperationError) Error() string {
	name := e.Called
	if name == "" {
		name = e.Operation.String()
	}
	if e.Status == wire.StatusNoError {
		return fmt.Sprintf("%s: The server does not perform this operation. (code 0)", name)
	}
	return fmt.Sprintf("%s: %s (code %d, %s)", name, e.Status.Sentence(), int(e.Status),
		e.Status.Name())
}

// StatusOf is the code that says what err is: the server's own, 28 when the server was lost in
// the middle, 47 when it could not be talked to, 48 when the card could not, 14 and 4 when the
// person gave no login or no PIN, 0 for nil.
func StatusOf(err error) wire.Status {
	var op *OperationError
	switch {
	case err == nil:
		return wire.StatusNoError
	case errors.As(err, &op):
		return op.Status
	case errors.Is(err, wire.ErrConnectionLost):
		return wire.StatusConnLost
	case errors.Is(err, ErrCard):
		return wire.StatusClientCannotTalkToCard
	case errors.Is(err, ErrPrompt):
		return wire.StatusLogin
	case errors.Is(err, ErrNewPIN):
		return wire.StatusMACResetPINPDU
	}
	return wire.StatusClientCannotTalkToTPS
}

// failed says what the client was doing when the conversation broke. An HTTP answer other than
// 200 means that there is no TPS at that address.
func (r *run) failed(doing string, err error) error {
	var answer wire.HTTPError
	switch {
	case errors.As(err, &answer):
		return fmt.Errorf("%w: %w", ErrConnect, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, wire.ErrConnectionLost):
	default:
		err = fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
