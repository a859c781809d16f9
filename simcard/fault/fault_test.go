package fault_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/fault"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
)

func stockOf(t *testing.T) stock.Stock {
	t.Helper()
	s, err := stock.ByName("sce7-scp03")
	require.NoError(t, err)
	return s
}

func newCard(t *testing.T, opts ...simcard.Option) *simcard.Card {
	t.Helper()
	return cardOf(t, stockOf(t), opts...)
}

func cardOf(t *testing.T, s stock.Stock, opts ...simcard.Option) *simcard.Card {
	t.Helper()
	c, err := simcard.New(s, append(opts, simcard.WithSeed(1))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.PowerOn())
	return c
}

var (
	initUpdate = []byte{0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0}
	getCounter = []byte{0x80, 0xCA, 0, 0xC1, 0}
)

func counter(t *testing.T, c fault.Card) byte {
	t.Helper()
	resp, err := c.Transmit(t.Context(), getCounter)
	require.NoError(t, err)
	require.Len(t, resp, 7)
	return resp[4]
}

func TestPull(t *testing.T) {
	for _, c := range []struct {
		name string
		when fault.Moment
		want byte // sequence counter afterwards: INITIALIZE UPDATE counts it up
	}{{"before", fault.Before, 0}, {"after", fault.After, 1}} {
		t.Run(c.name, func(t *testing.T) {
			p := fault.Pull(newCard(t), 2, c.when)
			require.Zero(t, counter(t, p))
			require.False(t, p.Hit())
			_, err := p.Transmit(t.Context(), initUpdate)
			require.ErrorIs(t, err, fault.ErrPulled)
			require.True(t, p.Hit())
			_, err = p.Transmit(t.Context(), initUpdate)
			require.ErrorIs(t, err, simcard.ErrNoPower)
			require.NoError(t, p.PowerOn())
			require.Equal(t, c.want, counter(t, p))
			require.Equal(t, 4, p.Count())
		})
	}
	p := fault.Pull(newCard(t), 1, fault.Never)
	counter(t, p)
	require.False(t, p.Hit())
}

func TestAtWrite(t *testing.T) {
	count := fault.CountWrites()
	c := newCard(t)
	c.SetTear(count.Hook)
	_, err := c.Transmit(context.Background(), initUpdate)
	require.NoError(t, err)
	require.EqualValues(t, 1, count.Count())
	require.False(t, count.Hit())

	for cut, want := range map[nvm.Cut]byte{nvm.Before: 0, nvm.Torn: 0, nvm.After: 1} {
		w := fault.AtWrite(1, cut)
		c := newCard(t)
		c.SetTear(w.Hook)
		_, err := c.Transmit(context.Background(), initUpdate)
		require.ErrorIs(t, err, nvm.ErrPowerLost)
		require.True(t, w.Hit())
		require.NoError(t, c.PowerOn())
		require.Equal(t, want, counter(t, c), cut)
	}
}
