package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Commands of an open channel that are protected wrongly on purpose. Those made by another form of
// the protocol have to be the first command behind EXTERNAL AUTHENTICATE, where both forms still have
// the same chaining value.
func addWrongSteps(book *script.Book) {
	book.Step(`^the host sends "([^"]*)" in the channel with a wrong MAC$`, wrongMAC)
	book.Step(`^the host sends "([^"]*)" in the channel with a MAC that is cut short$`, shortMAC)
	book.Step(`^the host sends "([^"]*)" in the channel with its encryption spoiled$`, spoiltData)
	book.Step(`^the host sends "([^"]*)" in the channel with a MAC made by the key for answers$`, answerMAC)
	book.Step(`^the host sends "([^"]*)" in the channel as (SCP0[123]) with i "([0-9A-F]{2})" would$`, asOther)
	book.Step(`^the host sends "([^"]*)" in the channel as at level "([0-9A-F]{2})"$`, asLevel)
	book.Step(`^the host sends "([^"]*)" in the channel with a MAC over the plain data$`, plainMAC)
	book.Step(`^the host sends "([^"]*)" in the channel chained to (\d+) bytes of the last MAC$`, shortChain)
	book.Step(`^the host sends the last command again$`, again)
	book.Step(`^the host prepares "([^"]*)" in the channel as "([^"]*)"$`, prepare)
	book.Step(`^the host sends the prepared "([^"]*)"$`, sendPrepared)
	book.Step(`^the channel is aborted$`, aborted)
	book.Step(`^the channel still works$`, works)
	book.Step(`^the channel is gone$`, gone)
}

var errNoChannel = errors.New("no channel was opened")

// parse reads a command of a step.
func parse(ctx context.Context, text string) (*bench.Work, apdu.Command, error) {
	w := bench.From(ctx)
	if w.Channel == nil {
		return w, apdu.Command{}, errNoChannel
	}
	raw, err := w.Expand(text)
	if err != nil {
		return w, apdu.Command{}, err
	}
	cmd, err := apdu.Parse(raw)
	return w, cmd, err
}

// wrapped protects a command as it should be, for a step that spoils it afterwards: the channel does
// not count it.
func wrapped(ctx context.Context, text string) (*bench.Work, apdu.Command, error) {
	w, cmd, err := parse(ctx, text)
	if err != nil {
		return w, cmd, err
	}
	host := *w.Channel.Host // the channel's own stays where the card has to be
	cmd, err = host.Wrap(cmd)
	cmd.Data = bytes.Clone(cmd.Data)
	return w, cmd, err
}

// deliver sends a command whose answer is not checked for its protection: the host of the channel
// knows nothing of it, or it will be refused.
func deliver(ctx context.Context, w *bench.Work, cmd apdu.Command) error {
	raw, err := cmd.Bytes()
	if err != nil {
		return err
	}
	return w.Send(ctx, raw)
}

func wrongMAC(ctx context.Context, text string) error {
	w, cmd, err := wrapped(ctx, text)
	if err != nil {
		return err
	}
	cmd.Data[len(cmd.Data)-1] ^= 0x01
	return deliver(ctx, w, cmd)
}

// spoiltData changes a bit of the last encrypted block, so that what is decrypted ends in no padding.
func spoiltData(ctx context.Context, text string) error {
	w, cmd, err := wrapped(ctx, text)
	if err != nil {
		return err
	}
	if len(cmd.Data) < 16 {
		return errors.New("the command has no encrypted data")
	}
	cmd.Data[len(cmd.Data)-9] ^= 0x01
	return deliver(ctx, w, cmd)
}

func shortMAC(ctx context.Context, text string) error {
	w, cmd, err := wrapped(ctx, text)
	if err != nil {
		return err
	}
	cmd.Data = cmd.Data[:len(cmd.Data)-1]
	return deliver(ctx, w, cmd)
}

// other protects a command by a host of another form that has seen the same EXTERNAL AUTHENTICATE.
func other(ctx context.Context, text string, v scp.Variant, level scp.Level, sk keys.SessionKeys) error {
	w, cmd, err := parse(ctx, text)
	if err != nil {
		return err
	}
	host, err := scp.NewHost(v, level, sk, scp.HostOptions{})
	if err != nil {
		return err
	}
	if _, err := host.ExternalAuthenticate(w.Channel.Handshake.Host); err != nil {
		return err
	}
	if cmd, err = host.Wrap(cmd); err != nil {
		return err
	}
	return deliver(ctx, w, cmd)
}

