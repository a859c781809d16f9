package fault

import (
	"context"
	"sync"

	"tokenwright/tms/gp/apdu"
)

// Match picks commands. n is how many commands the card has seen, this one included.
type Match func(cmd []byte, n int) bool

// INS matches commands by their instruction byte, protected or not.
func INS(ins byte) Match {
	return func(cmd []byte, _ int) bool { return len(cmd) >= 4 && cmd[1] == ins }
}

// Nth matches the n-th command, counted from 1.
func Nth(n int) Match { return func(_ []byte, i int) bool { return i == n } }

// Changed is a card whose answers to some commands are changed on the way out. The card itself has
// done what it was told.
type Changed struct {
	Card
	match  Match
	change func(cmd, resp []byte) ([]byte, error)

	mu sync.Mutex
	n  int
}

// Change gives the card c with change applied to the answers of matched commands. change may keep
// the answer's slice.
func Change(c Card, match Match, change func(cmd, resp []byte) ([]byte, error)) *Changed {
	return &Changed{Card: c, match: match, change: change}
}

// Transmit implements Card.
func (c *Changed) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	c.mu.Lock()
	c.n++
	hit := c.match(cmd, c.n)
	c.mu.Unlock()
	resp, err := c.Card.Transmit(ctx, cmd)
	if err != nil || !hit {
		return resp, err
	}
	return c.change(cmd, resp)
}

// WrongSW answers matched commands with sw and no data, whatever the card did.
func WrongSW(c Card, match Match, sw apdu.SW) *Changed {
	return Change(c, match, func([]byte, []byte) ([]byte, error) {
		return apdu.Response{SW: sw}.Bytes(), nil
	})
}

// FlipBit flips one bit of the answers to matched commands: bit 0 is the highest of the first byte.
// An answer that is shorter stays whole.
func FlipBit(c Card, match Match, bit int) *Changed {
	return Change(c, match, func(_, resp []byte) ([]byte, error) {
		if at := bit / 8; at < len(resp) {
			resp[at] ^= 0x80 >> (bit % 8)
		}
		return resp, nil
	})
}
