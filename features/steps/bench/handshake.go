package bench

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// ErrKeys means that none of the keys the host has are the card's. Nothing was tried on the card.
var ErrKeys = errors.New("the card's cryptogram fits none of the keys")

// Handshake is INITIALIZE UPDATE with what follows from its answer.
type Handshake struct {
	Exchange  int
	Challenge [8]byte
	Answer    gp.InitializeUpdateResponse
	Variant   scp.Variant
	Keys      keys.KeySet // the set that fits
	Session   keys.SessionKeys
	Host      [8]byte // cryptogram to send
	Card      [8]byte // cryptogram that the card must have sent
}

// Proved says whether the card's cryptogram was right.
func (h *Handshake) Proved() bool {
	return !h.Keys.ENC.IsZero() && subtle.ConstantTimeCompare(h.Card[:], h.Answer.Cryptogram[:]) == 1
}

// Initialize sends INITIALIZE UPDATE and finds the keys that fit the card's cryptogram, among those
// that the host has of the version answered. Without any it gives the handshake and ErrKeys.
func (b *Bench) Initialize(ctx context.Context, kvn keys.KVN) (*Handshake, error) {
	h := &Handshake{Challenge: [8]byte(b.Random(make([]byte, 8)))}
	cmd := gp.InitializeUpdate{KVN: kvn, HostChallenge: h.Challenge, Ne: apdu.MaxShortNe}.Command()
	raw, err := cmd.Bytes()
	if err != nil {
		return nil, err
	}
	n, resp, err := b.Transmit(ctx, raw)
	if err != nil {
		return nil, err
	}
	if !resp.SW.OK() {
		return nil, fmt.Errorf("INITIALIZE UPDATE: %w", resp.SW)
	}
	if h.Answer, err = gp.ParseInitializeUpdateResponse(bytes.Clone(resp.Data)); err != nil {
		return nil, fmt.Errorf("INITIALIZE UPDATE: %w", err)
	}
	h.Exchange = n
	return h, b.fit(h)
}

// Understand takes an answer to INITIALIZE UPDATE that a step has got itself.
func (b *Bench) Understand(n int, challenge [8]byte, data []byte) (*Handshake, error) {
	h := &Handshake{Exchange: n, Challenge: challenge}
	var err error
	if h.Answer, err = gp.ParseInitializeUpdateResponse(bytes.Clone(data)); err != nil {
		return nil, err
	}
	return h, b.fit(h)
}

// fit derives session keys with each key set of the version answered until one fits.
func (b *Bench) fit(h *Handshake) error {
	h.Variant = b.variant(h.Answer)
	for _, src := range append([]KeySource{b.Base}, b.Known...) {
		if src.Set == nil || src.KVN != 0 && src.KVN != h.Answer.Info.KVN {
			continue
		}
		set, err := src.Set(h.Answer.KDD)
		if err == nil {
			err = h.derive(set)
		}
		if err == nil && h.Proved() {
			b.Proven()
			return nil
		}
	}
	return ErrKeys // Those of another algorithm do not fit either.
}

// variant tells the protocol of an answer: SCP03 says its i itself, others in the recognition data,
// else the usual ones are taken.
func (b *Bench) variant(a gp.InitializeUpdateResponse) scp.Variant {
	v := scp.Variant{SCP: a.Info.SCP, I: a.Info.I}
	switch {
	case a.Info.HasI:
	case b.Facts["scp"] == fmt.Sprint(v.SCP) && b.Facts["i"] != "":
		_, _ = fmt.Sscan(b.Facts["i"], &v.I)
	case v.SCP == 1:
		v.I = 0x05
	case v.SCP == 2:
		v.I = 0x15
	}
	return v
}

func (h *Handshake) derive(set keys.KeySet) error {
	ck := kdf.FromKeySet(set)
	var seq [2]byte
	var card [8]byte
	copy(card[:], h.Answer.Challenge)
	var err error
	switch h.Variant.SCP {
	case 1:
		h.Session, err = kdf.SessionSCP01(ck, h.Challenge, card)
	case 2:
		copy(seq[:], h.Answer.Seq)
		if !h.Variant.ThreeKeys() {
			ck = kdf.OneKey(set.ENC)
		}
		h.Session, err = kdf.SessionSCP02(ck, seq)
	default:
		h.Session, err = kdf.SessionSCP03(ck, h.Challenge, card)
	}
	if err != nil {
		return err
	}
	h.Keys = set
	h.Host, h.Card, err = kdf.Cryptograms(h.Variant.SCP, h.Session,
		kdf.Challenges{Host: h.Challenge, Card: h.Answer.Challenge, Seq: seq})
	return err
}

// Channel is an open secure channel as the host sees it.
type Channel struct {
	*scp.Host
	Handshake *Handshake
	bench     *Bench
}

// Answer is what came of one command.
type Answer struct {
	N    int
	Cmd  []byte        // as sent
	Wire apdu.Response // as it came
	Resp apdu.Response // without its protection
	// Protection is what was wrong with it.
	Protection error
}

// Authenticate completes a handshake whose cryptogram was right.
func (b *Bench) Authenticate(ctx context.Context, h *Handshake, level scp.Level) (*Channel, error) {
	if !h.Proved() {
		return nil, ErrKeys
	}
	host, err := scp.NewHost(h.Variant, level, h.Session, scp.HostOptions{})
	if err != nil {
		return nil, err
	}
	cmd, err := host.ExternalAuthenticate(h.Host)
	if err != nil {
		return nil, err
	}
	b.Vouch()
	resp, err := b.Do(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if _, err = host.Unwrap(resp); err != nil {
		return nil, err
	}
	if !resp.SW.OK() {
		return nil, fmt.Errorf("EXTERNAL AUTHENTICATE: %w", resp.SW)
	}
	return &Channel{Host: host, Handshake: h, bench: b}, nil
}

// Opened makes the host's end of a channel that a step has opened with a command of its own.
func (b *Bench) Opened(h *Handshake, level scp.Level) (*Channel, error) {
	host, err := scp.NewHost(h.Variant, level, h.Session, scp.HostOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := host.ExternalAuthenticate(h.Host); err != nil {
		return nil, err
	}
	_, err = host.Unwrap(apdu.Response{SW: apdu.SW9000})
	return &Channel{Host: host, Handshake: h, bench: b}, err
}

// Open selects nothing: it opens a channel to the application that is selected, with the key set of
// a version, 00 for the card's first.
func (b *Bench) Open(ctx context.Context, kvn keys.KVN, level scp.Level) (*Channel, error) {
	h, err := b.Initialize(ctx, kvn)
	if err != nil {
		return nil, err
	}
	return b.Authenticate(ctx, h, level)
}

// Send protects a command, sends it and takes the protection off the answer.
func (c *Channel) Send(ctx context.Context, cmd apdu.Command) (Answer, error) {
	wrapped, err := c.Wrap(cmd)
	if err != nil {
		return Answer{}, err
	}
	raw, err := wrapped.Bytes()
	if err != nil {
		return Answer{}, err
	}
	return c.Deliver(ctx, raw)
}

// Deliver sends a command that Wrap has protected, and that a step may have changed since.
func (c *Channel) Deliver(ctx context.Context, raw []byte) (Answer, error) {
	n, resp, err := c.bench.Transmit(ctx, raw)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{N: n, Cmd: raw, Wire: resp, Resp: resp}
	plain, err := c.Unwrap(apdu.Response{Data: bytes.Clone(resp.Data), SW: resp.SW})
	if err != nil {
		a.Protection = err
		return a, nil
	}
	a.Resp = plain
	return a, nil
}
