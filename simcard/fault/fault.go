// Package fault makes a virtual card fail on purpose: its power goes at a chosen write to its
// memory, or at a chosen command, whose answer may or may not have been made.
//
// It decorates cards and knows nothing of what commands mean. Every fault happens once; what comes
// after it meets a card that works.
package fault

import (
	"context"
	"errors"
	"sync"

	"tokenwright/simcard/nvm"
)

// Card is a card in a reader.
type Card interface {
	PowerOn() error
	PowerOff() error
	Reset() error
	ATR() []byte
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

// ErrPulled is given by Transmit when the card leaves the reader.
var ErrPulled = errors.New("the card was pulled")

// Writes counts the physical writes to a card's memory and cuts one of them. Its Hook goes into the
// card; it is safe for concurrent use.
type Writes struct {
	mu  sync.Mutex
	n   uint64
	at  uint64
	cut nvm.Cut
}

// AtWrite cuts the power at write number at, counted from 1.
func AtWrite(at uint64, cut nvm.Cut) *Writes { return &Writes{at: at, cut: cut} }

// CountWrites counts and cuts nothing.
func CountWrites() *Writes { return &Writes{} }

// Hook is asked by the memory before every write.
func (w *Writes) Hook(nvm.Write) nvm.Cut {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	if w.n == w.at {
		return w.cut
	}
	return nvm.Keep
}

// Count is the number of writes so far, and Hit tells whether the one to be cut was among them.
func (w *Writes) Count() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// Hit tells whether the write to be cut has come.
func (w *Writes) Hit() bool { return w.at > 0 && w.Count() >= w.at }

// Moment is when, around a command, a card is pulled.
type Moment uint8

// Moments.
const (
	Never  Moment = iota
	Before        // The command does not reach the card.
	After         // The card carries it out, and the answer is lost.
)

// Pulled is a card that is pulled at one command. Make one with Pull.
type Pulled struct {
	Card
	mu   sync.Mutex
	n    int
	at   int
	when Moment
}

// Pull gives the card c, to be pulled at command number at, counted from 1.
func Pull(c Card, at int, when Moment) *Pulled { return &Pulled{Card: c, at: at, when: when} }

// Count is the number of commands so far.
func (p *Pulled) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// Hit tells whether the card has been pulled.
func (p *Pulled) Hit() bool { return p.when != Never && p.Count() >= p.at }

// Transmit implements Card.
func (p *Pulled) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	p.mu.Lock()
	p.n++
	now := p.n == p.at && p.when != Never
	p.mu.Unlock()
	if !now {
		return p.Card.Transmit(ctx, cmd)
	}
	if p.when == After {
		if _, err := p.Card.Transmit(ctx, cmd); err != nil {
			return nil, err
		}
	}
	return nil, errors.Join(ErrPulled, p.PowerOff())
}
