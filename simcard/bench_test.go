package simcard_test

import (
	"context"
	"testing"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// BenchmarkTransmit counts commands that change nothing: what the card costs a reader.
func BenchmarkTransmit(b *testing.B) {
	for name, cmd := range map[string]string{
		"select": "00A4040000", "cplc": "80CA9F7F2D", "initialize": "8050000008010203040506070800",
	} {
		b.Run(name, func(b *testing.B) {
			c, cmd, ctx := newCard(b, "gp211-scp01"), unhex(b, cmd), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Transmit(ctx, cmd); err != nil {
					b.Fatal(err)
				}
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

// BenchmarkLoadApplet is a whole applet load, install and delete at security level 03, host and card.
func BenchmarkLoadApplet(b *testing.B) {
	for _, name := range []string{"gp211-scp01", "gp211-scp02", "sce7-scp03"} {
		b.Run(name, func(b *testing.B) {
			c := newCard(b, name)
			h := channel(b, c, c.Stock().Keys.KVN, 3)
			cmds := append(loadApplet(b, "1.4.58768072"),
				gp.Delete{AID: packageAID, Related: true}.Command())
			for b.Loop() {
				for _, cmd := range cmds {
					if resp := h.send(cmd); resp.SW != apdu.SW9000 {
						b.Fatal(resp.SW)
					}
				}
			}
			perSecond(b, len(cmds))
		})
	}
}

func perSecond(b *testing.B, each int) {
	b.ReportMetric(float64(b.N*each)/b.Elapsed().Seconds(), "apdu/s")
}
