package connector

import (
	"errors"
	"fmt"
)

// Status is the number a TKS answers with; 0 is success.
type Status int

// The numbers of the wire form, and what they mean in every form.
const (
	StatusOK             Status = 0
	StatusDerivation     Status = 1 // derivation or encryption failed
	StatusHostCryptogram Status = 2 // host cryptogram or random numbers could not be made
	StatusParameter      Status = 3 // a parameter is missing or invalid
	StatusToken          Status = 4 // the home of the keys failed
	StatusCardCryptogram Status = 5 // the card did not prove that it knows its keys
	StatusConfig         Status = 6 // the TKS's configuration does not cover the request
)

var statusText = map[Status]string{
	StatusOK:             "ok",
	StatusDerivation:     "key derivation or encryption failed",
	StatusHostCryptogram: "host cryptogram or random data failed",
	StatusParameter:      "parameter missing or invalid",
	StatusToken:          "key store failed",
	StatusCardCryptogram: "card cryptogram does not match",
	StatusConfig:         "configuration does not cover the request",
}

// String gives a few words for s.
func (s Status) String() string {
	if t, ok := statusText[s]; ok {
		return t
	}
	return fmt.Sprintf("status %d", int(s))
}

// Sentinels for errors.Is, one for each status. They match every *Error of the same status.
var (
	ErrDerivation     = &Error{Status: StatusDerivation}
	ErrHostCryptogram = &Error{Status: StatusHostCryptogram}
	ErrParameter      = &Error{Status: StatusParameter}
	ErrToken          = &Error{Status: StatusToken}
	ErrCardCryptogram = &Error{Status: StatusCardCryptogram}
	ErrConfig         = &Error{Status: StatusConfig}
)

var (
	// ErrUnauthorized says that the peer does not serve this caller.
	ErrUnauthorized = errors.New("not authorized by the peer")
	// ErrUnavailable says that no configured host gave an answer.
	ErrUnavailable = errors.New("no configured host answered")
	// ErrProtocol says that a peer's answer is not the wire form.
	ErrProtocol = errors.New("answer is not in the wire form")
)

// Error is a request that a TKS understood and did not fulfil. Over HTTPS only Status travels:
// the reason stays in the TKS's log.
type Error struct {
	Status Status
	Err    error // the reason, nil when only the number is known
}

// Error gives the status in words, and the reason when there is one.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Status.String()
	}
	return e.Status.String() + ": " + e.Err.Error()
}

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// Is matches any *Error of the same status.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Status == e.Status
}

// Errorf makes an *Error of status s with a formatted reason.
func Errorf(s Status, format string, args ...any) error {
	return &Error{Status: s, Err: fmt.Errorf(format, args...)}
}

// StatusOf gives the number to answer for err: StatusOK for nil, the status of the outermost
// *Error in its chain, StatusDerivation for anything else.
func StatusOf(err error) Status {
	if err == nil {
		return StatusOK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return StatusDerivation
}
