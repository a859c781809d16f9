package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tokenwright/tms/gp/keys"
)

// IntentKind names a step that cannot be undone, or that leaves a card half done
// when it is cut.
type IntentKind string

// The kinds of step. From and To of an intent hold key information for put_key and
// delete_key, applet builds for the two applet steps, and for the others the kind of
// key and what names it.
const (
	// IntentPutKey: the card's keys are replaced (PUT KEY). If the answer is
	// lost, the card holds either the old or the new keys.
	IntentPutKey IntentKind = "put_key"
	// IntentDeleteKey: a key version is removed (DELETE [key]).
	IntentDeleteKey IntentKind = "delete_key"
	// IntentDeleteApplet: the applet and its package are removed.
	IntentDeleteApplet IntentKind = "delete_applet"
	// IntentLoadApplet: a load file is written and installed.
	IntentLoadApplet IntentKind = "load_applet"
	// IntentSetPIN: the card's PIN is set.
	IntentSetPIN IntentKind = "set_pin"
	// IntentWriteKey: a key pair is generated on the card or brought to it, in
	// place of what its slots hold.
	IntentWriteKey IntentKind = "write_key"
	// IntentWriteContent: the card's objects are written.
	IntentWriteContent IntentKind = "write_content"
	// IntentArchiveKey: a KRA makes and archives a key pair.
	IntentArchiveKey IntentKind = "archive_key"
	// IntentIssueCert: a CA signs a certificate. Detail holds the request.
	IntentIssueCert IntentKind = "issue_cert"
	// IntentRevokeCert: a certificate is to be revoked. Detail says which.
	IntentRevokeCert IntentKind = "revoke_cert"
)

// intentKinds are all kinds.
var intentKinds = []IntentKind{
	IntentPutKey, IntentDeleteKey, IntentDeleteApplet, IntentLoadApplet, IntentSetPIN,
	IntentWriteKey, IntentWriteContent, IntentArchiveKey, IntentIssueCert, IntentRevokeCert,
}

// Valid reports whether k is one of the kinds.
func (k IntentKind) Valid() bool { return slices.Contains(intentKinds, k) }

// OnCard reports whether the step is one on the card itself, which a later
// operation that finishes there replaces. The others are promises to or from a CA
// or KRA: they stay open until they are kept.
func (k IntentKind) OnCard() bool {
	return k.Valid() && k != IntentArchiveKey && k != IntentIssueCert && k != IntentRevokeCert
}

// Outcome is what became of an intent. The zero value means that nobody knows
// yet: the intent is open.
type Outcome string

// The outcomes.
const (
	// OutcomeOpen: the step was announced and its end was never recorded.
	OutcomeOpen Outcome = ""
	// OutcomeDone: the step took effect.
	OutcomeDone Outcome = "done"
	// OutcomeFailed: the step did not take effect.
	OutcomeFailed Outcome = "failed"
	// OutcomeRepaired: a later operation replaced whatever the step left.
	OutcomeRepaired Outcome = "repaired"
)

// Closes reports whether o ends an intent.
func (o Outcome) Closes() bool {
	return o == OutcomeDone || o == OutcomeFailed || o == OutcomeRepaired
}

// Intent is the write-ahead record of a step that cannot be undone: stored
// before the step, closed after it. An open intent of a session that no longer
// runs says that the card may be in either state, From or To.
type Intent struct {
	// ID is chosen by whoever records the intent and is unique for ever.
	ID   string
	CUID keys.CUID
	// Session and Actor began the step.
	Session string
	Actor   string
	// Op is the operation that the step is part of.
	Op   Op
	Kind IntentKind
	From string
	To   string
	// Detail is all that finishing or undoing the step takes, in a form of whoever
	// recorded the intent; at most MaxDetail bytes, and no secret.
	Detail string
	// At is when the intent was recorded; the store sets it.
	At time.Time
	// Outcome, Ended and EndedBy (a session id) are set when the intent is
	// closed.
	Outcome Outcome
	Ended   time.Time
	EndedBy string
}

// Open reports whether the end of the step was never recorded.
func (i Intent) Open() bool { return i.Outcome == OutcomeOpen }

// String describes the intent for logs and activity messages.
func (i Intent) String() string {
	return fmt.Sprintf("%s from %s to %s", i.Kind, orNone(i.From), orNone(i.To))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// Validate reports whether the intent can be recorded.
func (i Intent) Validate() error {
	switch {
	case i.ID == "":
		return errors.New("intent: no id")
	case i.CUID == keys.CUID{}:
		return errors.New("intent: no CUID")
	case !i.Kind.Valid():
		return fmt.Errorf("intent: kind %s is not known", quote(string(i.Kind)))
	case !i.Op.Valid():
		return fmt.Errorf("intent: token operation %s is not known", quote(string(i.Op)))
	case i.Outcome != OutcomeOpen:
		return fmt.Errorf("intent: already %s", quote(string(i.Outcome)))
	}
	return errors.Join(
		checkText("intent: id", i.ID, MaxName),
		checkText("intent: session", i.Session, MaxName),
		checkText("intent: actor", i.Actor, MaxName),
		checkText("intent: from", i.From, MaxInfo),
		checkText("intent: to", i.To, MaxInfo),
		checkText("intent: detail", i.Detail, MaxDetail),
	)
}
