package scene

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tokenwright/features/holder"
	"tokenwright/features/target"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/apdu"
)

// ErrPulled is what a client sees of a card that was taken out.
var ErrPulled = errors.New("the card was pulled")

// maxLog bounds what a card's log keeps, in exchanges.
const maxLog = 20_000

// Exchange is one command and its answer as they passed the reader. Answer is nil when none came.
type Exchange struct{ Command, Answer []byte }

// Fault decides what happens to a command; n counts commands since the fault was set, from 1.
type Fault func(n int, cmd []byte) Fate

// Forge is somebody between card and client, who changes answers; what it gives is what the client gets.
type Forge func(cmd, answer []byte) []byte

// Fate is what a Fault does to one command.
type Fate int

// The fates of a command.
const (
	Passes     Fate = iota // it reaches the card and the answer comes back
	Pulled                 // the card is gone before the command reaches it
	AnswerLost             // the card does it, and is gone before the answer is read
)

// Card is a card under test, in its reader or out of it, with a log of everything that passed.
type Card struct {
	Stock stock.Stock
	Sim   *simcard.Card
	// Held is what a holder's card holds; nil for others.
	Held *holder.Holding

	target target.Target
	tap    *tap

	mu    sync.Mutex
	in    target.Inserted
	log   []Exchange
	fault Fault
	forge Forge
	count int
}

// NewCard makes a blank card of a stock. The same seed makes the same card.
func NewCard(t target.Target, stockName string, seed int64, opts ...simcard.Option) (*Card, error) {
	st, err := stock.ByName(stockName)
	if err != nil {
		return nil, err
	}
	sim, err := simcard.New(st, append([]simcard.Option{simcard.WithSeed(seed)}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("making a %s card: %w", stockName, err)
	}
	return &Card{Stock: st, Sim: sim, target: t, tap: &tap{Card: sim}}, nil
}

// Insert puts the card into a reader. A card that is in stays.
func (c *Card) Insert(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in != nil {
		return nil
	}
	in, err := c.target.Insert(ctx, c.tap)
	if err != nil {
		return fmt.Errorf("putting the card in: %w", err)
	}
	c.in = in
	return nil
}

// Remove takes the card out. A card that is out stays out.
func (c *Card) Remove(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(ctx)
}

func (c *Card) remove(ctx context.Context) error {
	if c.in == nil {
		return nil
	}
	in := c.in
	c.in = nil
	return in.Remove(ctx)
}

// Lend lets other programs have the card in its reader, until the next command or reset from here,
// and begins a new Trace of what they send.
func (c *Card) Lend() (reader string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return "", ErrPulled
	}
	lender, ok := c.in.(target.Lender)
	if !ok {
		return "", errors.New("the card is in no reader of the PC/SC service, where programs find it")
	}
	reader, err = lender.Lend()
	c.tap.begin()
	return reader, err
}

// Reset is a cold reset of the card in its reader.
func (c *Card) Reset(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return ErrPulled
	}
	return c.in.Reset(ctx)
}

// ATR is the answer to the last reset.
func (c *Card) ATR() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return nil
	}
	return c.in.ATR()
}

// SetFault makes f decide about every command from now on; nil ends that.
func (c *Card) SetFault(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault, c.count = f, 0
}

// SetForge makes f change answers from now on; nil ends that.
func (c *Card) SetForge(f Forge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forge = f
}

// Quietly runs f without the fault and without logging or counting what f sends.
func (c *Card) Quietly(f func() error) error {
	c.mu.Lock()
	fault, count, log := c.fault, c.count, c.log
	c.fault = nil
	c.mu.Unlock()
	err := f()
	c.mu.Lock()
	c.fault, c.count, c.log = fault, count, log
	c.mu.Unlock()
	return err
}

// Count is the number of commands since the last SetFault.
func (c *Card) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Transmit sends a command to the card, unless the fault decides otherwise, and logs it.
func (c *Card) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return nil, ErrPulled
	}
	c.count++
	fate := Passes
	if c.fault != nil {
		fate = c.fault(c.count, cmd)
	}
	if fate == Pulled {
		return nil, errors.Join(ErrPulled, c.remove(ctx))
	}
	answer, err := c.in.Transmit(ctx, cmd)
	if fate == AnswerLost {
		answer, err = nil, ErrPulled
	}
	if err != nil { // lost its power, or its answer: whoever comes next finds the reader empty
		err = errors.Join(err, c.remove(ctx))
	}
	if c.forge != nil && err == nil {
		answer = c.forge(cmd, answer)
	}
	if len(c.log) < maxLog {
		c.log = append(c.log, Exchange{append([]byte(nil), cmd...), append([]byte(nil), answer...)})
	}
	return answer, err
}

// Log returns what has passed the reader since the last ClearLog.
func (c *Card) Log() []Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Exchange(nil), c.log...)
}

// ClearLog forgets the log.
func (c *Card) ClearLog() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = nil
}

// Do sends a typed command and returns the response.
func (c *Card) Do(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	b, err := cmd.Bytes()
	if err != nil {
		return apdu.Response{}, err
	}
	answer, err := c.Transmit(ctx, b)
	if err != nil {
		return apdu.Response{}, err
	}
	return apdu.ParseResponse(answer)
}

// Close takes the card out and lets its memory go.
func (c *Card) Close(ctx context.Context) error {
	return errors.Join(c.Remove(ctx), c.Sim.Close())
}
