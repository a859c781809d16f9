package gp

import "fmt"

// CardState is the life cycle state of the card, that of its issuer security domain
// (GPCS 2.3.1 §5.1, Table 11-6).
type CardState byte

// Card states.
const (
	CardOPReady     CardState = 0x01
	CardInitialized CardState = 0x07
	CardSecured     CardState = 0x0F
	CardLocked      CardState = 0x7F
	CardTerminated  CardState = 0xFF
)

// Valid reports whether s is one of the five states.
func (s CardState) Valid() bool {
	switch s {
	case CardOPReady, CardInitialized, CardSecured, CardLocked, CardTerminated:
		return true
	default:
		return false
	}
}

// CanBecome reports whether a card in state s may change to state to: upwards up to SECURED, lock
// and unlock from SECURED, terminate from anywhere (GPCS 2.3.1 §5.1.2, §9.6.3, §9.6.4). A change to
// the state itself is none.
func (s CardState) CanBecome(to CardState) bool {
	if !s.Valid() || !to.Valid() || s == CardTerminated || s == to {
		return false
	}
	switch to {
	case CardTerminated:
		return true
	case CardLocked:
		return s == CardSecured
	case CardSecured:
		return true
	default:
		return to > s && s != CardLocked
	}
}

// String names the state.
func (s CardState) String() string {
	switch s {
	case CardOPReady:
		return "OP_READY"
	case CardInitialized:
		return "INITIALIZED"
	case CardSecured:
		return "SECURED"
	case CardLocked:
		return "CARD_LOCKED"
	case CardTerminated:
		return "TERMINATED"
	default:
		return fmt.Sprintf("state %02X", byte(s))
	}
}

// AppState is the life cycle state of an application (GPCS 2.3.1 §5.3.1, Table 11-4). Between
// SELECTABLE and LOCKED the bits 78 are the application's own. LOCKED is bit 80 over the state
// before.
type AppState byte

// Application states. Personalized is that of a security domain, and of CoolKey.
const (
	AppInstalled    AppState = 0x03
	AppSelectable   AppState = 0x07
	AppPersonalized AppState = 0x0F
	AppLocked       AppState = 0x80 // the bit
)

// Locked reports whether the lock bit is set.
func (s AppState) Locked() bool { return s&AppLocked != 0 }

// Selectable reports whether the application can be selected.
func (s AppState) Selectable() bool { return !s.Locked() && s&AppSelectable == AppSelectable }

// Lock returns the state with the lock bit set.
func (s AppState) Lock() AppState { return s | AppLocked }

// Unlock returns the state before the lock.
func (s AppState) Unlock() AppState { return s &^ AppLocked }

// String names the state.
func (s AppState) String() string {
	if s.Locked() {
		return "LOCKED from " + s.Unlock().String()
	}
	switch {
	case s == AppInstalled:
		return "INSTALLED"
	case s == AppSelectable:
		return "SELECTABLE"
	case s == AppPersonalized:
		return "PERSONALIZED"
	case s.Selectable():
		return fmt.Sprintf("application state %02X", byte(s))
	default:
		return fmt.Sprintf("state %02X", byte(s))
	}
}

// FileLoaded is the only life cycle state of an executable load file (GPCS 2.3.1 Table 11-3).
const FileLoaded = 0x01
