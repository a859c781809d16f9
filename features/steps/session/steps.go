// Package session holds the steps about secure channels: handshakes, commands that are protected
// wrongly on purpose, and what a channel has to be afterwards. The host's end of the protocol is the
// one of package bench.
package session

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strconv"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// AddSteps registers the steps.
func AddSteps(book *script.Book) {
	addHandshakeSteps(book)
	addAuthenticateSteps(book)
	addWrongSteps(book)
	addSessionSteps(book)
}

func addHandshakeSteps(book *script.Book) {
	book.Step(`^the host asks for a handshake$`, func(ctx context.Context) error { return handshake(ctx, "00") })
	book.Step(`^the host asks for a handshake with key version "([^"]*)"$`, handshake)
	book.Step(`^the host asks for (\d+) handshakes$`, handshakes)
	book.Step(`^the card challenge is noted as "([^"]*)"$`, noteChallenge)
	book.Step(`^the sequence counter is noted as "([^"]*)"$`, noteCounter)
	book.Step(`^the handshake has the sequence counter "([^"]*)"$`, hasCounter)
	book.Step(`^the handshake speaks the protocol of the recognition data$`, agreesWithRecognition)
	book.Step(`^the card's cryptogram is right$`, cryptogram)
	book.Step(`^the protection of the answer is right$`, protection)
	book.Step(`^the card challenges are all different$`, allDifferent)
	book.Step(`^the bits of the card challenges are balanced$`, balanced)
}

// handshake sends INITIALIZE UPDATE. Keys that do not fit are the judge's business.
func handshake(ctx context.Context, version string) error {
	w := bench.From(ctx)
	kvn, err := w.Expand(version)
	if err != nil || len(kvn) != 1 {
		return fmt.Errorf("key version %q: %w", version, err)
	}
	h, err := w.Initialize(ctx, keys.KVN(kvn[0]))
	if err != nil && !errors.Is(err, bench.ErrKeys) {
		return err
	}
	w.Shake, w.Channel = h, nil
	w.Last = bench.Answer{N: h.Exchange, Resp: apdu.Response{Data: h.Answer.Bytes(), SW: apdu.SW9000}}
	w.Last.Wire = w.Last.Resp
	return nil
}

var errNoHandshake = errors.New("no handshake was begun")

func shake(ctx context.Context) (*bench.Work, *bench.Handshake, error) {
	w := bench.From(ctx)
	if w.Shake == nil {
		return w, nil, errNoHandshake
	}
	return w, w.Shake, nil
}

// proved is shake for those who authenticate: never with keys that the card has not just proved.
func proved(ctx context.Context) (*bench.Work, *bench.Handshake, error) {
	w, h, err := shake(ctx)
	if err == nil && !h.Proved() {
		err = bench.ErrKeys
	}
	return w, h, err
}

func noteChallenge(ctx context.Context, name string) error {
	w, h, err := shake(ctx)
	if err == nil {
		w.Note(name, h.Answer.Challenge)
	}
	return err
}

func noteCounter(ctx context.Context, name string) error {
	w, h, err := shake(ctx)
	if err == nil {
		w.Note(name, h.Answer.Seq)
	}
	return err
}

func hasCounter(ctx context.Context, name string) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	want, err := w.Expand("{" + name + "}")
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "sequence counter", Exchange: h.Exchange,
		Got: []string{fmt.Sprintf("%X", h.Answer.Seq)}, Want: []string{fmt.Sprintf("%X", want)},
	})
	return nil
}

// agreesWithRecognition compares protocol, and i where the handshake tells it.
func agreesWithRecognition(ctx context.Context) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	n, resp, err := w.Transmit(ctx, []byte{0x80, 0xCA, 0x00, 0x66, 0x00})
	if err != nil {
		return err
	}
	d, err := gp.ParseCardRecognitionData(resp.Data)
	if err != nil {
		return err
	}
	c := verdict.Check{
		Kind: verdict.Member, Subject: "protocol of the handshake", Exchange: n,
		Got: []string{fmt.Sprintf("SCP%02X", h.Answer.Info.SCP)},
	}
	if h.Answer.Info.HasI {
		c.Got[0] += fmt.Sprintf(" i=%02X", h.Answer.Info.I)
	}
	for _, p := range d.Protocols {
		c.Want = append(c.Want, fmt.Sprintf("SCP%02X", p.SCP), p.String())
	}
	if h.Answer.Info.HasI { // the number alone is not enough then
		c.Want = c.Want[:0]
		for _, p := range d.Protocols {
			c.Want = append(c.Want, p.String())
		}
	}
	w.Check(c)
	return nil
}

func cryptogram(ctx context.Context) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "card cryptogram", Exchange: h.Exchange,
		Got:  []string{fmt.Sprintf("%X", h.Answer.Cryptogram)},
		Want: []string{fmt.Sprintf("%X", h.Card)},
	})
	return nil
}

// protection says that the last answer passed the checks of its protection, if it had any.
func protection(ctx context.Context) error {
	w := bench.From(ctx)
	got := "right"
	if w.Last.Protection != nil {
		got = w.Last.Protection.Error()
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "protection of the answer", Exchange: w.Last.N,
		Got: []string{got}, Want: []string{"right"},
	})
	return nil
}

// noteMany is where the challenges of many handshakes are kept, one behind the other.
const noteMany = "challenges"

func handshakes(ctx context.Context, n int) error {
	w := bench.From(ctx)
	var all []byte
	for range n {
		if err := handshake(ctx, "00"); err != nil {
			return err
		}
		all = append(all, w.Shake.Answer.Challenge...)
	}
	w.Note(noteMany, all)
	return nil
}

func allDifferent(ctx context.Context) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	all, err := w.Noted(noteMany)
	if err != nil {
		return err
	}
	c := verdict.Check{Kind: verdict.Differ, Subject: "card challenges"}
	for n := len(h.Answer.Challenge); len(all) >= n; all = all[n:] {
		c.Got = append(c.Got, fmt.Sprintf("%X", all[:n]))
	}
	w.Check(c)
	return nil
}

// balanced counts ones: of n fair bits, n/2 within 5 standard deviations, which chance misses once in
// a million runs.
func balanced(ctx context.Context) error {
	w := bench.From(ctx)
	all, err := w.Noted(noteMany)
	if err != nil {
		return err
	}
	ones := 0
	for _, b := range all {
		ones += bits.OnesCount8(b)
	}
	n := 8 * len(all)
	const deviations = 5
	off := (2*ones - n) * (2*ones - n) // 4 (ones - n/2)², to be at most 25 n
	got := "balanced"
	if off > deviations*deviations*n {
		got = "unbalanced: " + strconv.Itoa(ones) + " ones in " + strconv.Itoa(n) + " bits"
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "bits of the challenges", Got: []string{got},
		Want: []string{"balanced"},
	})
	return nil
}
