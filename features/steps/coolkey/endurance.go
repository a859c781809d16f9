package coolkey

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
)

func addEnduranceSteps(book *script.Book) {
	book.Step(`^the holder logs in (\d+) times$`, logInOften)
	book.Step(`^the last of them took no more than twice as long as the first$`, noSlower)
	book.Step(`^the host has (\d+) key pairs of (\d+) bits made$`, enrollOften)
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
