package vpcd

import (
	"context"
	"errors"
)

// Echo is a card that answers every command with the command itself and 9000: a baseline for
// measuring a card on the same sockets, and a probe for a reader. The zero value is ready.
type Echo struct {
	on  bool
	out []byte
}

var errNoPower = errors.New("no power")

// PowerOn implements Card.
func (e *Echo) PowerOn() error { e.on = true; return nil }

// PowerOff implements Card.
func (e *Echo) PowerOff() error { e.on = false; return nil }

// Reset implements Card.
func (e *Echo) Reset() error { return nil }

// ATR implements Card: direct convention, T=1 alone, no historical bytes (ISO/IEC 7816-3 §8).
func (e *Echo) ATR() []byte { return []byte{0x3B, 0x80, 0x01, 0x81} }

// Transmit implements Card. The response is valid until the next call; a command too long for its
// echo gets 6700.
func (e *Echo) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	if !e.on {
		return nil, errNoPower
	}
	if len(cmd) > MaxMessage-2 {
		return []byte{0x67, 0x00}, nil
	}
	e.out = append(append(e.out[:0], cmd...), 0x90, 0x00)
	return e.out, nil
}
