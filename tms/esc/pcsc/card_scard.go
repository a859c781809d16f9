//go:build pcsc && cgo

package pcsc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ebfe/scard"
)

const (
	// wakeUp is how long Open tries again while the reader still powers the card up.
	wakeUp      = time.Second
	wakeUpEvery = 50 * time.Millisecond
)

// Card is a card in a reader, opened and powered. It is safe for concurrent use; exchanges happen
// one at a time.
type Card struct {
	o      Options
	reader string
	ctx    *scard.Context
	card   *scard.Card
	line   *line

	mu     sync.Mutex
	atr    []byte
	proto  Protocol
	closed bool
}

// Open opens the card in the reader of that name, for this program alone. An empty name is the only
// reader that holds a card.
func Open(ctx context.Context, reader string) (*Card, error) {
	return OpenWith(ctx, reader, Options{})
}

// OpenWith is Open with options. Errors: ErrNoService, ErrNoReader, ErrNoCard, ErrAmbiguous,
// ErrInUse, ErrMute, the error of ctx.
func OpenWith(ctx context.Context, reader string, o Options) (*Card, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	sc, err := establish()
	if err != nil {
		return nil, err
	}
	c := &Card{o: o, ctx: sc, line: newLine()}
	if err := c.open(ctx, reader); err != nil {
		// A call that was given up is still inside the library, which keeps the context then.
		if !c.line.dead.Load() {
			_ = sc.Release()
		}
		return nil, fmt.Errorf("opening card: %w", err)
	}
	return c, nil
}

func (c *Card) open(ctx context.Context, reader string) error {
	states, err := look(c.ctx)
	if err != nil {
		return err
	}
	if c.reader, err = pick(states, reader); err != nil {
		return err
	}
	_, err = c.line.do(ctx, c.o.Timeout, func() ([]byte, error) {
		card, err := c.connect(ctx)
		if err != nil {
			return nil, err
		}
		c.card = card
		return nil, c.refresh()
	})
	if err != nil {
		return fmt.Errorf("reader %q: %w", c.reader, err)
	}
	return nil
}

func (c *Card) mode() scard.ShareMode {
	if c.o.Shared {
		return scard.ShareShared
	}
	return scard.ShareExclusive
}

func (c *Card) protocols() scard.Protocol {
	var p scard.Protocol
	if c.o.Protocol&T0 != 0 {
		p |= scard.ProtocolT0
	}
	if c.o.Protocol&T1 != 0 {
		p |= scard.ProtocolT1
	}
	if p == 0 {
		return scard.ProtocolAny
	}
	return p
}

// connect tries again for a moment while the card, just inserted, is not powered yet.
func (c *Card) connect(ctx context.Context) (*scard.Card, error) {
	for end := time.Now().Add(wakeUp); ; {
		card, err := c.ctx.Connect(c.reader, c.mode(), c.protocols())
		if err == nil {
			return card, nil
		}
		if !errors.Is(err, scard.ErrUnpoweredCard) || time.Now().After(end) {
			return nil, translate(err)
		}
		select {
		case <-time.After(wakeUpEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// refresh learns ATR and protocol after a reset.
func (c *Card) refresh() error {
	status, err := c.card.Status()
	if err != nil {
		return fmt.Errorf("asking for the ATR: %w", translate(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atr = slices.Clone(status.Atr)
	switch p := c.card.ActiveProtocol(); p {
	case scard.ProtocolT0:
		c.proto = T0
	case scard.ProtocolT1:
		c.proto = T1
	default:
		return fmt.Errorf("reader and card agreed on unknown protocol %d", p)
	}
	return nil
}

// Reader returns the name of the reader.
func (c *Card) Reader() string { return c.reader }

// ATR returns the answer to the last reset; the slice is the caller's.
func (c *Card) ATR() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.atr)
}

// Protocol returns the protocol in use.
func (c *Card) Protocol() Protocol {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proto
}

// Transmit sends a command APDU and returns the whole response, which is the caller's.
//
// When ctx ends or the watchdog fires before the answer, the library is still in the call: the card
// is lost to this program until it is closed and opened again. Errors: ErrCommandLength,
// ErrRemoved, ErrReset, ErrTransmission, ErrTimeout, ErrAbandoned, ErrClosed, ErrNoService, the
// error of ctx.
func (c *Card) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if len(cmd) == 0 || len(cmd) > maxCommand {
		return nil, fmt.Errorf("transmit: %w: %d bytes", ErrCommandLength, len(cmd))
	}
	send := c.exchange
	if !c.o.Raw && c.Protocol() == T0 {
		send = overT0(send)
	}
	rsp, err := send(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("transmit: %w", c.blame(err))
	}
	return rsp, nil
}

// exchange is one call of the library. The command is copied, as the call may outlive the caller.
func (c *Card) exchange(ctx context.Context, cmd []byte) ([]byte, error) {
	cmd = slices.Clone(cmd)
	return c.line.do(ctx, c.o.Timeout, func() ([]byte, error) {
		rsp, err := c.card.Transmit(cmd)
		// The binding's buffer is 64 KiB however short the answer.
		return bytes.Clone(rsp), translate(err)
	})
}

// Reset makes a warm reset: everything selected, verified and opened is gone. It is also how a card
// that another program reset is taken up again.
func (c *Card) Reset(ctx context.Context) error {
	return c.reconnect(ctx, "reset", scard.ResetCard)
}

// PowerCycle takes the power from the card and gives it back: a cold reset.
func (c *Card) PowerCycle(ctx context.Context) error {
	return c.reconnect(ctx, "power cycle", scard.UnpowerCard)
}

func (c *Card) reconnect(ctx context.Context, what string, how scard.Disposition) error {
	_, err := c.line.do(ctx, c.o.Timeout, func() ([]byte, error) {
		if err := c.card.Reconnect(c.mode(), c.protocols(), how); err != nil {
			return nil, translate(err)
		}
		return nil, c.refresh()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, c.blame(err))
	}
	return nil
}

// blame tells a card that its owner closed from one that was given up.
func (c *Card) blame(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed && errors.Is(err, ErrAbandoned) {
		return ErrClosed
	}
	return err
}

// Close lets go of the card: reset when it was held alone, so that no secure channel stays open
// for the next program, untouched when it was shared. It waits for an exchange in progress, but not
// for one that was given up, and returns ErrAbandoned then. Closing twice is no error.
func (c *Card) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		return nil
	}
	how := scard.ResetCard
	if c.o.Shared {
		how = scard.LeaveCard
	}
	err := c.line.close(func() error {
		err := c.card.Disconnect(how)
		if errors.Is(err, scard.ErrRemovedCard) || errors.Is(err, scard.ErrResetCard) {
			err = nil // nothing left to let go of
		}
		return errors.Join(translate(err), translate(c.ctx.Release()))
	})
	if err != nil {
		return fmt.Errorf("closing card: %w", err)
	}
	return nil
}
