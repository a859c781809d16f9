package tks

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"testing"
)

// BenchmarkSessionKeys measures whole requests per second beside the block operations that they
// can't do without: key set-ups and single-block encryptions through the standard library.
func BenchmarkSessionKeys(b *testing.B) {
	s := allSets(b)
	all := cardRequests(b, s)
	for _, c := range []struct {
		name, request string
		bare          func(b *testing.B)
	}{
		// Two session keys of two blocks; two cryptograms of three blocks.
		{"scp01", "scp01", func(b *testing.B) { bareDES(b, 1, 2*2+2*3) }},
		// Four session keys of two blocks; two cryptograms of three blocks.
		{"scp02", "scp02", func(b *testing.B) { bareDES(b, 1, 4*2+2*3) }},
		// Three session keys and two cryptograms, each a CMAC of two blocks.
		{"scp03", "scp03 aes-128", func(b *testing.B) { bareAES(b, 3, 5*2) }},
	} {
		req := all[c.request]
		b.Run(c.name+"/ours", func(b *testing.B) {
			ctx := context.Background()
			for b.Loop() {
				if _, err := s.ComputeSessionKey(ctx, req); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
		b.Run(c.name+"/baseline", func(b *testing.B) {
			c.bare(b)
			perSecond(b)
		})
	}
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "derivations/s")
}

func bareDES(b *testing.B, setups, blocks int) {
	raw, block := make([]byte, 24), make([]byte, 8)
	copy(raw, "0123456789abcdef01234567")
	for b.Loop() {
		var c cipher.Block
		for range setups {
			c, _ = des.NewTripleDESCipher(raw)
		}
		for range blocks {
			c.Encrypt(block, block)
		}
	}
}

func bareAES(b *testing.B, setups, blocks int) {
	raw, block := make([]byte, 16), make([]byte, 16)
	for b.Loop() {
		var c cipher.Block
		for range setups {
			c, _ = aes.NewCipher(raw)
		}
		for range blocks {
			c.Encrypt(block, block)
		}
	}
}
