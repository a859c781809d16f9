// Package target is where a card under test is put: into the process itself, at the far end of a
// socket, or into a reader of the PC/SC service. It knows readers, not cards; it must not look
// into a card other than to make sure that it is the one that the harness put in.
package target

import (
	"context"
	"fmt"
	"strings"

	"tokenwright/vpcd"
)

// Target is a kind of place for cards. Parse makes one from what CARD says.
type Target interface {
	// Name says in words where the cards go.
	Name() string
	// Parallel is the number of cards that can be in place at once.
	Parallel() int
	// Enter waits until a scenario may begin: beside others, or alone in all places, for programs
	// that look into every reader. Whoever entered calls leave at the end.
	Enter(alone bool) (leave func())
	// Insert puts a card in and powers it. It waits for a free place.
	Insert(ctx context.Context, card vpcd.Card) (Inserted, error)
	// Close gives everything back.
	Close() error
}

// Inserted is a powered card in its place.
type Inserted interface {
	// Transmit sends one command APDU and returns the response APDU.
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
	// ATR is the answer to the last reset.
	ATR() []byte
	// Reset is a cold reset.
	Reset(ctx context.Context) error
	// Remove takes the card out. The card itself keeps what its memory holds.
	Remove(ctx context.Context) error
}

// Lender is an inserted card that other programs can find: one in a reader of the PC/SC service.
type Lender interface {
	// Lend lets go of the card, which stays in the reader of that name. The next Transmit or Reset
	// takes it back; it waits for a program that still holds it, and then fails.
	Lend() (reader string, err error)
}

// Parse makes the target that CARD names: "sim" (the default) is a card in this process, "vpcd" a
// card at the far end of a socket to a reader written in Go, "pcsc:READER" or
// "pcsc:READER@HOST:PORT" a card in a reader of the PC/SC service that vsmartcard's driver serves
// at that address.
func Parse(spec string) (Target, error) {
	kind, rest, _ := strings.Cut(spec, ":")
	switch kind {
	case "sim":
		return inProcess{}, nil
	case "vpcd":
		return socket{}, nil
	case "pcsc":
		return newPCSC(rest)
	}
	return nil, fmt.Errorf("CARD=%q: want sim, vpcd or pcsc:READER", spec)
}
