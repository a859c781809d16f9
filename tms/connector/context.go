package connector

import (
	"context"
	"strings"
)

type contextKey int

const (
	sessionKey contextKey = iota
	callerKey
)

// MaxSessionID is the most characters a session id may have to travel between subsystems.
const MaxSessionID = 64

// InProcess is the caller's name when no TLS client certificate names one.
const InProcess = "in-process"

// WithSession gives a context that carries the id of a TPS session, so that the TKS's log can
// be read beside the TPS's. An id that is empty, longer than MaxSessionID, or holds anything
// but letters, digits, '-', '_' and '.' is not carried.
func WithSession(ctx context.Context, id string) context.Context {
	if !validSession(id) {
		return ctx
	}
	return context.WithValue(ctx, sessionKey, id)
}

// Session gives the session id that ctx carries, or "".
func Session(ctx context.Context) string {
	id, _ := ctx.Value(sessionKey).(string)
	return id
}

// WithCaller gives a context that carries the name of the authenticated peer.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey, name)
}

// Caller gives the name of the authenticated peer, InProcess when there is none.
func Caller(ctx context.Context) string {
	if name, ok := ctx.Value(callerKey).(string); ok {
		return name
	}
	return InProcess
}

func validSession(id string) bool {
	if id == "" || len(id) > MaxSessionID {
		return false
	}
	return !strings.ContainsFunc(id, badSessionRune)
}

// badSessionRune tells what may not stand in ids that go into headers and logs.
func badSessionRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune("-_.", r)
	}
}
