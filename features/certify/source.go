package certify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokenwright/features/steps/bench"
	"tokenwright/simcard"
	"tokenwright/simcard/fault"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	"tokenwright/tms/esc/pcsc"
)

// Source is where the card under test comes from.
type Source interface {
	// Name says what the card is, and Reader how it is reached.
	Name() string
	Reader() string
	// Open powers the card.
	Open(ctx context.Context) (bench.Device, error)
	// Spare makes another card that may be used up, or gives ErrNoSpare.
	Spare(ctx context.Context) (bench.Device, error)
	// Foreign says that the card belongs to somebody: it needs consent.
	Foreign() bool
	Close() error
}

// ErrNoSpare is given by a source that has one card.
var ErrNoSpare = errors.New("there is no other card to use up")

// Simulated is a virtual card of a stock, made new for every run.
type Simulated struct {
	Stock stock.Stock
	Seed  int64
	// Wrap, when not nil, comes between each card and the reader, as personalities do.
	Wrap    func(fault.Card) fault.Card
	Options []simcard.Option

	cards []*simcard.Card
}

// Name implements Source.
func (s *Simulated) Name() string { return "virtual card of stock " + s.Stock.Name }

// Reader implements Source.
func (s *Simulated) Reader() string { return "in this process" }

// Foreign implements Source.
func (s *Simulated) Foreign() bool { return false }

// Open implements Source.
func (s *Simulated) Open(context.Context) (bench.Device, error) {
	c, err := simcard.New(s.Stock, append([]simcard.Option{simcard.WithSeed(s.Seed)}, s.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("making a card: %w", err)
	}
	s.cards = append(s.cards, c)
	var card fault.Card = c
	if s.Wrap != nil {
		card = s.Wrap(card)
	}
	if err := card.PowerOn(); err != nil {
		return nil, fmt.Errorf("powering the card: %w", err)
	}
	return &powered{Card: card, sim: c}, nil
}

// Spare implements Source.
func (s *Simulated) Spare(ctx context.Context) (bench.Device, error) { return s.Open(ctx) }

// SpareAt makes another card whose next INITIALIZE UPDATE answers a sequence counter.
func (s *Simulated) SpareAt(ctx context.Context, counter []byte) (bench.Device, error) {
	other := *s
	other.Options = append(slices.Clone(s.Options), simcard.WithSequenceCounter(counter))
	other.cards = nil
	d, err := other.Open(ctx)
	s.cards = append(s.cards, other.cards...)
	return d, err
}

// Close implements Source.
func (s *Simulated) Close() error {
	var err error
	for _, c := range s.cards {
		err = errors.Join(err, c.Close())
	}
	s.cards = nil
	return err
}

// powered is a virtual card as a device.
type powered struct {
	fault.Card
	sim    *simcard.Card
	writes *fault.Writes
}

// CutAtWrite implements bench.Tearable.
func (p *powered) CutAtWrite(n uint64, when bench.Cut) {
	p.writes = fault.AtWrite(n, []nvm.Cut{nvm.Before, nvm.Torn, nvm.After}[when])
	p.sim.SetTear(p.writes.Hook)
}

// WritesSince implements bench.Tearable.
func (p *powered) WritesSince() uint64 {
	if p.writes == nil {
		return 0
	}
	return p.writes.Count()
}

// Reset implements bench.Device.
func (p *powered) Reset(context.Context) error {
	if err := p.PowerOff(); err != nil {
		return err
	}
	return p.PowerOn()
}

// Plugged is the card in a reader of the PC/SC service.
type Plugged struct {
	ReaderName string
	Timeout    time.Duration // of one exchange; 0 takes the default

	card *pcsc.Card
}

// Name implements Source.
func (p *Plugged) Name() string { return "card in reader " + p.ReaderName }

// Reader implements Source.
func (p *Plugged) Reader() string {
	if p.card == nil {
		return p.ReaderName
	}
	return p.card.Reader() + ", " + p.card.Protocol().String()
}

// Foreign implements Source.
func (p *Plugged) Foreign() bool { return true }

// Open implements Source.
func (p *Plugged) Open(ctx context.Context) (bench.Device, error) {
	c, err := pcsc.OpenWith(ctx, p.ReaderName, pcsc.Options{Timeout: p.Timeout})
	if err != nil {
		return nil, fmt.Errorf("opening the card: %w", err)
	}
	p.card = c
	return inReader{c}, nil
}

// Spare implements Source.
func (p *Plugged) Spare(context.Context) (bench.Device, error) { return nil, ErrNoSpare }

// Close implements Source.
func (p *Plugged) Close() error {
	if p.card == nil {
		return nil
	}
	return p.card.Close()
}

// inReader is a card in a reader as a device: a cold reset is a loss of power.
type inReader struct{ *pcsc.Card }

// Reset implements bench.Device.
func (r inReader) Reset(ctx context.Context) error { return r.PowerCycle(ctx) }