// answerMAC makes the MAC with S-RMAC where S-MAC belongs; the chaining value is that of the channel.
func answerMAC(ctx context.Context, text string) error {
	w, cmd, err := parse(ctx, text)
	if err != nil {
		return err
	}
	h := w.Channel.Handshake
	auth, err := external(h, byte(w.Channel.Level()), 0, h.Host[:], nil)
	if err != nil {
		return err
	}
	chain, err := chaining(h, auth)
	if err != nil {
		return err
	}
	msg := append(chain[:], 0x84, cmd.INS, cmd.P1, cmd.P2, byte(len(cmd.Data)+8))
	mac, err := h.Session.SRMAC.CMAC(append(msg, cmd.Data...))
	if err != nil {
		return err
	}
	cmd.CLA, cmd.Data = 0x84, append(bytes.Clone(cmd.Data), mac[:8]...)
	return deliver(ctx, w, cmd)
}

// chaining is SCP03's chaining value behind EXTERNAL AUTHENTICATE: the whole CMAC (AMD-D §6.2.3).
func chaining(h *bench.Handshake, auth apdu.Command) ([16]byte, error) {
	msg := append(make([]byte, 16), auth.CLA, auth.INS, auth.P1, auth.P2, 0x10)
	full, err := h.Session.SMAC.CMAC(append(msg, auth.Data[:8]...))
	if err != nil {
		return [16]byte{}, err
	}
	return [16]byte(full), nil
}

// shortChain chains to a part of the last MAC, the rest zero, as a host would that keeps 8 bytes.
func shortChain(ctx context.Context, text string, n int) error {
	w, cmd, err := parse(ctx, text)
	if err != nil {
		return err
	}
	h := w.Channel.Handshake
	auth, err := external(h, byte(w.Channel.Level()), 0, h.Host[:], nil)
	if err != nil {
		return err
	}
	chain, err := chaining(h, auth)
	if err != nil {
		return err
	}
	clear(chain[min(n, 16):])
	msg := append(chain[:], 0x84, cmd.INS, cmd.P1, cmd.P2, byte(len(cmd.Data)+8))
	mac, err := h.Session.SMAC.CMAC(append(msg, cmd.Data...))
	if err != nil {
		return err
	}
	cmd.CLA, cmd.Data = 0x84, append(bytes.Clone(cmd.Data), mac[:8]...)
	return deliver(ctx, w, cmd)
}

func asOther(ctx context.Context, text, protocol, i string) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	v := scp.Variant{SCP: protocol[4] - '0'}
	if _, err := fmt.Sscanf(i, "%02X", &v.I); err != nil {
		return err
	}
	return other(ctx, text, v, w.Channel.Level(), w.Channel.Handshake.Session)
}

// asLevel protects a command more or less than the channel's level asks.
func asLevel(ctx context.Context, text, level string) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	var l byte
	if _, err := fmt.Sscanf(level, "%02X", &l); err != nil {
		return err
	}
	_, plain, err := parse(ctx, text)
	if err != nil {
		return err
	}
	h := w.Channel.Handshake
	host, err := scp.NewHost(h.Variant, scp.Level(l), h.Session, scp.HostOptions{})
	if err != nil {
		return err
	}
	// The MAC of EXTERNAL AUTHENTICATE covers its level, so that the chain has to come from a host
	// of the channel's own level: the first MAC behind it is made again over what this host sends.
	if _, err := host.ExternalAuthenticate(h.Host); err != nil {
		return err
	}
	cmd, err := host.Wrap(plain)
	if err != nil {
		return err
	}
	return remake(ctx, plain, cmd)
}

// remake replaces the MAC of a first command by the one that follows the channel's own EXTERNAL
// AUTHENTICATE: over the data as they are sent in SCP03, as they were before in the others.
func remake(ctx context.Context, plain, cmd apdu.Command) error {
	w := bench.From(ctx)
	h := w.Channel.Handshake
	auth, err := external(h, byte(w.Channel.Level()), 0, h.Host[:], nil)
	if err != nil {
		return err
	}
	sent := cmd.Data[:len(cmd.Data)-8]
	covered := sent
	var icv []byte
	if keysOf(h) == keys.AES {
		chain, err := chaining(h, auth)
		if err != nil {
			return err
		}
		icv = chain[:]
	} else {
		covered = plain.Data
		if icv, err = nextICV(h, auth.Data[8:]); err != nil {
			return err
		}
	}
	header := []byte{0x84, cmd.INS, cmd.P1, cmd.P2, byte(len(covered) + 8)}
	mac, err := firstMAC(h, header, covered, icv)
	if err != nil {
		return err
	}
	cmd.Data = append(bytes.Clone(sent), mac...)
	return deliver(ctx, w, cmd)
}

