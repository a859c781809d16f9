package token

import (
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/gp/keys"
)

// IntentKind names a step on a card that cannot be undone or that leaves the
// card half done when it is cut.
type IntentKind string

// The kinds of step. From and To of an intent hold key information for the two
// key steps and applet builds for the two applet steps.
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
)

// Valid reports whether k is one of the kinds.
func (k IntentKind) Valid() bool {
	switch k {
	case IntentPutKey, IntentDeleteKey, IntentDeleteApplet, IntentLoadApplet:
		return true
	}
	return false
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
	)
}
