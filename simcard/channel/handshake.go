package channel

import (
	"errors"
	"fmt"
	"io"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func (c *Channel) challengeLen() int {
	if c.Variant.SCP == 2 {
		return 6
	}
	return 8
}

// InitializeUpdate opens a session on behalf of the application aid (GPCS 2.3.1 §E.5.1). A session
// that was there is over.
func (c *Channel) InitializeUpdate(aid gp.AID, cmd apdu.Command) (apdu.Response, error) {
	c.session.end()
	if apdu.Secure(cmd.CLA) || cmd.CLA&0x80 == 0 {
		return apdu.Response{SW: apdu.SW6E00}, nil
	}
	iu, err := gp.ParseInitializeUpdate(cmd)
	if err != nil {
		return applet.Answer(nil, applet.Refusal(err))
	}
	if sw := c.refuseKeyIndex(iu.KeyID); sw != 0 {
		return apdu.Response{SW: sw}, nil
	}
	i := c.find(iu.KVN)
	switch {
	case i < 0 || !c.suits(c.sets[i]):
		return apdu.Response{SW: apdu.SW6A88}, nil
	case c.MaxTries > 0 && c.tries == 0:
		return apdu.Response{SW: apdu.SW6983}, nil
	}
	return applet.Answer(c.startSession(aid, c.sets[i], iu.HostChallenge))
}

// refuseKeyIndex judges P2 of INITIALIZE UPDATE. SCP01 names the first key of a set by it, 00 or 01
// (GPCS 2.1.1 §D.4.1.4); in SCP02 and SCP03 it "shall be 00", which most cards do not check.
func (c *Channel) refuseKeyIndex(id keys.KeyID) apdu.SW {
	switch {
	case c.Variant.SCP == 1 && id > 1:
		return apdu.SW6A88
	case c.Variant.SCP != 1 && id != 0 && c.StrictKeyIndex:
		return apdu.SW6A86
	}
	return 0
}

// suits tells whether the keys of a set are of the protocol's algorithm.
func (c *Channel) suits(s keySet) bool {
	want := keys.DES3
	if c.Variant.SCP == 3 {
		want = keys.AES
	}
	return s.keys[0].Algorithm() == want
}

func (c *Channel) startSession(aid gp.AID, set keySet, host [8]byte) ([]byte, error) {
	n, err := c.nextCounter(set.kvn)
	if err != nil {
		return nil, err
	}
	ck := kdf.FromKeySet(set.keySet())
	out := gp.InitializeUpdateResponse{
		KDD: c.KDD, Info: keys.KeyInfo{KVN: set.kvn, SCP: c.Variant.SCP},
	}
	ch := kdf.Challenges{Host: host}
	var sk keys.SessionKeys
	switch c.Variant.SCP {
	case 1:
		out.Challenge, err = c.challenge(nil)
		if err == nil {
			sk, err = kdf.SessionSCP01(ck, host, [8]byte(out.Challenge))
		}
	case 2:
		ch.Seq = [2]byte{byte(n >> 8), byte(n)}
		out.Seq = ch.Seq[:]
		if !c.Variant.ThreeKeys() {
			ck = kdf.OneKey(set.keys[0])
		}
		if sk, err = kdf.SessionSCP02(ck, ch.Seq); err == nil {
			out.Challenge, err = c.challenge(func() ([]byte, error) {
				c, err := kdf.CardChallengeSCP02(sk.SMAC, aid)
				return c[:], err
			})
		}
	case 3:
		out.Info.I, out.Info.HasI = c.Variant.I, true
		seq := [3]byte{byte(n >> 16), byte(n >> 8), byte(n)}
		if counterLen(c.Variant) > 0 {
			out.Seq = seq[:]
		}
		out.Challenge, err = c.challenge(func() ([]byte, error) {
			c, err := kdf.CardChallengeSCP03(ck.ENC, seq, aid)
			return c[:], err
		})
		if err == nil {
			sk, err = kdf.SessionSCP03(ck, host, [8]byte(out.Challenge))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("initialize update: %w", err)
	}
	ch.Card = out.Challenge
	return c.started(set, sk, ch, out)
}

// started keeps the session and gives the answer.
func (c *Channel) started(
	set keySet, sk keys.SessionKeys, ch kdf.Challenges, out gp.InitializeUpdateResponse,
) ([]byte, error) {
	hostCryptogram, cardCryptogram, err := kdf.Cryptograms(c.Variant.SCP, sk, ch)
	if err != nil {
		return nil, fmt.Errorf("initialize update: %w", err)
	}
	card, err := scp.NewCard(c.Variant, sk)
	if err != nil {
		return nil, fmt.Errorf("initialize update: %w", err)
	}
	card.Misbehave(c.Misbehaviour)
	out.Cryptogram = cardCryptogram
	c.session = session{phase: sessionStarted, card: card, host: hostCryptogram, set: set, keys: sk}
	return out.Bytes(), nil
}

// nextCounter gives the sequence counter for a new session. In SCP03 it has just been counted up;
// it never wraps (AMD-D §6.2.2.1).
func (c *Channel) nextCounter(kvn keys.KVN) (uint32, error) {
	n, err := c.counter(kvn)
	size := counterLen(c.Variant)
	if err != nil || size == 0 {
		return 0, err
	}
	if n >= 1<<(8*size)-1 {
		return 0, apdu.SW6985
	}
	if size == 2 {
		return n, nil
	}
	n++
	return n, c.Memory.Update(func(tx *nvm.Tx) error { putCounter(tx, kvn, n); return nil })
}

// challenge gives the card challenge: pinned, pseudo-random where the variant says so, or random.
func (c *Channel) challenge(pseudo func() ([]byte, error)) ([]byte, error) {
	n := c.challengeLen()
	if c.Challenge != nil {
		return c.Challenge[:n:n], nil
	}
	if c.Variant.PseudoRandom() && pseudo != nil {
		return pseudo()
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c.Random, b)
	return b, err
}

// ExternalAuthenticate completes a session (GPCS 2.3.1 §E.5.2). The process starts again from
// INITIALIZE UPDATE after any failure. A try is taken from the counter, for good, before the
// outcome shows.
func (c *Channel) ExternalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	s := &c.session
	if s.phase != sessionStarted {
		return apdu.Response{SW: apdu.SW6985}, nil
	}
	if !apdu.Secure(cmd.CLA) || cmd.CLA&0x80 == 0 {
		return apdu.Response{SW: apdu.SW6E00}, nil
	}
	ea, err := gp.ParseExternalAuthenticate(cmd)
	if err == nil && c.Variant.CheckLevel(scp.Level(ea.Level)) != nil {
		err = gp.ErrParameter
	}
	if err != nil {
		s.end()
		return applet.Answer(nil, applet.Refusal(err))
	}
	limited := c.MaxTries > 0
	if limited {
		if err := c.setTries(c.tries - 1); err != nil {
			return apdu.Response{}, err
		}
	}
	if _, err := s.card.ExternalAuthenticate(cmd, s.host); err != nil {
		s.end()
		if errors.Is(err, scp.ErrCryptogram) {
			return apdu.Response{SW: apdu.SW6300}, nil
		}
		return apdu.Response{SW: apdu.SW6982}, nil
	}
	if err := c.authenticated(limited); err != nil {
		return apdu.Response{}, err
	}
	s.phase = sessionOpen
	return apdu.Response{SW: apdu.SW9000}, nil
}

func (c *Channel) setTries(n int) error {
	n = max(0, n)
	err := c.Memory.Update(func(tx *nvm.Tx) error { tx.Put(nameTries, []byte{byte(n)}); return nil })
	if err == nil {
		c.tries = n
	}
	return err
}

// authenticated gives the tries back and counts an SCP02 session, in one commit.
func (c *Channel) authenticated(limited bool) error {
	n, err := c.counter(c.session.set.kvn)
	if err != nil {
		return err
	}
	err = c.Memory.Update(func(tx *nvm.Tx) error {
		if limited {
			tx.Put(nameTries, []byte{byte(c.MaxTries)})
		}
		if c.Variant.SCP == 2 {
			putCounter(tx, c.session.set.kvn, n+1)
		}
		return nil
	})
	if err == nil && limited {
		c.tries = c.MaxTries
	}
	return err
}
