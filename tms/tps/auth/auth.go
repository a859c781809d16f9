// Package auth decides whether the person at the client is who they say, and
// fetches what the directory knows of them.
//
// It owns the contract of an authenticator, the credentials it asks for (with
// the texts of the extended login), and the directory authenticator
// UidPwdDirAuth. It must not know the client protocol, the card, or what the
// operation will do with the answer. Credentials never reach a log or an error.
package auth

import (
	"context"
	"errors"
	"fmt"
)

// Wire status numbers that the errors of this package carry.
const (
	statusLogin            = 14
	statusMisconfiguration = 18
	statusDirectory        = 25
)

// The decisions a caller can take. Use errors.Is; the error itself is an
// [*Error] and holds the details.
var (
	// ErrCredentials: user and password do not match, or are not fit to be
	// tried. It does not say which of them was wrong.
	ErrCredentials = errors.New("bad credentials")
	// ErrUnreachable: the directory did not answer (in time).
	ErrUnreachable = errors.New("directory unreachable")
	// ErrMisconfigured: the directory answered, but refuses this system or
	// answers what its configuration cannot mean.
	ErrMisconfigured = errors.New("authentication misconfigured")
)

// Error is what authenticators return. It never holds a credential, nor text
// that the directory chose.
type Error struct {
	// Kind is ErrCredentials, ErrUnreachable or ErrMisconfigured.
	Kind error
	// Instance is the authenticator's configured name.
	Instance string
	// Detail says what was being done and what came back.
	Detail string
	// Cause is the error below, when there is one that is safe to show.
	Cause error
}

// Error returns the whole chain for the log.
func (e *Error) Error() string {
	text := fmt.Sprintf("authenticating with %s: %v", e.Instance, e.Kind)
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

// Status returns the number that the client is told at the end of the
// operation: 14 for bad credentials, 25 for an unreachable directory, 18 for
// everything that an administrator has to mend.
func (e *Error) Status() int {
	switch {
	case errors.Is(e.Kind, ErrCredentials):
		return statusLogin
	case errors.Is(e.Kind, ErrUnreachable):
		return statusDirectory
	}
	return statusMisconfiguration
}

// User is a person who proved to be who they say.
type User struct {
	// ID is the authenticated user id; token records carry it.
	ID string
	// DN is the directory entry.
	DN string
	// Attributes are the entry's values by attribute name as configuration
	// spells it, as many as were asked for and found.
	Attributes map[string][]string
}

// First returns the first value of an attribute, empty when there is none.
func (u User) First(name string) string {
	if v := u.Attributes[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Authenticator is one configured way to log in.
type Authenticator interface {
	// Prompt describes what to ask for, in the language of locale ("en", "fr").
	Prompt(locale string) Prompt
	// Authenticate decides. Errors are [*Error]. One call is one try; callers
	// that allow several count them.
	Authenticate(ctx context.Context, c Credentials) (User, error)
}
