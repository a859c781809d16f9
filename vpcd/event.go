package vpcd

import (
	"fmt"
	"net"
	"time"
)

// EventKind tells what happened at the slot.
type EventKind uint8

// What happens at the slot.
const (
	// CardInserted: the slot was empty and has a card now.
	CardInserted EventKind = iota + 1
	// CardRemoved: the slot is empty again; Event.Err says why.
	CardRemoved
	// CardTurnedAway: a card came while the slot was taken.
	CardTurnedAway
)

func (k EventKind) String() string {
	switch k {
	case CardInserted:
		return "card inserted"
	case CardRemoved:
		return "card removed"
	case CardTurnedAway:
		return "card turned away"
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Event is one happening at the slot.
type Event struct {
	Kind EventKind
	// Card is the address that the card connects from.
	Card net.Addr
	// Err is the reason of CardRemoved, nil otherwise.
	Err error
}

// ReaderOptions say how a reader behaves. The zero value is ready.
type ReaderOptions struct {
	// AllowRemote lets the reader listen where other machines can reach it. Nothing on the wire is
	// authenticated or encrypted.
	AllowRemote bool
	// Timeout is the watchdog of one exchange; 2 minutes when zero, as a card may take more than
	// one to generate a key. The caller's context may end it earlier.
	Timeout time.Duration
	// OnEvent is told what happens at the slot, in order, from one goroutine at a time; it must
	// not call the reader.
	OnEvent func(Event)
}

const defaultTimeout = 2 * time.Minute
