package holder

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"

	"tokenwright/simcard/stock"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/perso"
)

// writer is a secure channel to the applet, opened with the keys that the card left its factory
// with.
type writer struct {
	ch  *perso.Channel
	set keys.KeySet
}

func open(ctx context.Context, t perso.Transmitter, st stock.Stock) (*writer, error) {
	if err := perso.SelectApplet(ctx, t, lang.AppletAID); err != nil {
		return nil, err
	}
	w := &writer{}
	o := perso.ChannelOptions{
		Variants: []scp.Variant{{SCP: st.SCP, I: st.I}},
		Keys: perso.KeyringFunc(func(_ context.Context, h perso.Handshake) (s perso.Session, err error) {
			if w.set, err = st.FactoryKeys(h.KDD); err != nil {
				return s, err
			}
			return session(w.set, h)
		}),
	}
	var err error
	if _, err = rand.Read(o.HostChallenge[:]); err != nil {
		return nil, err
	}
	w.ch, err = perso.OpenChannel(ctx, t, o)
	return w, err
}

// session derives session keys and checks that the card has derived the same.
func session(set keys.KeySet, h perso.Handshake) (s perso.Session, err error) {
	static := kdf.FromKeySet(set)
	c := kdf.Challenges{Host: h.HostChallenge, Card: h.CardChallenge}
	switch h.Variant.SCP {
	case 2:
		copy(c.Seq[:], h.Seq)
		s.Keys, err = kdf.SessionSCP02(static, c.Seq)
	case 3:
		s.Keys, err = kdf.SessionSCP03(static, c.Host, [8]byte(c.Card))
	default:
		s.Keys, err = kdf.SessionSCP01(static, c.Host, [8]byte(c.Card))
	}
	if err != nil {
		return s, err
	}
	host, card, err := kdf.Cryptograms(h.Variant.SCP, s.Keys, c)
	if err == nil && card != h.Cryptogram {
		err = perso.ErrCardCryptogram
	}
	s.HostCryptogram = host
	return s, err
}

func (w *writer) encrypt(_ context.Context, plain []byte) ([]byte, error) {
	return w.ch.EncryptDEK(w.set.DEK, plain)
}

func address(slots lang.SlotPair) lang.PairAddress {
	return lang.PairAddress{Private: slots.Private, Public: slots.Public}
}

// generate has the card make a key pair of its own.
func (w *writer) generate(ctx context.Context, slots lang.SlotPair, a Algorithm) (crypto.PublicKey, error) {
	bits, err := a.bits()
	if err != nil {
		return nil, err
	}
	o := perso.GenerateOptions{
		Pair: address(slots), EC: a.Curve() != nil, Bits: bits, Encrypt: w.encrypt,
	}
	if _, err := rand.Read(o.Challenge[:]); err != nil {
		return nil, err
	}
	return perso.GenerateKey(ctx, w.ch, o)
}

// bring puts a key pair that is made outside the card onto it, as a key recovery authority does with
// keys for encryption.
func (w *writer) bring(ctx context.Context, slots lang.SlotPair, a Algorithm) (crypto.PublicKey, error) {
	bits, err := a.bits()
	if err != nil {
		return nil, err
	}
	if a.Curve() != nil {
		return nil, errors.New("no applet takes a key on a curve from outside")
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	der, _, err := keyblob.PKCS8(key)
	if err != nil {
		return nil, err
	}
	o := perso.ImportOptions{Pair: address(slots), Bits: bits, Algorithm: lang.AlgorithmDES}
	algorithm, ivLen := keys.DES3, 8
	if w.set.DEK.Algorithm() == keys.AES {
		algorithm, ivLen, o.Algorithm = keys.AES, 16, lang.AlgorithmAESKWP
	}
	var random [16 + 16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	transport, err := keys.New(algorithm, random[:16])
	if err != nil {
		return nil, err
	}
	o.IV, o.Check = random[16:16+ivLen], keyblob.CheckValue(transport)
	if o.Wrapped, err = keyblob.WrapPair(o.Algorithm, transport, o.IV, der); err != nil {
		return nil, err
	}
	if o.SessionKey, err = w.encrypt(ctx, transport.Bytes()); err != nil {
		return nil, err
	}
	return key.Public(), perso.ImportKey(ctx, w.ch, o)
}

// write makes the content the card's, and the card its holder's.
func (w *writer) write(ctx context.Context, c content.Content, o perso.ContentOptions) error {
	if err := perso.WriteContent(ctx, w.ch, &c, o); err != nil {
		return err
	}
	return perso.SetLifeCycle(ctx, w.ch, lang.StatePersonalized)
}
