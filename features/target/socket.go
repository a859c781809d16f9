package target

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/vpcd"
)

// socket gives each card a reader of its own, written in Go, on a loopback port.
type socket struct{}

func (socket) Name() string      { return "the virtual card, on a socket to a reader in Go" }
func (socket) Parallel() int     { return 4 }
func (socket) Close() error      { return nil }
func (socket) Enter(bool) func() { return func() {} }

func (socket) Insert(ctx context.Context, card vpcd.Card) (Inserted, error) {
	reader, err := vpcd.Listen("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a reader: %w", err)
	}
	p := plug(ctx, reader.Addr().String(), card)
	s := &socketCard{reader: reader, plugged: p}
	if err := reader.WaitCard(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for the card: %w", err), s.Remove(ctx))
	}
	if s.atr, err = reader.PowerOn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("powering the card: %w", err), s.Remove(ctx))
	}
	return s, nil
}

type socketCard struct {
	reader  *vpcd.Reader
	plugged *plugged
	atr     []byte
}

func (s *socketCard) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	return s.reader.Transmit(ctx, cmd)
}

func (s *socketCard) ATR() []byte { return s.atr }

func (s *socketCard) Reset(ctx context.Context) (err error) {
	if err = s.reader.PowerOff(ctx); err != nil {
		return err
	}
	s.atr, err = s.reader.PowerOn(ctx)
	return err
}

func (s *socketCard) Remove(context.Context) error {
	return errors.Join(s.plugged.pull(), s.reader.Close())
}

// plugged is a card that serves a reader's socket until it is pulled.
type plugged struct {
	stop context.CancelFunc
	done chan error
	card vpcd.Card
}

func plug(ctx context.Context, addr string, card vpcd.Card) *plugged {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &plugged{stop: stop, done: make(chan error, 1), card: card}
	go func() { p.done <- vpcd.Dial(ctx, addr, card, vpcd.Options{}) }()
	return p
}

func (p *plugged) pull() error {
	p.stop()
	if err := <-p.done; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return p.card.PowerOff()
}
