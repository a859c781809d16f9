package connector

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// CACode says why a CA did not do what it was asked for, as far as the asker can act on it.
type CACode string

// The codes.
const (
	CABadRequest     CACode = "badRequest"     // the request is malformed; repeating it is of no use
	CARefused        CACode = "refused"        // profile or state of the CA do not allow it
	CANotFound       CACode = "notFound"       // no such certificate or profile
	CAConflict       CACode = "conflict"       // the request id was used for another request
	CAAlreadyRevoked CACode = "alreadyRevoked" // revoked for good, for another reason
	CANotOnHold      CACode = "notOnHold"      // release of what is revoked for good
	CAInternal       CACode = "internal"       // the CA failed; the request may be repeated
)

// Sentinels for errors.Is, one for each code. They match every *CAError of the same code.
var (
	ErrCABadRequest     = &CAError{Code: CABadRequest}
	ErrCARefused        = &CAError{Code: CARefused}
	ErrCANotFound       = &CAError{Code: CANotFound}
	ErrCAConflict       = &CAError{Code: CAConflict}
	ErrCAAlreadyRevoked = &CAError{Code: CAAlreadyRevoked}
	ErrCANotOnHold      = &CAError{Code: CANotOnHold}
	ErrCAInternal       = &CAError{Code: CAInternal}
)

var caCodeText = map[CACode]string{
	CABadRequest: "request is malformed", CARefused: "request is refused",
	CANotFound: "not found", CAConflict: "request id was used for another request",
	CAAlreadyRevoked: "certificate is revoked already",
	CANotOnHold:      "certificate is not on hold", CAInternal: "certificate authority failed",
}

// CAError is a request that a CA understood and did not fulfil. Over HTTPS code and reason travel,
// the reason of CAInternal excepted: it stays in the CA's log.
type CAError struct {
	Code CACode
	Err  error // the reason, nil when only the code is known
}

// Error gives the code in words, and the reason when there is one.
func (e *CAError) Error() string {
	text, ok := caCodeText[e.Code]
	if !ok {
		text = fmt.Sprintf("certificate authority answered %.40q", string(e.Code))
	}
	if e.Err == nil {
		return text
	}
	return text + ": " + e.Err.Error()
}

// Unwrap gives the reason.
func (e *CAError) Unwrap() error { return e.Err }

// Is matches any *CAError of the same code.
func (e *CAError) Is(target error) bool {
	t, ok := target.(*CAError)
	return ok && t.Code == e.Code
}

// CAErrorf makes a *CAError with a formatted reason.
func CAErrorf(code CACode, format string, args ...any) error {
	return &CAError{Code: code, Err: fmt.Errorf(format, args...)}
}

// CACodeOf gives the code of the outermost *CAError in err's chain, CAInternal for anything else,
// "" for nil.
func CACodeOf(err error) CACode {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*CAError](err); ok {
		return e.Code
	}
	return CAInternal
}

// plainText says whether s is UTF-8 of printable characters.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
