package simcard_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// BenchmarkTransmit counts commands that change nothing: what the card costs a reader. The baseline
// reads the same command and writes an answer, and does nothing in between.
func BenchmarkTransmit(b *testing.B) {
	for name, cmd := range map[string]string{
		"select": "00A4040000", "cplc": "80CA9F7F2D", "initialize": "8050000008010203040506070800",
	} {
		b.Run(name+"/ours", func(b *testing.B) {
			c, cmd, ctx := newCard(b, "gp211-scp01"), unhex(b, cmd), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Transmit(ctx, cmd); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, 1)
		})
		if name == "initialize" {
			continue // ciphers, mostly: see the benchmarks of tms/gp/kdf
		}
		b.Run(name+"/baseline", func(b *testing.B) {
			cmd, data := unhex(b, cmd), make([]byte, 42)
			for b.Loop() {
				if _, err := apdu.Parse(cmd); err != nil {
					b.Fatal(err)
				}
				answer = apdu.Response{Data: data, SW: apdu.SW9000}.Bytes()
			}
			perSecond(b, 1)
		})
	}
}

// BenchmarkTransmitApplet counts object reads and writes of the applet, the writes committed.
func BenchmarkTransmitApplet(b *testing.B) {
	h := ra(b)
	h.each(exchange{create(z0, 240, "FFFFFFFFFFFF"), "9000"})
	for name, cmd := range map[string]string{
		"read":  "B056000011" + z0 + "00000000D0" + zeroNonce,
		"write": "B054000012" + z0 + "0000000001AA" + zeroNonce,
	} {
		b.Run(name, func(b *testing.B) {
			cmd, ctx := unhex(b, cmd), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if name == "write" {
					cmd[14]++ // another byte, so that there is something to commit
				}
				if _, err := h.c.Transmit(ctx, cmd); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, 1)
		})
	}
}

// BenchmarkLoadApplet is a whole applet load, install and delete at security level 03, host and
// card. The baseline is the secure channel of the same commands, both ends, and no card behind it.
func BenchmarkLoadApplet(b *testing.B) {
	for _, name := range []string{"gp211-scp01", "gp211-scp02", "sce7-scp03"} {
		cmds := append(loadApplet(b, "1.4.58768072"),
			gp.Delete{AID: packageAID, Related: true}.Command())
		b.Run(name+"/ours", func(b *testing.B) {
			c := newCard(b, name)
			h := channel(b, c, c.Stock().Keys.KVN, 3)
			for b.Loop() {
				for _, cmd := range cmds {
					if resp := h.send(cmd); resp.SW != apdu.SW9000 {
						b.Fatal(resp.SW)
					}
				}
			}
			perSecond(b, len(cmds))
		})
		b.Run(name+"/baseline", func(b *testing.B) {
			host, card := bothEnds(b, newCard(b, name))
			for b.Loop() {
				for _, cmd := range cmds {
					wrapped, err := host.Wrap(cmd)
					if err == nil {
						_, err = card.Unwrap(wrapped)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			perSecond(b, len(cmds))
		})
	}
}

// bothEnds opens a secure channel at level 03, with session keys that c would use, between the two
// ends alone.
func bothEnds(b *testing.B, c *simcard.Card) (*scp.Host, *scp.Card) {
	h, _, cryptogram := initialize(b, c, keySet(b, c, c.Stock().Keys.KVN))
	v := scp.Variant{SCP: c.Stock().SCP, I: c.Stock().I}
	host, err := scp.NewHost(v, scp.CMAC|scp.CDEC, h.sk, scp.HostOptions{})
	require.NoError(b, err)
	card, err := scp.NewCard(v, h.sk)
	require.NoError(b, err)
	cmd, err := host.ExternalAuthenticate(cryptogram)
	require.NoError(b, err)
	_, err = card.ExternalAuthenticate(cmd, cryptogram)
	require.NoError(b, err)
	return host, card
}

// answer keeps the compiler from leaving a benchmark's work out.
var answer []byte

func perSecond(b *testing.B, each int) {
	b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "apdu/s")
}