// nextICV is the initial value behind a MAC of SCP01 or SCP02: the MAC itself, encrypted where i
// says so (GPCS 2.1.1 §D.1.5, GPCS 2.3.1 §E.3.4).
func nextICV(h *bench.Handshake, mac []byte) ([]byte, error) {
	if h.Variant.I&0x10 == 0 {
		return mac, nil
	}
	if h.Variant.SCP == 1 {
		return h.Session.SMAC.EncryptECB(mac)
	}
	icv, err := h.Session.SMAC.EncryptSingleDES([8]byte(mac))
	return icv[:], err
}

// plainMAC encrypts the data and makes the MAC over what they were before: the order that SCP03 must
// not accept (AMD-D §6.2.6).
func plainMAC(ctx context.Context, text string) error {
	w, plain, err := parse(ctx, text)
	if err != nil {
		return err
	}
	host := *w.Channel.Host
	right, err := host.Wrap(plain)
	if err != nil {
		return err
	}
	h := w.Channel.Handshake
	auth, err := external(h, byte(w.Channel.Level()), 0, h.Host[:], nil)
	if err != nil {
		return err
	}
	chain, err := chaining(h, auth)
	if err != nil {
		return err
	}
	header := []byte{0x84, plain.INS, plain.P1, plain.P2, byte(len(right.Data))}
	mac, err := firstMAC(h, header, plain.Data, chain[:])
	if err != nil {
		return err
	}
	right.Data = append(bytes.Clone(right.Data[:len(right.Data)-8]), mac...)
	return deliver(ctx, w, right)
}

func again(ctx context.Context) error {
	w := bench.From(ctx)
	if w.Last.Cmd == nil {
		return errors.New("nothing was sent before")
	}
	return w.Send(ctx, w.Last.Cmd)
}

func prepare(ctx context.Context, text, name string) error {
	w, cmd, err := parse(ctx, text)
	if err != nil {
		return err
	}
	if cmd, err = w.Channel.Wrap(cmd); err != nil {
		return err
	}
	raw, err := cmd.Bytes()
	if err == nil {
		w.Note(name, raw)
	}
	return err
}

func sendPrepared(ctx context.Context, name string) error {
	w := bench.From(ctx)
	raw, err := w.Noted(name)
	if err != nil {
		return err
	}
	return w.Send(ctx, raw)
}

// status is a command that a card answers inside a channel alone.
func status(w *bench.Work) apdu.Command {
	p2 := byte(0x00)
	if w.Tagged {
		p2 = 0x02
	}
	return apdu.Command{CLA: 0x80, INS: 0xF2, P1: 0x80, P2: p2, Data: []byte{0x4F, 0x00}, Ne: 256}
}

// probe sends GET STATUS as the next command of the channel and wants one of the status words.
func probe(ctx context.Context, subject string, want, tolerated []string) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	cmd, err := w.Channel.Wrap(status(w))
	if err != nil {
		return err
	}
	raw, err := cmd.Bytes()
	if err != nil {
		return err
	}
	a, err := w.Channel.Deliver(ctx, raw)
	if err != nil {
		return err
	}
	w.Check(verdict.Check{
		Kind: verdict.Status, Subject: subject, Exchange: a.N, Got: []string{bench.SW(a.Wire)},
		Want: want, Tolerated: tolerated, Probe: true,
	})
	if a.Protection != nil && a.Wire.SW.OK() {
		w.Check(verdict.Check{
			Kind: verdict.Member, Subject: "protection of the answer", Exchange: a.N,
			Got: []string{a.Protection.Error()}, Want: []string{"right"},
		})
	}
	return nil
}

// aborted: a command that is protected correctly is refused (GPCS 2.3.1 §10.2.3).
func aborted(ctx context.Context) error {
	return probe(ctx, "correct command behind the abortion", []string{"6982"},
		[]string{"6985", "6988", "6E00"})
}

func gone(ctx context.Context) error {
	return probe(ctx, "command of the old channel", []string{"6982"}, []string{"6985", "6988", "6E00"})
}

func works(ctx context.Context) error {
	return probe(ctx, "next command of the channel", []string{"9000"}, nil)
}
