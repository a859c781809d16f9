package session

import (
	"bytes"
	"context"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func addSessionSteps(book *script.Book) {
	book.Step(`^commands need a channel$`, needChannel)
	book.Step(`^the handshake names protocol "([0-9A-F]{2})" and has a challenge of (\d+) bytes$`, names)
	book.Step(`^the sequence counter is "([0-9A-F]+)"$`, counterIs)
	book.Step(`^the sequence counter is one more than "([^"]*)"$`, oneMore)
	book.Step(`^another card whose sequence counter is "([0-9A-F]+)"$`, counterAt)
	book.Step(`^the card challenge follows from the AID$`, pseudoRandom)
	book.Step(`^the answer on the wire has (\d+) bytes more than its data$`, wireLonger)
	book.Step(`^the host begins an R-MAC session at "([0-9A-F]{2})"$`, beginRMAC)
	book.Step(`^the host ends the R-MAC session$`, endRMAC)
	book.Step(`^a channel is opened with key version "([^"]*)"$`, openVersion)
	book.Step(`^the host sends (\d+) encrypted bytes with their right MAC$`, oddLength)
}

// needChannel: a command that needs a channel is refused without one.
func needChannel(ctx context.Context) error {
	w := bench.From(ctx)
	raw, err := status(w).Bytes()
	if err != nil {
		return err
	}
	n, resp, err := w.Transmit(ctx, raw)
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Status, Subject: "plain GET STATUS", Exchange: n, Got: []string{bench.SW(resp)},
		Want: []string{"6982"}, Tolerated: []string{"6985", "6E00"}, Probe: true,
	})
	return nil
}

func names(ctx context.Context, protocol string, n int) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "protocol and bytes of the challenge", Exchange: h.Exchange,
		Got:  []string{fmt.Sprintf("%02X", h.Answer.Info.SCP), fmt.Sprint(len(h.Answer.Challenge))},
		Want: []string{protocol, fmt.Sprint(n)},
	})
	return nil
}

func counterIs(ctx context.Context, want string) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "sequence counter", Exchange: h.Exchange,
		Got: []string{fmt.Sprintf("%X", h.Answer.Seq)}, Want: []string{want},
	})
	return nil
}

// counterAt goes on with another card of the same kind.
func counterAt(ctx context.Context, counter string) error {
	w := bench.From(ctx)
	b, err := w.Expand(counter)
	if err != nil {
		return err
	}
	if w.Bench, err = w.SpareAt(ctx, b); err == nil {
		_, err = w.SelectISD(ctx)
	}
	return err
}

func oneMore(ctx context.Context, name string) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	before, err := w.Noted(name)
	if err != nil {
		return err
	}
	want := bytes.Clone(before)
	for i := len(want) - 1; i >= 0; i-- {
		if want[i]++; want[i] != 0 {
			break
		}
	}
	return counterIs(ctx, fmt.Sprintf("%X", want[:len(h.Answer.Seq)]))
}

// pseudoRandom computes the challenge anew (GPCS 2.3.1 §E.4.2.3, AMD-D §6.2.2.1).
func pseudoRandom(ctx context.Context) error {
	w, h, err := shake(ctx)
	if err != nil {
		return err
	}
	var want []byte
	if h.Variant.SCP == 2 {
		c, err := kdf.CardChallengeSCP02(h.Session.SMAC, w.ISD)
		if err != nil {
			return err
		}
		want = c[:]
	} else {
		var seq [3]byte
		copy(seq[:], h.Answer.Seq)
		c, err := kdf.CardChallengeSCP03(h.Keys.ENC, seq, w.ISD)
		if err != nil {
			return err
		}
		want = c[:]
	}
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "card challenge", Exchange: h.Exchange,
		Got: []string{fmt.Sprintf("%X", h.Answer.Challenge)}, Want: []string{fmt.Sprintf("%X", want)},
	})
	return nil
}

// wireLonger compares the answer as it came with what was left of it.
func wireLonger(ctx context.Context, n int) error {
	w := bench.From(ctx)
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "bytes of protection in the answer", Exchange: w.Last.N,
		Got:  []string{fmt.Sprint(len(w.Last.Wire.Data) - len(w.Last.Resp.Data))},
		Want: []string{fmt.Sprint(n)},
	})
	return nil
}

func beginRMAC(ctx context.Context, level string) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	var l byte
	if _, err := fmt.Sscanf(level, "%02X", &l); err != nil {
		return err
	}
	cmd, err := w.Channel.BeginRMAC(scp.Level(l), nil)
	if err != nil {
		return err
	}
	raw, err := cmd.Bytes()
	if err != nil {
		return err
	}
	return w.Deliver(ctx, raw)
}

func endRMAC(ctx context.Context) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	cmd, err := w.Channel.EndRMAC(true)
	if err != nil {
		return err
	}
	raw, err := cmd.Bytes()
	if err != nil {
		return err
	}
	return w.Deliver(ctx, raw)
}

func openVersion(ctx context.Context, version string) error {
	w := bench.From(ctx)
	kvn, err := w.Expand(version)
	if err != nil || len(kvn) != 1 {
		return fmt.Errorf("key version %q: %w", version, err)
	}
	if _, err := w.SelectISD(ctx); err != nil {
		return err
	}
	h, err := w.Initialize(ctx, keys.KVN(kvn[0]))
	if err != nil {
		return err
	}
	w.Shake = h
	w.Channel, err = w.Authenticate(ctx, h, scp.CMAC)
	return err
}

// oddLength sends data that cannot be the encryption of anything, under the MAC that belongs to them.
func oddLength(ctx context.Context, n int) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	plain := apdu.Command{CLA: 0x80, INS: gp.INSGetStatus, P1: 0x80, P2: 0x02, Ne: apdu.MaxShortNe}
	sent := plain
	sent.CLA, sent.Data = 0x84, append(w.Random(make([]byte, n)), make([]byte, 8)...)
	return remake(ctx, plain, sent)
}
