package contact

import (
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/perso"
	"tokenwright/tms/wire"
)

// Failure is how an operation ends badly: the code for the client, and the
// reason for the log.
type Failure struct {
	Status wire.Status
	Err    error
}

// Error gives the reason.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the reason.
func (f *Failure) Unwrap() error { return f.Err }

// ErrKilled means that a failpoint ended the operation as if the process had
// died there: nothing is recorded or sent any more.
var ErrKilled = errors.New("killed at failpoint")

// Failf makes a Failure of what went wrong doing something. A code that err carries
// already, as a Failure or an error of a package beside this one, counts more than s.
func Failf(s wire.Status, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var f *Failure
	var c coded
	switch {
	case errors.As(err, &f):
		s = f.Status
	case errors.As(err, &c):
		s = wire.Status(c.Status())
	}
	return &Failure{Status: s, Err: fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)}
}

// Refuse makes a Failure that has no other error below it.
func Refuse(s wire.Status, format string, args ...any) error {
	return &Failure{Status: s, Err: fmt.Errorf(format, args...)}
}

// coded is what errors of the packages beside this one can tell.
type coded interface{ Status() int }

// StatusOf gives the code to end an operation with: 0 for nil, the code of the
// Failure or of a package beside this one, 28 when the client or the card went
// away, else 1.
func StatusOf(err error) wire.Status {
	var f *Failure
	var c coded
	switch {
	case err == nil:
		return wire.StatusNoError
	case errors.Is(err, perso.ErrNoAnswer), errors.Is(err, wire.ErrConnectionLost):
		return wire.StatusConnLost
	case errors.As(err, &f):
		return f.Status
	case errors.As(err, &c):
		return wire.Status(c.Status())
	}
	return wire.StatusSNAC
}

// channelStatus tells which code a failed channel deserves. A TKS that could not
// be asked is not the card's fault.
func channelStatus(err error) wire.Status {
	switch {
	case errors.Is(err, connector.ErrUnavailable):
		return wire.StatusNoTKSConnID
	case errors.Is(err, connector.ErrUnauthorized), errors.Is(err, connector.ErrConfig):
		return wire.StatusMisconfiguration
	}
	var e *perso.Error
	if errors.As(err, &e) {
		switch e.Step {
		case perso.StepSelectISD:
			return wire.StatusCreateCardManager
		case perso.StepInitializeUpdate:
			return wire.StatusSecInitUpdate
		case perso.StepExternalAuth:
			return wire.StatusExternalAuth
		}
	}
	return wire.StatusSecureChannel
}
