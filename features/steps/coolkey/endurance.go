package coolkey

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

func addEnduranceSteps(book *script.Book) {
	book.Step(`^the holder logs in (\d+) times$`, logInOften)
	book.Step(`^the last of them took no more than twice as long as the first$`, noSlower)
	book.Step(`^the host has (\d+) key pairs of (\d+) bits made$`, enrollOften)
	book.Step(`^the key in slot (\d+) computes (\d+) times$`, computeOften)
	book.Step(`^each time the result is the same$`, sameResults)
	book.Step(`^the moduli are all different$`, moduliDiffer)
}

// noteTimes and noteModuli are where a series is kept.
const noteTimes, noteModuli = "times", "moduli"

// logInOften keeps the times of the first and the last tenth, in nanoseconds, each as a median.
func logInOften(ctx context.Context, n int) error {
	w := bench.From(ctx)
	times := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		if err := logIn(ctx); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	tenth := max(1, n/10)
	out := binary.BigEndian.AppendUint64(nil, uint64(median(times[:tenth])))
	w.Note(noteTimes, binary.BigEndian.AppendUint64(out, uint64(median(times[n-tenth:]))))
	return nil
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func noSlower(ctx context.Context) error {
	w := bench.From(ctx)
	b, err := w.Noted(noteTimes)
	if err != nil {
		return err
	}
	first, last := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	w.Check(verdict.Check{
		Kind: verdict.Least, Subject: "nanoseconds: twice the first median, and the last one",
		Got: []string{fmt.Sprint(2 * first)}, Want: []string{fmt.Sprint(last)},
	})
	return nil
}

// enrollOften makes key pairs in the same slots.
func enrollOften(ctx context.Context, n, bits int) error {
	w := bench.From(ctx)
	var moduli []byte
	for range n {
		if err := keyPair(ctx, bits, 2, 3); err != nil {
			return err
		}
		all, err := buffer(ctx, w, int(binary.BigEndian.Uint16(w.Last.Resp.Data)))
		if err != nil {
			return err
		}
		blob, _, err := field(all)
		if err != nil {
			return err
		}
		key, err := publicKey(blob)
		if err != nil {
			return err
		}
		moduli = append(moduli, key.N.FillBytes(make([]byte, bits/8))...)
	}
	w.Note(noteModuli, append(binary.BigEndian.AppendUint16(nil, uint16(bits/8)), moduli...))
	return nil
}

// noteResults keeps a byte for each computation: 1 when it gave what the first one did.
const noteResults = "results"

// computeOften has a public key encrypt the same block again and again, in the channel.
func computeOften(ctx context.Context, slot, n int) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	data := append([]byte{0x00, 0x03, 0x01, 0x00, 0x80, 0x00}, bytes.Repeat([]byte{0x5A}, 127)...)
	cmd := apdu.Command{CLA: 0x80, INS: coolkey.INSComputeCrypt, P1: byte(slot), P2: 0x04, Data: data}
	var first, results []byte
	for range n {
		a, err := w.Channel.Send(ctx, cmd)
		if err == nil {
			err = errors.Join(a.Protection, a.Resp.Err())
		}
		if err != nil {
			return err
		}
		if first == nil {
			first = a.Resp.Data
		}
		same := byte(0)
		if bytes.Equal(first, a.Resp.Data) && len(first) > 0 {
			same = 1
		}
		results = append(results, same)
	}
	w.Note(noteResults, results)
	return nil
}

func sameResults(ctx context.Context) error {
	w := bench.From(ctx)
	results, err := w.Noted(noteResults)
	if err != nil {
		return err
	}
	c := verdict.Check{Kind: verdict.Member, Subject: "results like the first", Want: []string{"1"}}
	for _, r := range results {
		c.Got = append(c.Got, fmt.Sprint(r))
	}
	w.Check(c)
	return nil
}

func moduliDiffer(ctx context.Context) error {
	w := bench.From(ctx)
	b, err := w.Noted(noteModuli)
	if err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint16(b))
	c := verdict.Check{Kind: verdict.Differ, Subject: "moduli"}
	for b = b[2:]; len(b) >= size; b = b[size:] {
		c.Got = append(c.Got, fmt.Sprintf("%X", b[:size]))
	}
	w.Check(c)
	return nil
}
