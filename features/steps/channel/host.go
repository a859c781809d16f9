package channel

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/rand/v2"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// errCardCryptogram means that the card does not hold the keys that were tried.
var errCardCryptogram = errors.New("the card's cryptogram is wrong")

// host is the harness's own end of a secure channel, apart from the one of the system under test.
type host struct {
	card    *scene.Card
	variant scp.Variant
	host    *scp.Host
	last    []byte // the last wrapped command, as sent
	rmac    bool   // the last answer carried one more than its plain length
}

// handshake is INITIALIZE UPDATE and what follows from its answer.
type handshake struct {
	answer  gp.InitializeUpdateResponse
	session keys.SessionKeys
	hostC   [8]byte
	variant scp.Variant
}

// factoryKeys gives the keys that the card left the factory with, from the KDD that it answers.
func factoryKeys(c *scene.Card, kdd keys.KDD) (keys.KeySet, error) {
	return c.Stock.FactoryKeys(kdd)
}

// wrongKeys gives a key set that no card holds.
func wrongKeys(c *scene.Card, kdd keys.KDD) (keys.KeySet, error) {
	set, err := c.Stock.FactoryKeys(kdd)
	if err != nil {
		return keys.KeySet{}, err
	}
	flip := func(k keys.Key) keys.Key {
		b := k.Bytes()
		b[0] ^= 0x22 // a bit that is not DES parity
		out, e := keys.New(k.Algorithm(), b)
		err = errors.Join(err, e)
		return out
	}
	set.ENC, set.MAC, set.DEK = flip(set.ENC), flip(set.MAC), flip(set.DEK)
	return set, err
}

// initialize selects the card manager and sends INITIALIZE UPDATE.
func initialize(ctx context.Context, c *scene.Card, kvn keys.KVN, seed int64) (gp.InitializeUpdateResponse, [8]byte, error) {
	var challenge [8]byte
	r := rand.New(rand.NewPCG(uint64(seed), uint64(c.Count())))
	for i := range challenge {
		challenge[i] = byte(r.Uint32())
	}
	if err := selectManager(ctx, c); err != nil {
		return gp.InitializeUpdateResponse{}, challenge, err
	}
	cmd := gp.InitializeUpdate{KVN: kvn, HostChallenge: challenge, Ne: 256}.Command()
	resp, err := c.Do(ctx, cmd)
	if err == nil {
		err = resp.Err()
	}
	if err != nil {
		return gp.InitializeUpdateResponse{}, challenge, fmt.Errorf("INITIALIZE UPDATE: %w", err)
	}
	answer, err := gp.ParseInitializeUpdateResponse(resp.Data)
	return answer, challenge, err
}

func selectManager(ctx context.Context, c *scene.Card) error {
	resp, err := c.Do(ctx, apdu.Command{INS: 0xA4, P1: 0x04, Ne: 256})
	if err != nil {
		return err
	}
	if !resp.SW.OK() {
		return fmt.Errorf("selecting the card manager: %w", resp.SW)
	}
	return nil
}

// begin does INITIALIZE UPDATE, derives session keys and checks the card's cryptogram.
func begin(ctx context.Context, c *scene.Card, kvn keys.KVN, seed int64,
	keysFor func(*scene.Card, keys.KDD) (keys.KeySet, error)) (handshake, error) {
	answer, challenge, err := initialize(ctx, c, kvn, seed)
	if err != nil {
		return handshake{}, err
	}
	set, err := keysFor(c, answer.KDD)
	if err != nil {
		return handshake{}, err
	}
	h := handshake{answer: answer, variant: scp.Variant{SCP: answer.Info.SCP, I: c.Stock.I}}
	if answer.Info.HasI {
		h.variant.I = answer.Info.I
	}
	if h.session, err = sessionKeys(answer, challenge, set); err != nil {
		return handshake{}, err
	}
	var seq [2]byte
	if answer.Info.SCP == 2 {
		copy(seq[:], answer.Seq)
	}
	hostC, cardC, err := kdf.Cryptograms(answer.Info.SCP, h.session,
		kdf.Challenges{Host: challenge, Card: answer.Challenge, Seq: seq})
	if err != nil {
		return handshake{}, err
	}
	if subtle.ConstantTimeCompare(cardC[:], answer.Cryptogram[:]) != 1 {
		return handshake{}, errCardCryptogram
	}
	h.hostC = hostC
	return h, nil
}

func sessionKeys(a gp.InitializeUpdateResponse, host [8]byte, set keys.KeySet) (keys.SessionKeys, error) {
	ck := kdf.FromKeySet(set)
	if a.Info.SCP == 2 {
		var seq [2]byte
		copy(seq[:], a.Seq)
		return kdf.SessionSCP02(ck, seq)
	}
	var card [8]byte
	copy(card[:], a.Challenge)
	if a.Info.SCP == 1 {
		return kdf.SessionSCP01(ck, host, card)
	}
	return kdf.SessionSCP03(ck, host, card)
}

// open opens a channel with the keys that keysFor gives.
func open(ctx context.Context, c *scene.Card, kvn keys.KVN, level scp.Level, seed int64,
	keysFor func(*scene.Card, keys.KDD) (keys.KeySet, error)) (*host, error) {
	h, err := begin(ctx, c, kvn, seed, keysFor)
	if err != nil {
		return nil, err
	}
	end, err := scp.NewHost(h.variant, level, h.session, scp.HostOptions{})
	if err != nil {
		return nil, err
	}
	cmd, err := end.ExternalAuthenticate(h.hostC)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(ctx, cmd)
	if err == nil {
		err = resp.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("EXTERNAL AUTHENTICATE: %w", err)
	}
	return &host{card: c, variant: h.variant, host: end}, nil
}

// send wraps a command, sends it and unwraps the answer.
func (h *host) send(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	wrapped, err := h.host.Wrap(cmd)
	if err != nil {
		return apdu.Response{}, err
	}
	if h.last, err = wrapped.Bytes(); err != nil {
		return apdu.Response{}, err
	}
	raw, err := h.card.Transmit(ctx, h.last)
	if err != nil {
		return apdu.Response{}, err
	}
	protected, err := apdu.ParseResponse(raw)
	if err != nil {
		return apdu.Response{}, err
	}
	plain, err := h.host.Unwrap(protected)
	h.rmac = err == nil && len(protected.Data) > len(plain.Data)
	return plain, err
}
