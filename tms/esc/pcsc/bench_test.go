//go:build pcsc && cgo

package pcsc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/vpcd"
)

// getCPLC is GET DATA for the card's life cycle data (GPCS 2.3.1 §11.3).
var getCPLC = []byte{0x80, 0xCA, 0x9F, 0x7F, 0x00}

// BenchmarkService: the virtual card through pcscd, beside an echo card on the same sockets.
func BenchmarkService(b *testing.B) {
	s, err := stock.ByName("sce7-scp03")
	require.NoError(b, err)
	card, err := simcard.New(s, simcard.WithSeed(1))
	require.NoError(b, err)
	b.Run("simcard/ours", func(b *testing.B) {
		benchService(b, card)
		b.ReportMetric(0.8, "min-ratio")
	})
	b.Run("simcard/baseline", func(b *testing.B) { benchService(b, new(vpcd.Echo)) })
}

func benchService(b *testing.B, card vpcd.Card) {
	r := virtualReaders(b)[0]
	plug(b, r, card)
	c, err := Open(b.Context(), r.name)
	require.NoError(b, err)
	defer func() { _ = c.Close() }()
	for b.Loop() {
		if _, err := c.Transmit(b.Context(), getCPLC); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "apdu/s")
}

// BenchmarkReader: an echo card through pcscd, beside the same card behind the reader in Go.
func BenchmarkReader(b *testing.B) {
	b.Run("pcscd/ours", func(b *testing.B) { benchService(b, new(vpcd.Echo)) })
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
