package scene

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"tokenwright/tms/gp/decode"
	"tokenwright/vpcd"
)

// shown is how many exchanges a printed trace ends with.
const shown = 40

// tap stands in front of a card and hears what passes, whoever sends it.
type tap struct {
	vpcd.Card

	mu    sync.Mutex
	heard []Exchange
}

// Transmit implements vpcd.Card.
func (t *tap) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	answer, err := t.Card.Transmit(ctx, cmd)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heard) < maxLog {
		t.heard = append(t.heard, Exchange{append([]byte(nil), cmd...), append([]byte(nil), answer...)})
	}
	return answer, err
}

func (t *tap) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = nil
}

// Heard is what programs have sent to the card, and its answers, since it was last lent.
func (c *Card) Heard() []Exchange {
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	return append([]Exchange(nil), c.tap.heard...)
}

// Trace prints the end of Heard for a person to read, secrets masked.
func (c *Card) Trace() string {
	heard := c.Heard()
	var b strings.Builder
	if n := len(heard) - shown; n > 0 {
		fmt.Fprintf(&b, "(%d earlier exchanges)\n", n)
		heard = heard[n:]
	}
	for _, e := range heard {
		fmt.Fprintf(&b, "> %s\n", decode.Command(e.Command, decode.Options{}))
		fmt.Fprintf(&b, "< %s\n", decode.Response(e.Command, e.Answer, decode.Options{}))
	}
	return b.String()
}
