package main

import (
	"context"
	"crypto"
	"crypto/subtle"
	"io"

	"tokenwright/simcard/stock"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/perso"
)

// keyring computes session keys from the card's own static keys, which nobody but its maker holds.
type keyring struct{ set keys.KeySet }

// SessionKeys implements perso.Keyring.
func (k keyring) SessionKeys(_ context.Context, h perso.Handshake) (perso.Session, error) {
	static := kdf.FromKeySet(k.set)
	c := kdf.Challenges{Host: h.HostChallenge, Card: h.CardChallenge}
	var s perso.Session
	var err error
	switch h.Variant.SCP {
	case 1:
		s.Keys, err = kdf.SessionSCP01(static, h.HostChallenge, [8]byte(h.CardChallenge))
	case 2:
		c.Seq = [2]byte(h.Seq)
		s.Keys, err = kdf.SessionSCP02(static, c.Seq)
	default:
		s.Keys, err = kdf.SessionSCP03(static, h.HostChallenge, [8]byte(h.CardChallenge))
	}
	if err != nil {
		return perso.Session{}, err
	}
	host, card, err := kdf.Cryptograms(h.Variant.SCP, s.Keys, c)
	if err != nil {
		return perso.Session{}, err
	}
	if subtle.ConstantTimeCompare(card[:], h.Cryptogram[:]) != 1 {
		return perso.Session{}, perso.ErrCardCryptogram
	}
	s.HostCryptogram = host
	return s, nil
}

// open opens a channel to what is selected, at the level that TPSs use.
func (p *personalization) open(ctx context.Context) error {
	o := perso.ChannelOptions{
		Variants: []scp.Variant{{SCP: p.stock.SCP, I: p.stock.I}}, Keys: p.keyring,
	}
	if _, err := io.ReadFull(p.random, o.HostChallenge[:]); err != nil {
		return err
	}
	var err error
	p.channel, err = perso.OpenChannel(ctx, p.card, o)
	return err
}

func isds(s stock.Stock) []gp.AID { return append([]gp.AID{s.ISD}, s.Aliases...) }

// importKey makes a key pair outside the card and brings it in as a key recovery authority's: under
// a session key, in the way that the card's applet knows.
func (p *personalization) importKey(
	ctx context.Context, spec keySpec, address coolkey.PairAddress,
) (crypto.PublicKey, error) {
	key, err := spec.generate(p.random)
	if err != nil {
		return nil, err
	}
	der, bits, err := keyblob.PKCS8(key)
	if err != nil {
		return nil, err
	}
	algorithm, cipher := byte(coolkey.AlgorithmDES), keys.DES3
	if p.stock.SCP == 3 {
		algorithm, cipher = coolkey.AlgorithmAESKWP, keys.AES
	}
	var secret [16]byte
	var iv [8]byte
	for _, b := range [][]byte{secret[:], iv[:]} {
		if _, err := io.ReadFull(p.random, b); err != nil {
			return nil, err
		}
	}
	session, err := keys.New(cipher, secret[:])
	if err != nil {
		return nil, err
	}
	o := perso.ImportOptions{
		Pair: address, Bits: bits, Algorithm: algorithm, Check: keyblob.CheckValue(session), IV: iv[:],
	}
	if o.Wrapped, err = keyblob.WrapPair(algorithm, session, iv[:], der); err != nil {
		return nil, err
	}
	if o.SessionKey, err = p.channel.EncryptDEK(p.keyring.set.DEK, secret[:]); err != nil {
		return nil, err
	}
	return key.Public(), perso.ImportKey(ctx, p.channel, o)
}
