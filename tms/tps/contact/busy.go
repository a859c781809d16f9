package contact

import (
	"sync"

	"tokenwright/tms/gp/keys"
)

// Busy knows the cards that sessions are at work with. The zero value knows none.
type Busy struct {
	mu    sync.Mutex
	cards map[keys.CUID]int
}

// With tells whether a session is at work with the card.
func (b *Busy) With(cuid keys.CUID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cards[cuid] > 0
}

// Enter says that a session is at work with the card until the returned function is
// called.
func (b *Busy) Enter(cuid keys.CUID) (leave func()) {
	if b == nil {
		return func() {}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cards == nil {
		b.cards = make(map[keys.CUID]int)
	}
	b.cards[cuid]++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.cards[cuid]--; b.cards[cuid] == 0 {
			delete(b.cards, cuid)
		}
	}
}
