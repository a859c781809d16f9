package pcsc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What can be wrong, for a caller to decide on with errors.Is. Where the library gave a reason of
// its own, it is in the chain too.
var (
	// ErrUnavailable says that this binary was built without PC/SC.
	ErrUnavailable = errors.New("PC/SC is not in this binary")
	// ErrNoService says that pcscd is not running or can't be reached.
	ErrNoService = errors.New("PC/SC service is not running (start pcscd)")
	// ErrNoReader says that no reader of that name is attached.
	ErrNoReader = errors.New("no such reader")
	// ErrNoCard says that the reader is empty.
	ErrNoCard = errors.New("no card in the reader")
	// ErrAmbiguous says that no reader was named and more than one holds a card.
	ErrAmbiguous = errors.New("more than one reader holds a card")
	// ErrInUse says that another program has the card.
	ErrInUse = errors.New("card is in use by another program")
	// ErrMute says that the card gave no usable answer to reset.
	ErrMute = errors.New("card does not answer to reset")
	// ErrRemoved says that the card left; whether it carried out the last command is unknown.
	ErrRemoved = errors.New("card was removed")
	// ErrReset says that another program reset the card: what was selected, verified and opened
	// before is gone. Reset takes the card up again.
	ErrReset = errors.New("card was reset by another program")
	// ErrTransmission says that reader and card failed to exchange a command.
	ErrTransmission = errors.New("reader and card failed to exchange the command")
	// ErrTimeout says that the watchdog ended the wait for a card's answer.
	ErrTimeout = errors.New("card did not answer in time")
	// ErrAbandoned says that an earlier call on this card was given up while the library was in it.
	// The card must be closed and opened again.
	ErrAbandoned = errors.New("an earlier call on this card was abandoned")
	// ErrClosed says that the card was closed by its owner.
	ErrClosed = errors.New("card is closed")
	// ErrCommandLength refuses a command that is empty or longer than the longest extended one.
	ErrCommandLength = errors.New("command of that length can't be sent")
)

// Protocol is the transmission protocol between reader and card (ISO/IEC 7816-3).
type Protocol uint8

// Protocols; as an option they can be combined, and 0 leaves the choice to the reader.
const (
	T0 Protocol = 1 << iota
	T1
)

func (p Protocol) String() string {
	switch p {
	case T0:
		return "T=0"
	case T1:
		return "T=1"
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

// DefaultTimeout is the watchdog around one exchange: slow cards need more than a minute to
// generate a key.
const DefaultTimeout = 2 * time.Minute

// maxCommand is the longest extended command: header, Lc of 3, 65,535 bytes, Le of 2.
const maxCommand = 4 + 3 + 65535 + 2

// Options say how a card is opened. The zero value is ready.
type Options struct {
	// Shared lets other programs use the card too. Zero value: exclusive, since another program's
	// SELECT in the middle of a secure channel ends it.
	Shared bool
	// Protocol limits the choice.
	Protocol Protocol
	// Timeout is the watchdog around one exchange; DefaultTimeout when zero.
	Timeout time.Duration
	// Raw leaves T=0 to the caller: commands go to the reader as they are, and 61xx and 6Cxx come
	// back.
	Raw bool
}

// ReaderState is what a reader tells of itself.
type ReaderState struct {
	// Name of the reader, unique on this machine.
	Name string
	// Card says that a card is in it.
	Card bool
	// Mute says that the card did not answer to reset.
	Mute bool
	// InUse says that a program has the card, Exclusive that it lets no other have it.
	InUse, Exclusive bool
	// ATR of the card, empty without one.
	ATR []byte
	// Events counts insertions and removals where the reader counts them, so that a card swapped
	// for its twin is noticed.
	Events uint16
}

// same says whether both tell the same as far as WaitChange is concerned: cards, not their users.
func (s ReaderState) same(o ReaderState) bool {
	return s.Name == o.Name && s.Card == o.Card && s.Mute == o.Mute &&
		s.Events == o.Events && bytes.Equal(s.ATR, o.ATR)
}

func changed(before, after []ReaderState) bool {
	return !slices.EqualFunc(before, after, ReaderState.same)
}

// pick chooses the reader to open: the one of that name, or with no name the only one with a card.
func pick(states []ReaderState, name string) (string, error) {
	var with []string
	for _, s := range states {
		if name != "" && s.Name == name {
			return name, nil
		}
		if s.Card {
			with = append(with, s.Name)
		}
	}
	switch {
	case name != "":
		return "", fmt.Errorf("%w: %q", ErrNoReader, name)
	case len(states) == 0:
		return "", fmt.Errorf("%w: none is attached", ErrNoReader)
	case len(with) == 0:
		return "", ErrNoCard
	case len(with) > 1:
		return "", fmt.Errorf("%w: %q", ErrAmbiguous, with)
	}
	return with[0], nil
}
