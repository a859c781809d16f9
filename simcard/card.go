package simcard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/channel"
	"tokenwright/simcard/isd"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// ErrNoPower is given by Transmit while the card is off.
var ErrNoPower = errors.New("the card has no power")

// Card is a virtual card. It starts without power: call PowerOn first. It is safe for concurrent
// use; commands are answered one after the other.
type Card struct {
	mu    sync.Mutex
	setup setup
	mem   *nvm.Memory
	id    identity

	starts uint64 // how often boot has run

	// While there is power.
	on       bool
	registry *registry.Registry
	domain   *isd.Domain
	selected *running // nil: the issuer security domain
	started  map[uint64]*running
}

// running is an application that has been selected since the last reset.
type running struct {
	app    registry.App
	applet applet.Applet
}

// New makes a card of a stock, or opens the one in the state file or device that the options name;
// that one must be of the same stock. The card keeps the memory until Close.
func New(s stock.Stock, opts ...Option) (*Card, error) {
	return open(&s, opts)
}

// Open opens the card in a state file, whatever its stock.
func Open(path string, opts ...Option) (*Card, error) {
	return open(nil, append([]Option{WithState(path)}, opts...))
}

func open(s *stock.Stock, opts []Option) (*Card, error) {
	c := &Card{}
	for _, o := range opts {
		if err := o(&c.setup); err != nil {
			return nil, err
		}
	}
	var dev nvm.Device = nvm.NewRAM(nil)
	if c.setup.device != nil {
		var err error
		if dev, err = c.setup.device(); err != nil {
			return nil, err
		}
	}
	mem, err := nvm.Open(dev, nvm.Options{Hook: c.setup.hook})
	if err != nil {
		_ = dev.Close()
		return nil, err
	}
	c.mem = mem
	if err := c.identify(s); err != nil {
		_ = mem.Close()
		return nil, err
	}
	if err := c.boot(); err != nil {
		_ = mem.Close()
		return nil, err
	}
	c.off()
	return c, nil
}

// Close takes the power and gives the state file back.
func (c *Card) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off()
	return c.mem.Close()
}

// Stock is what kind of card this is.
func (c *Card) Stock() stock.Stock { return c.id.Stock }

// CUID is the card unique identifier as its CPLC gives it.
func (c *Card) CUID() keys.CUID { return stock.CUID(c.id.CPLC) }

// KDD is the key diversification data.
func (c *Card) KDD() keys.KDD { return c.id.KDD }

// ATR is the answer to reset, cold and warm. The slice is the caller's.
func (c *Card) ATR() []byte { return bytes.Clone(c.id.Stock.ATR) }

// Writes is the number of physical writes to the card's memory since New that a tear hook saw.
func (c *Card) Writes() uint64 { return c.mem.Writes() }

// SetTear changes the hook of WithTear; nil never cuts.
func (c *Card) SetTear(hook nvm.Hook) { c.mem.SetHook(hook) }

// PowerOn gives power: the card starts from what its memory holds, with the issuer security domain
// or the default application selected. On a card that has power it is a cold reset.
func (c *Card) PowerOn() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off()
	if c.mem.Err() != nil {
		if err := c.mem.Restart(); err != nil {
			return err
		}
	}
	if err := c.boot(); err != nil {
		c.off()
		return err
	}
	return nil
}

// PowerOff takes the power. Whatever was not written to memory is lost.
func (c *Card) PowerOff() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off()
	return nil
}

// Reset is a warm reset. A card without power stays so.
func (c *Card) Reset() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		return ErrNoPower
	}
	if err := c.boot(); err != nil {
		c.off()
		return err
	}
	return nil
}

func (c *Card) off() {
	c.on, c.registry, c.domain, c.selected, c.started = false, nil, nil, nil, nil
}

// boot makes everything that lives in transient memory anew.
func (c *Card) boot() error {
	c.starts++
	random := source(c.setup.random, c.setup.seed, c.mem.Commits(), c.starts)
	reg, err := registry.Open(c.mem, c.id.Stock.Memory.Persistent)
	if err != nil {
		return err
	}
	c.registry, c.selected, c.started = reg, nil, map[uint64]*running{}
	c.domain, err = isd.Open(isd.Config{
		Stock: c.id.Stock, CPLC: c.id.CPLC, Memory: c.mem, Registry: reg,
		Channel:  c.channelConfig(random),
		Identify: identifyFile, Model: model,
		Env: func(app registry.App) applet.Env { return c.env(app, random) },
	})
	if err != nil {
		return err
	}
	c.on = true
	return c.selectDefault()
}

func (c *Card) channelConfig(random io.Reader) channel.Config {
	s := c.id.Stock
	return channel.Config{
		Variant: scp.Variant{SCP: s.SCP, I: s.I}, KDD: c.id.KDD, Memory: c.mem, Random: random,
		Challenge: c.setup.cardChallenge, MaxTries: s.Quirks.AuthTries,
		StrictKeyIndex: s.Quirks.StrictKeyIndex, Misbehaviour: s.Quirks.Protocol,
	}
}

// Transmit answers one command APDU with a response APDU. Any bytes are answered; an error means
// that the card gives no answer: it has no power, or lost it on the way.
func (c *Card) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		return nil, ErrNoPower
	}
	resp, err := c.answer(cmd)
	if err != nil {
		c.off()
		return nil, fmt.Errorf("the card stopped: %w", err)
	}
	return resp.Bytes(), nil
}

// answer routes a command: SELECT by name to the card itself, everything else to the selected
// application. Extended lengths are refused: the card's commands are short ones (GPCS 2.3.1
// §11.1.5).
func (c *Card) answer(b []byte) (apdu.Response, error) {
	cmd, err := apdu.Parse(b)
	if err != nil || cmd.Extended {
		return apdu.Response{SW: apdu.SW6700}, nil
	}
	if isSelectByName(cmd) {
		return c.selectByName(cmd)
	}
	if c.selected != nil {
		return c.selected.applet.Process(cmd)
	}
	return c.domain.Process(cmd)
}

// life is the life cycle of one instance as its applet sees it.
type life struct {
	registry *registry.Registry
	aid      gp.AID
}

func (l life) State() gp.AppState {
	app, _ := l.registry.App(l.aid)
	return app.State
}

// SetState takes states with the three low bits set and the high one clear: an application can
// neither lock itself nor go back before SELECTABLE (GPCS 2.3.1 §5.3.1.5).
func (l life) SetState(s gp.AppState) error {
	if !s.Selectable() {
		return applet.ErrState
	}
	return l.registry.SetState(l.aid, s)
}
