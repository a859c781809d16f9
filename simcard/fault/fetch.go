package fault

import (
	"context"
	"sync"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// fetching is a card on T=0 (ISO/IEC 7816-3 §12.2): data that come back from a command with data
// wait for GET RESPONSE (61xx), and a command that expects another number of bytes than there are
// is told how many (6Cxx).
type fetching struct {
	Card
	mu    sync.Mutex
	ready []byte
	last  apdu.SW
}

// Fetching gives the card c as it is behind T=0.
func Fetching(c Card) Card { return &fetching{Card: c} }

// Transmit implements Card.
func (f *fetching) Transmit(ctx context.Context, b []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	cmd, err := apdu.Parse(b)
	if err != nil || cmd.Extended {
		return f.Card.Transmit(ctx, b)
	}
	if cmd.INS == gp.INSGetResponse && len(f.ready) > 0 {
		return f.give(cmd.Ne), nil
	}
	f.ready = nil
	resp, err := f.Card.Transmit(ctx, b)
	if err != nil || len(resp) <= 2 {
		return resp, err
	}
	data, sw := resp[:len(resp)-2], apdu.SW(uint16(resp[len(resp)-2])<<8|uint16(resp[len(resp)-1]))
	switch {
	case len(cmd.Data) > 0:
		f.ready, f.last = data, sw
		return more(len(data)), nil
	case cmd.Ne != 0 && cmd.Ne != len(data) && cmd.Ne < 256:
		return []byte{0x6C, byte(len(data))}, nil
	}
	return resp, nil
}

// give hands out what waits, as much as is asked for.
func (f *fetching) give(ne int) []byte {
	n := len(f.ready)
	if ne > 0 {
		n = min(n, ne)
	}
	out := f.ready[:n:n]
	f.ready = f.ready[n:]
	if len(f.ready) > 0 {
		return append(out, more(len(f.ready))...)
	}
	return append(out, byte(f.last>>8), byte(f.last))
}

func more(n int) []byte { return []byte{0x61, byte(min(n, 0xFF))} }
