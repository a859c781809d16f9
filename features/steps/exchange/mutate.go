package exchange

import (
	"context"
	"fmt"

	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
)

// noteAlive holds a byte for each look at the card: 1 when it answered SELECT.
const noteAlive = "alive"

// seeds are good commands, from which those at random are made.
func seeds(w *bench.Work) [][]byte {
	sel := append([]byte{0x00, gp.INSSelect, 0x04, 0x00, byte(len(w.ISD))}, w.ISD...)
	return [][]byte{
		sel, {0x80, gp.INSGetData, 0x00, 0x66, 0x00}, {0x80, gp.INSGetData, 0x9F, 0x7F, 0x00},
		{0x80, gp.INSInitializeUpdate, 0x00, 0x00, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 0x00},
		{0x80, gp.INSGetStatus, 0x80, 0x02, 0x02, 0x4F, 0x00, 0x00},
		{0x84, gp.INSInstall, 0x0C, 0x00, 0x08, 1, 2, 3, 4, 5, 6, 7, 8},
		{0x84, gp.INSPutKey, 0x00, 0x81, 0x08, 1, 2, 3, 4, 5, 6, 7, 8},
		{0xB0, 0x56, 0x00, 0x00, 0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
	}
}

// mutated sends commands with up to four changes each: a byte set, inserted, or the end cut off. None
// of them authenticates: that would spend tries.
func mutated(ctx context.Context, n int) error {
	w := bench.From(ctx)
	var looks []byte
	from := seeds(w)
	r := make([]byte, 10)
	for i := range n {
		w.Random(r)
		cmd := append([]byte(nil), from[int(r[0])%len(from)]...)
		for k := range 1 + int(r[1])%4 {
			at, v := int(r[2+2*k])%len(cmd), r[3+2*k]
			switch v % 4 {
			case 0:
				cmd = append(cmd[:at], append([]byte{r[1]}, cmd[at:]...)...)
			case 1:
				cmd = cmd[:max(1, at)]
			default:
				cmd[at] = v
			}
		}
		if len(cmd) < 4 || len(cmd) > 260 || cmd[1] == gp.INSExternalAuthenticate {
			continue
		}
		if _, _, err := w.Transmit(ctx, cmd); err != nil {
			return err
		}
		if i%100 != 99 {
			continue
		}
		look := byte(1)
		if _, err := w.SelectISD(ctx); err != nil {
			look = 0
		}
		looks = append(looks, look)
	}
	w.Note(noteAlive, looks)
	_, err := w.SelectISD(ctx)
	return err
}

func alive(ctx context.Context) error {
	w := bench.From(ctx)
	looks, err := w.Noted(noteAlive)
	if err != nil {
		return err
	}
	c := verdict.Check{Kind: verdict.Member, Subject: "answers to SELECT", Want: []string{"1"}, Probe: true}
	for _, l := range looks {
		c.Got = append(c.Got, fmt.Sprint(l))
	}
	w.Check(c)
	return nil
}
