package fault

import (
	"context"
	"errors"
	"sync"
)

// ErrMute is given by Transmit when the card does not answer, and the reader gives up.
var ErrMute = errors.New("the card does not answer")

// Muted is a card that stops answering after a matched command, until it has been without power. A
// warm reset does not help.
type Muted struct {
	Card
	match Match

	mu   sync.Mutex
	n    int
	mute bool
}

// Mute gives the card c, which answers one matched command and then no more.
func Mute(c Card, match Match) *Muted { return &Muted{Card: c, match: match} }

// PowerOff implements Card.
func (m *Muted) PowerOff() error {
	m.mu.Lock()
	m.mute = false
	m.mu.Unlock()
	return m.Card.PowerOff()
}

// Reset implements Card.
func (m *Muted) Reset() error {
	if m.isMute() {
		return ErrMute
	}
	return m.Card.Reset()
}

func (m *Muted) isMute() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mute
}

// Transmit implements Card.
func (m *Muted) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if m.isMute() {
		return nil, ErrMute
	}
	resp, err := m.Card.Transmit(ctx, cmd)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	m.mute = m.match(cmd, m.n)
	return resp, err
}

// ResetBefore gives the card c, which resets itself before matched commands, as cards do whose power
// dips.
func ResetBefore(c Card, match Match) Card { return &resetting{Card: c, match: match} }

type resetting struct {
	Card
	match Match

	mu sync.Mutex
	n  int
}

// Transmit implements Card.
func (r *resetting) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	r.mu.Lock()
	r.n++
	hit := r.match(cmd, r.n)
	r.mu.Unlock()
	if hit {
		if err := r.Reset(); err != nil {
			return nil, err
		}
	}
	return r.Card.Transmit(ctx, cmd)
}
