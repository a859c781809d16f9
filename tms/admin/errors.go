package admin

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is what a caller is told about a request that failed.
type Error struct {
	Status int // of HTTP
	// Message is for people; it holds nothing that the caller may not know.
	Message string
	// Cause is for the log alone.
	Cause error
}

// Error gives the message and the cause.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Cause)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error whose message says all.
func Errorf(status int, format string, args ...any) error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// BadRequest is an error about what was sent.
func BadRequest(format string, args ...any) error {
	return Errorf(http.StatusBadRequest, format, args...)
}

// NotFound is an error about what is not there.
func NotFound(format string, args ...any) error {
	return Errorf(http.StatusNotFound, format, args...)
}

// StatusOf gives the HTTP status that an error of a request, or of a client, stands for; 0 when it
// is no Error.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// failure is the form of an error, as clients of Dogtag read it.
type failure struct {
	ClassName string `json:"ClassName"`
	Code      int    `json:"Code"`
	Message   string `json:"Message"`
}

// classOf names the class by which Dogtag's clients know an error.
func classOf(status int) string {
	name, ok := map[int]string{
		http.StatusBadRequest:   "BadRequestException",
		http.StatusUnauthorized: "UnauthorizedException",
		http.StatusForbidden:    "ForbiddenException",
		http.StatusNotFound:     "ResourceNotFoundException",
		http.StatusConflict:     "ConflictingOperationException",
	}[status]
	if !ok {
		name = "PKIException"
	}
	return "com.netscape.certsrv.base." + name
}
