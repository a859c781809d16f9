//go:build pcsc && cgo

package pcsc

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/vpcd"
)

// leastOfEcho is how much of an echo card's rate the virtual card has to reach behind pcscd.
const leastOfEcho = 0.8

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

// BenchmarkService: the virtual card through pcscd, in turns with an echo card that hears the same
// commands. Each answer of the virtual card is checked to be 9000.
func BenchmarkService(b *testing.B) {
	for _, c := range []struct {
		name     string
		commands func(testing.TB, *Card, *simcard.Card) func() [][]byte
	}{
		{"get-data", again("80CA9F7F00")},
		{"initialize-update", again("8050000008010203040506070800")},
		{"scp03-load", loads},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := stock.ByName("sce7-scp03")
			require.NoError(b, err)
			card := &inTurns{}
			card.Card, err = simcard.New(s, simcard.WithSeed(1))
			require.NoError(b, err)
			require.NoError(b, card.echo.PowerOn())
			r := virtualReaders(b)[0]
			plug(b, r, card)
			reader, err := Open(b.Context(), r.name)
			require.NoError(b, err)
			defer func() { _ = reader.Close() }()
			benchInTurns(b, reader, card, c.commands(b, reader, card.Card))
		})
	}
}

// benchInTurns reports the median turn: a turn in which the machine did something else is left out.
func benchInTurns(b *testing.B, reader *Card, card *inTurns, next func() [][]byte) {
	var ours, baseline []time.Duration
	n := 0
	for b.Loop() {
		cmds := next()
		n = len(cmds)
		ours = append(ours, sendAll(b, reader, cmds))
		card.echoing.Store(true)
		baseline = append(baseline, sendAll(b, reader, cmds))
		card.echoing.Store(false)
	}
	rate := func(turns []time.Duration) float64 {
		slices.Sort(turns)
		return float64(n) / turns[len(turns)/2].Seconds()
	}
	b.ReportMetric(rate(ours), "apdu/s")
	b.ReportMetric(rate(baseline), "baseline-apdu/s")
	b.ReportMetric(leastOfEcho, "min-ratio")
}

// sendAll answers how long the commands took.
func sendAll(b *testing.B, reader *Card, cmds [][]byte) time.Duration {
	begun := time.Now()
	for _, cmd := range cmds {
		resp, err := reader.Transmit(b.Context(), cmd)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(resp); n < 2 || resp[n-2] != 0x90 || resp[n-1] != 0 {
			b.Fatalf("%X: answered %X", cmd[:min(5, len(cmd))], resp)
		}
	}
	return time.Since(begun)
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
