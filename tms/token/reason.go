package token

import (
	"fmt"
	"strings"
)

// Reason says why a token left regular use. It follows from the state and
// selects the recovery and revocation rules of configuration
// (recovery.<reason>). The zero value is no reason.
type Reason string

// The reasons, spelled as configuration and stored records spell them.
const (
	ReasonNone          Reason = ""
	ReasonKeyCompromise Reason = "keyCompromise"
	ReasonDestroyed     Reason = "destroyed"
	ReasonOnHold        Reason = "onHold"
	ReasonTerminated    Reason = "terminated"
)

// ReasonFor returns the reason stored with a token that enters state s.
func ReasonFor(s State) Reason {
	switch s {
	case PermLost:
		return ReasonKeyCompromise
	case Damaged:
		return ReasonDestroyed
	case Suspended:
		return ReasonOnHold
	case Terminated:
		return ReasonTerminated
	default:
		return ReasonNone
	}
}

// ParseReason reads a stored reason without regard to case. Empty text is
// ReasonNone.
func ParseReason(text string) (Reason, error) {
	for _, r := range []Reason{
		ReasonNone, ReasonKeyCompromise, ReasonDestroyed, ReasonOnHold, ReasonTerminated,
	} {
		if strings.EqualFold(text, string(r)) {
			return r, nil
		}
	}
	return ReasonNone, fmt.Errorf("token reason %s is not known", quote(text))
}
