//go:build pcsc && cgo

package pcsc

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/benchtest"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/vpcd"
)

// Shares of an echo card's rate that the virtual card has to reach behind pcscd.
const (
	leastOfEcho     = 0.8
	leastOfEchoData = 0.6 // where it answers many more bytes, or decrypts them and commits them
)

// inTurns is the virtual card, or an echo card on the same sockets, as asked: whatever slows the
// machine down slows both.
type inTurns struct {
	*simcard.Card
	echo    vpcd.Echo
	echoing atomic.Bool
}

func (c *inTurns) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if c.echoing.Load() {
		return c.echo.Transmit(ctx, cmd)
	}
	return c.Card.Transmit(ctx, cmd)
}

// rig is a reader of pcscd with a virtual card in it.
type rig struct {
	*testing.B
	reader *Card
	card   *inTurns
}

func newRig(b *testing.B, stockName string, opts ...simcard.Option) *rig {
	b.Helper()
	s, err := stock.ByName(stockName)
	require.NoError(b, err)
	g := &rig{B: b, card: &inTurns{}}
	g.card.Card, err = simcard.New(s, append(opts, simcard.WithSeed(1))...)
	require.NoError(b, err)
	require.NoError(b, g.card.echo.PowerOn())
	r := virtualReaders(b)[0]
	plug(b, r, g.card)
	g.reader, err = Open(b.Context(), r.name)
	require.NoError(b, err)
	b.Cleanup(func() { _ = g.reader.Close() })
	return g
}

// BenchmarkService: the virtual card through pcscd, in turns with an echo card that hears the same
// commands. Each answer of the virtual card is checked to be 9000.
func BenchmarkService(b *testing.B) {
	for _, c := range []struct {
		name string
		next func(*rig) func() [][]byte
	}{
		{"get-data", again("80CA9F7F00")},
		{"initialize-update", again("8050000008010203040506070800")},
		{"scp03-load", loads},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := newRig(b, "sce7-scp03")
			g.besideEcho(leastOfEcho, c.next(g))
		})
	}
}

// besideEcho sends what next gives for a turn to the card and to the echo card.
func (g *rig) besideEcho(least float64, next func() [][]byte) {
	g.Helper()
	benchtest.InTurns(g.B, least, func() benchtest.Turn {
		cmds := next()
		return benchtest.Turn{
			N:    len(cmds),
			Ours: func() { g.sendAll(cmds) },
			Baseline: func() {
				g.card.echoing.Store(true)
				g.sendAll(cmds)
				g.card.echoing.Store(false)
			},
		}
	})
}

// sendAll sends the commands as they are, each to be answered 9000.
func (g *rig) sendAll(cmds [][]byte) {
	for _, cmd := range cmds {
		resp, err := g.reader.Transmit(g.Context(), cmd)
		if err != nil {
			g.Fatal(err)
		}
		if n := len(resp); n < 2 || resp[n-2] != 0x90 || resp[n-1] != 0 {
			g.Fatalf("%X: answered %X", cmd[:min(5, len(cmd))], resp)
		}
	}
}

// BenchmarkReader: an echo card through pcscd, beside the same card behind the reader in Go.
func BenchmarkReader(b *testing.B) {
	getCPLC := unhex(b, "80CA9F7F00")
	b.Run("pcscd/ours", func(b *testing.B) {
		r := virtualReaders(b)[0]
		plug(b, r, new(vpcd.Echo))
		c, err := Open(b.Context(), r.name)
		require.NoError(b, err)
		defer func() { _ = c.Close() }()
		for b.Loop() {
			if _, err := c.Transmit(b.Context(), getCPLC); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "apdu/s")
	})
	b.Run("pcscd/baseline", func(b *testing.B) {
		r, err := vpcd.Listen("127.0.0.1:0")
		require.NoError(b, err)
		defer func() { _ = r.Close() }()
		go func() { _ = vpcd.Dial(b.Context(), r.Addr().String(), new(vpcd.Echo), vpcd.Options{}) }()
		require.NoError(b, r.WaitCard(b.Context()))
		_, err = r.PowerOn(b.Context())
		require.NoError(b, err)
		for b.Loop() {
			if _, err := r.Transmit(b.Context(), getCPLC); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "apdu/s")
	})
}
