package token

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"tokenwright/tms/gp/keys"
)

// Bounds of the text that a record, activity or intent carries, in bytes.
// Everything in them comes from a card, a client or a directory.
const (
	MaxName    = 256  // a user, a token type, an actor, a session id
	MaxInfo    = 64   // an applet id, a key information
	MaxMessage = 1024 // a message or a reason given in words
	MaxDetail  = 8192 // the detail of an intent
)

// Record is what the system knows of one token. It is a plain value: copying it
// copies everything, and == compares two of them apart from time zones. It
// holds no secret.
type Record struct {
	// CUID identifies the card and the record.
	CUID keys.CUID
	// UserID is the person the token is bound to; empty when it is nobody's.
	UserID string
	// Type is the token type (profile) last applied.
	Type string
	// Status is the state; Reason follows from it.
	Status State
	Reason Reason
	// Before is the state that a Suspended token goes back to when it is found.
	// It means nothing in any other state.
	Before State
	// AppletID is the build of the applet on the card, as the card names it.
	AppletID string
	// KeyInfo is the key information of the card's keys in hex: key version and
	// secure channel protocol, for SCP03 the i parameter too ("0101", "010370").
	// Empty when it was never learnt.
	KeyInfo string
	// Policy is what this token's record states; the zero value states nothing.
	Policy Policy
	// Created and Modified are set by the store from the time of the change.
	Created  time.Time
	Modified time.Time
	// ModifiedBy and ModifiedWhy are the actor and the reason of the latest
	// change, set by the store.
	ModifiedBy  string
	ModifiedWhy string
	// Rev counts changes; the store sets it. 0 means never stored.
	Rev int64
}

// NewRecord returns the record of a card seen for the first time: Unformatted,
// with the given policy and no user.
func NewRecord(cuid keys.CUID, p Policy) Record {
	return Record{CUID: cuid, Status: Unformatted, Policy: p}
}

// InState returns a copy of r that has moved to state s: the reason follows the
// state, and a token that becomes Suspended remembers where it came from.
// It does not ask whether the move is allowed; [Transitions] does.
func (r Record) InState(s State) Record {
	if s == Suspended && r.Status != Suspended {
		r.Before = r.Status
	}
	if s != Suspended {
		r.Before = Formatted
	}
	r.Status = s
	r.Reason = ReasonFor(s)
	return r
}

// Validate reports whether the record can be stored: a CUID that is not zero, a
// known state, and text within bounds.
func (r Record) Validate() error {
	switch {
	case r.CUID == keys.CUID{}:
		return errors.New("token record: no CUID")
	case !r.Status.Valid():
		return fmt.Errorf("token record: status code %d is not known", int8(r.Status))
	case !r.Before.Valid():
		return fmt.Errorf("token record: former status code %d is not known", int8(r.Before))
	}
	if _, err := ParseReason(string(r.Reason)); err != nil {
		return fmt.Errorf("token record: %w", err)
	}
	return errors.Join(
		checkText("token record: user", r.UserID, MaxName),
		checkText("token record: type", r.Type, MaxName),
		checkText("token record: applet id", r.AppletID, MaxInfo),
		checkText("token record: key information", r.KeyInfo, MaxInfo),
	)
}

// checkText refuses text that is too long, not UTF-8, or holds control
// characters, which have no place in a record and would forge lines in reports.
func checkText(what, text string, most int) error {
	if len(text) > most {
		return fmt.Errorf("%s: %d bytes, at most %d allowed", what, len(text), most)
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s: not UTF-8", what)
	}
	for _, c := range text {
		if unicode.IsControl(c) {
			return fmt.Errorf("%s: control character %U", what, c)
		}
	}
	return nil
}

// CleanMessage makes foreign text (an error's chain, say) fit to be the message
// of an activity: control characters become spaces, broken UTF-8 is replaced,
// and what exceeds MaxMessage bytes is cut.
func CleanMessage(text string) string {
	out := make([]byte, 0, min(len(text), MaxMessage))
	for _, c := range text {
		if unicode.IsControl(c) {
			c = ' '
		}
		if len(out)+utf8.RuneLen(c) > MaxMessage {
			break
		}
		out = utf8.AppendRune(out, c)
	}
	return string(out)
}
