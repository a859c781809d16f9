package token

import (
	"errors"
	"fmt"
	"strings"
)

// Transition is one step between two states.
type Transition struct{ From, To State }

// String returns the step as transition lists write it, such as "0:4".
func (t Transition) String() string {
	return fmt.Sprintf("%d:%d", t.From.Code(), t.To.Code())
}

// Describe returns the step for people, such as "FORMATTED to ACTIVE (0:4)".
func (t Transition) Describe() string {
	return fmt.Sprintf("%s to %s (%s)", t.From, t.To, t)
}

// Transitions is a set of steps. The zero value allows none. Two sets are equal
// exactly when == says so.
type Transitions struct {
	to [stateLimit]uint8 // by From: one bit for each To
}

// NewTransitions returns the set of the given steps. A step from or to
// something that is no state is left out.
func NewTransitions(steps ...Transition) Transitions {
	var t Transitions
	for _, s := range steps {
		if s.From.Valid() && s.To.Valid() {
			t.to[s.From] |= 1 << s.To
		}
	}
	return t
}

// The lists that the system ships with. Instances may take steps away; of those that are
// permitted beyond them, they may take the ones that files of older systems name.
const (
	shippedManual     = "0:1,0:2,0:3,0:6,3:2,3:6,4:1,4:2,4:3,4:6,6:7,3:0,3:4"
	formerManual      = "1:2,7:1,7:2,6:1,6:2,3:1"
	shippedOperations = "0:0,0:4,4:4,4:0,7:0"
)

// ManualTransitions is the shipped list of moves made by people
// (tokendb.allowedTransitions).
func ManualTransitions() Transitions { return mustParse(shippedManual) }

// PermittedManualTransitions are the moves by people that an instance may allow: the
// shipped ones, and those that older systems shipped, so that their files can be read.
func PermittedManualTransitions() Transitions {
	return mustParse(shippedManual + "," + formerManual)
}

// OperationTransitions is the shipped list of moves made by operations on the
// card (tps.operations.allowedTransitions), and all that an instance may allow.
func OperationTransitions() Transitions { return mustParse(shippedOperations) }

// mustParse reads a list of this file.
func mustParse(list string) Transitions {
	t, err := parseList(list, nil)
	if err != nil {
		panic("token: shipped transition list: " + err.Error())
	}
	return t
}

// maxTransitionList bounds the text of a list, in bytes. All 49 steps take less
// than 200.
const maxTransitionList = 2048

// ParseTransitions reads a configured list such as "0:1,0:2,4:6". Every step
// must be in permitted; the error names the first that is not. Blanks around
// items are passed over, the same step may be named twice, the retired code 5
// reads as 2, and empty text is the empty set.
func ParseTransitions(list string, permitted Transitions) (Transitions, error) {
	return parseList(list, func(step Transition) error {
		if permitted.Allows(step.From, step.To) {
			return nil
		}
		return fmt.Errorf("%s is not among the permitted ones, %s", step.Describe(), permitted)
	})
}

func parseList(list string, check func(Transition) error) (Transitions, error) {
	if len(list) > maxTransitionList {
		return Transitions{}, fmt.Errorf("transition list: %d bytes, at most %d allowed",
			len(list), maxTransitionList)
	}
	var t Transitions
	if strings.TrimSpace(list) == "" {
		return t, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		step, err := parseTransition(strings.TrimSpace(item))
		if err == nil && check != nil {
			err = check(step)
		}
		if err != nil {
			return Transitions{}, fmt.Errorf("transition %s: %w", quote(item), err)
		}
		t.to[step.From] |= 1 << step.To
	}
	return t, nil
}

func parseTransition(item string) (Transition, error) {
	from, to, found := strings.Cut(item, ":")
	if !found || !isCode(from) || !isCode(to) {
		return Transition{}, errors.New("not of the form CODE:CODE")
	}
	f, err := ParseState(from)
	if err != nil {
		return Transition{}, err
	}
	t, err := ParseState(to)
	if err != nil {
		return Transition{}, err
	}
	return Transition{From: f, To: t}, nil
}

// Allows reports whether the step from one state to the other is in the set.
func (t Transitions) Allows(from, to State) bool {
	return from.Valid() && to.Valid() && t.to[from]>>to&1 == 1
}

// List returns the steps ordered by their codes. The caller owns the slice.
func (t Transitions) List() []Transition {
	var steps []Transition
	for _, from := range States() {
		for _, to := range States() {
			if t.Allows(from, to) {
				steps = append(steps, Transition{From: from, To: to})
			}
		}
	}
	return steps
}

// String returns the list in its configuration form, ordered by codes.
// ParseTransitions reads it back.
func (t Transitions) String() string {
	var b strings.Builder
	for i, step := range t.List() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(step.String())
	}
	return b.String()
}

// NextByHand returns the states that a person may move the token to, by the
// manual list t. A Suspended token that is found goes back to where it came
// from and nowhere else: Formatted and Active are offered by that, whatever the
// list says.
func (t Transitions) NextByHand(r Record) []State {
	var next []State
	for _, to := range States() {
		if t.AllowsByHand(r, to) {
			next = append(next, to)
		}
	}
	return next
}

// AllowsByHand reports whether a person may move the token to state to; see
// [Transitions.NextByHand].
func (t Transitions) AllowsByHand(r Record, to State) bool {
	if r.Status == Suspended && (to == Formatted || to == Active) {
		return to == r.Before
	}
	return t.Allows(r.Status, to)
}
