package target

import (
	"context"

	"tokenwright/vpcd"
)

// inProcess calls the card directly.
type inProcess struct{}

func (inProcess) Name() string      { return "the virtual card, in this process" }
func (inProcess) Parallel() int     { return 4 }
func (inProcess) Close() error      { return nil }
func (inProcess) Enter(bool) func() { return func() {} }

func (inProcess) Insert(_ context.Context, card vpcd.Card) (Inserted, error) {
	if err := card.PowerOn(); err != nil {
		return nil, err
	}
	return direct{card}, nil
}

type direct struct{ card vpcd.Card }

func (d direct) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	return d.card.Transmit(ctx, cmd)
}

func (d direct) ATR() []byte { return d.card.ATR() }

func (d direct) Reset(context.Context) error {
	if err := d.card.PowerOff(); err != nil {
		return err
	}
	return d.card.PowerOn()
}

func (d direct) Remove(context.Context) error { return d.card.PowerOff() }
