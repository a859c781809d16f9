package token

import (
	"fmt"
	"strconv"
	"strings"
)

// State is where a token stands in its life. The numbers are part of the
// configuration format (the transition lists) and of stored records.
//
// The zero value is Formatted, because its number is 0; a new record therefore
// comes from [NewRecord], which starts it Unformatted.
type State int8

// The states. Number 5 is a hole: it belonged to a state, "temporarily lost,
// then permanently lost", that was retired. It is never written again, must
// never be given to another state, and reads as PermLost (see [ParseState] and
// [StateFromCode]).
const (
	Formatted   State = 0
	Damaged     State = 1
	PermLost    State = 2
	Suspended   State = 3
	Active      State = 4
	Terminated  State = 6
	Unformatted State = 7
)

// retiredLost is the code in the hole.
const retiredLost = 5

// stateLimit bounds the codes: every State is below it.
const stateLimit = 8

var stateNames = [stateLimit]string{
	Formatted:   "FORMATTED",
	Damaged:     "DAMAGED",
	PermLost:    "PERM_LOST",
	Suspended:   "SUSPENDED",
	Active:      "ACTIVE",
	Terminated:  "TERMINATED",
	Unformatted: "UNFORMATTED",
}

var stateLabels = [stateLimit]string{
	Formatted:   "Formatted (uninitialized)",
	Damaged:     "Physically damaged",
	PermLost:    "Permanently lost",
	Suspended:   "Suspended (temporarily lost)",
	Active:      "Active",
	Terminated:  "Terminated",
	Unformatted: "Unformatted",
}

// formerNames are names that older databases and scripts still hold.
var formerNames = map[string]State{
	"UNINITIALIZED":       Formatted,
	"TEMP_LOST":           Suspended,
	"TEMP_LOST_PERM_LOST": PermLost,
}

// States returns all states in the order of their codes. The caller owns the
// slice.
func States() []State {
	return []State{Formatted, Damaged, PermLost, Suspended, Active, Terminated, Unformatted}
}

// Valid reports whether s is one of the states.
func (s State) Valid() bool {
	return s >= 0 && s < stateLimit && stateNames[s] != ""
}

// String returns the name, such as FORMATTED. A value that is no state prints
// as its number in brackets.
func (s State) String() string {
	if !s.Valid() {
		return fmt.Sprintf("STATE(%d)", int8(s))
	}
	return stateNames[s]
}

// Label returns the English text shown to people, such as "Physically damaged".
// It is the default that an instance's own labels replace.
func (s State) Label() string {
	if !s.Valid() {
		return s.String()
	}
	return stateLabels[s]
}

// Code returns the number used in transition lists and stored records.
func (s State) Code() int { return int(s) }

// StateFromCode turns a stored or configured number into a State. The retired
// code 5 reads as PermLost; any other unknown number is an error.
func StateFromCode(code int) (State, error) {
	if code == retiredLost {
		return PermLost, nil
	}
	if code < 0 || code >= stateLimit || stateNames[code] == "" {
		return 0, fmt.Errorf("token state code %d is not known", code)
	}
	return State(code), nil
}

// ParseState reads a state from its name or its code, as people and older
// databases write it. Names are read without regard to case; the former names
// UNINITIALIZED, TEMP_LOST and TEMP_LOST_PERM_LOST are understood.
func ParseState(text string) (State, error) {
	name := strings.ToUpper(strings.TrimSpace(text))
	for _, s := range States() {
		if stateNames[s] == name {
			return s, nil
		}
	}
	if s, ok := formerNames[name]; ok {
		return s, nil
	}
	if isCode(name) {
		code, err := strconv.Atoi(name)
		if err == nil {
			return StateFromCode(code)
		}
	}
	return 0, fmt.Errorf("token state %s is not known", quote(text))
}

// isCode reports whether text is one to three decimal digits.
func isCode(text string) bool {
	if len(text) == 0 || len(text) > 3 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// MarshalText writes the name. A value that is no state is an error, so that
// nothing unreadable is stored.
func (s State) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("token state code %d is not known", int8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads what [ParseState] reads.
func (s *State) UnmarshalText(text []byte) error {
	got, err := ParseState(string(text))
	if err != nil {
		return err
	}
	*s = got
	return nil
}

// quote renders foreign text for an error message: quoted, escaped, and cut to
// a length that keeps the message readable.
func quote(text string) string {
	const most = 60
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strconv.Quote(text)
}
