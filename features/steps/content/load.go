package content

import (
	"context"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

func addLoadSteps(book *script.Book) {
	book.Step(`^the host announces the load file in the channel$`, announce)
	book.Step(`^the host announces the load file with a wrong hash in the channel$`, announceWrong)
	book.Step(`^the host loads the file in blocks of (\d+) bytes$`, loadIn)
	book.Step(`^the host sends block (\d+) of the file as number (\d+)$`, sendBlock)
	book.Step(`^the host sends block (\d+) of the file as the last one, number (\d+)$`, sendLast)
	book.Step(`^the free memory is noted$`, noteFree)
	book.Step(`^the free memory is as it was$`, sameFree)
	book.Step(`^the free memory is less$`, lessFree)
	book.Step(`^the AIDs of the load file are known$`, func(ctx context.Context) error {
		_, _, err := module(bench.From(ctx))
		return err
	})
}

func announce(ctx context.Context) error {
	w := bench.From(ctx)
	f, _, err := module(w)
	if err != nil {
		return err
	}
	return w.Secure(ctx, gp.InstallForLoad{File: f.Package, Ne: apdu.MaxShortNe}.Command())
}

func announceWrong(ctx context.Context) error {
	w := bench.From(ctx)
	f, _, err := module(w)
	if err != nil {
		return err
	}
	in := gp.InstallForLoad{File: f.Package, Hash: w.Random(make([]byte, 20)), Ne: apdu.MaxShortNe}
	return w.Secure(ctx, in.Command())
}

// loadIn sends the whole file and stops at the first block that is refused.
func loadIn(ctx context.Context, size int) error {
	w := bench.From(ctx)
	whole, err := gp.LoadBlocks(w.LoadFile, apdu.MaxShortData)
	if err != nil {
		return err
	}
	var stream []byte
	for _, b := range whole {
		stream = append(stream, b.Data...)
	}
	// The number of a block has one byte and starts anew behind FF.
	for n := 0; len(stream) > 0; n++ {
		k := min(size, len(stream))
		b := gp.Load{Block: byte(n), Last: k == len(stream), Data: stream[:k], Ne: apdu.MaxShortNe}
		stream = stream[k:]
		if err := w.Secure(ctx, b.Command()); err != nil {
			return err
		}
		if !w.Last.Wire.SW.OK() {
			break
		}
	}
	return nil
}

func block(ctx context.Context, n int, edit func(*gp.Load)) error {
	w := bench.From(ctx)
	blocks, err := gp.LoadBlocks(w.LoadFile, blockSize)
	if err != nil {
		return err
	}
	if n >= len(blocks) {
		return fmt.Errorf("the file has %d blocks", len(blocks))
	}
	b := blocks[n]
	b.Ne = apdu.MaxShortNe
	edit(&b)
	return w.Secure(ctx, b.Command())
}

func sendBlock(ctx context.Context, n, number int) error {
	return block(ctx, n, func(l *gp.Load) { l.Block, l.Last = byte(number), false })
}

func sendLast(ctx context.Context, n, number int) error {
	return block(ctx, n, func(l *gp.Load) { l.Block, l.Last = byte(number), true })
}

// free reads the card's free non-volatile memory from FF21; ok is false on cards that do not tell.
func free(ctx context.Context, w *bench.Work) (n []byte, ok bool, err error) {
	if w.Facts["resources"] != "true" {
		return nil, false, nil
	}
	if _, err := w.SelectISD(ctx); err != nil {
		return nil, false, err
	}
	resp, err := w.Do(ctx, gp.GetData{Tag: 0xFF21, Ne: apdu.MaxShortNe}.Command())
	if err != nil {
		return nil, false, err
	}
	nodes, err := tlv.Parse(resp.Data)
	if err != nil {
		return nil, false, err
	}
	v, ok := tlv.Find(nodes, 0xFF21, 0x82)
	return v.Value, ok, nil
}

const noteMemory = "free memory"

func noteFree(ctx context.Context) error {
	w := bench.From(ctx)
	n, ok, err := free(ctx, w)
	if err == nil && ok {
		w.Note(noteMemory, n)
	}
	return err
}

func compareFree(ctx context.Context, kind verdict.Kind) error {
	w := bench.From(ctx)
	n, ok, err := free(ctx, w)
	if err != nil || !ok {
		return err
	}
	before, err := w.Noted(noteMemory)
	if err != nil {
		return err
	}
	c := verdict.Check{Kind: kind, Subject: "free memory", Got: []string{fmt.Sprintf("%X", n)}, Probe: true}
	if kind == verdict.Same {
		c.Want = []string{fmt.Sprintf("%X", before)}
	} else {
		c.Got = append(c.Got, fmt.Sprintf("%X", before))
	}
	w.Check(c)
	return nil
}

func sameFree(ctx context.Context) error { return compareFree(ctx, verdict.Same) }

func lessFree(ctx context.Context) error { return compareFree(ctx, verdict.Differ) }
