package isd

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

// sessionPhase is where the secure channel stands.
type sessionPhase uint8

const (
	sessionNone    sessionPhase = iota
	sessionStarted              // INITIALIZE UPDATE has been answered.
	sessionOpen                 // EXTERNAL AUTHENTICATE succeeded.
	sessionAborted              // A command failed its check; nothing passes until the session is over.
)

// session is the card's one secure channel session.
type session struct {
	phase sessionPhase
	card  *scp.Card
	host  [8]byte // host cryptogram that EXTERNAL AUTHENTICATE must bring
	set   keySet
	keys  keys.SessionKeys
}

func (s *session) end() {
	if s.card != nil {
		s.card.End()
	}
	*s = session{}
}

// engaged tells whether commands are subject to the session.
func (s *session) engaged() bool { return s.phase == sessionOpen || s.phase == sessionAborted }

// unwrap checks a command of the session. A command that fails aborts the session (GPCS 2.3.1
// §E.1.6, AMD-D §5.6): every other one is refused until it is terminated.
func (s *session) unwrap(cmd apdu.Command) (apdu.Command, error) {
	if s.phase != sessionOpen {
		return apdu.Command{}, apdu.SW6982
	}
	plain, err := s.card.Unwrap(cmd)
	if err != nil {
		s.end()
		s.phase = sessionAborted
		return apdu.Command{}, apdu.SW6982
	}
	return plain, nil
}

// wrap protects an answer. A session that the command has ended leaves the answer as it is; data
// that do not fit beside their protection give way to 6F00.
func (s *session) wrap(resp apdu.Response) (apdu.Response, error) {
	if s.phase != sessionOpen {
		return resp, nil
	}
	out, err := s.card.Wrap(resp)
	if errors.Is(err, scp.ErrTooLong) {
		out, err = s.card.Wrap(apdu.Response{SW: apdu.SW6F00})
	}
	if err != nil {
		return apdu.Response{}, fmt.Errorf("protecting response: %w", err)
	}
	return out, nil
}

func (s *session) level() scp.Level {
	if s.phase != sessionOpen {
		return 0
	}
	return s.card.Level()
}

func (d *Domain) challengeLen() int {
	if d.variant.SCP == 2 {
		return 6
	}
	return 8
}

// initializeUpdate opens a session on behalf of the application aid (GPCS 2.3.1 §E.5.1). A session
// that was there is over.
func (d *Domain) initializeUpdate(aid gp.AID, cmd apdu.Command) (apdu.Response, error) {
	if err := d.EndSession(); err != nil {
		return apdu.Response{}, err
	}
	if apdu.Secure(cmd.CLA) || cmd.CLA&0x80 == 0 {
		return apdu.Response{SW: apdu.SW6E00}, nil
	}
	iu, err := gp.ParseInitializeUpdate(cmd)
	if err != nil {
		return applet.Answer(nil, refusal(err))
	}
	if sw := d.refuseKeyIndex(iu.KeyID); sw != 0 {
		return apdu.Response{SW: sw}, nil
	}
	i := d.find(iu.KVN)
	switch {
	case i < 0 || !d.suits(d.sets[i]):
		return apdu.Response{SW: apdu.SW6A88}, nil
	case d.Stock.Quirks.AuthTries > 0 && d.tries == 0:
		return apdu.Response{SW: apdu.SW6983}, nil
	}
	return applet.Answer(d.startSession(aid, d.sets[i], iu.HostChallenge))
}

// refuseKeyIndex judges P2 of INITIALIZE UPDATE. SCP01 names the first key of a set by it, 00 or 01
// (GPCS 2.1.1 §D.4.1.4); in SCP02 and SCP03 it "shall be 00", which most cards do not check.
func (d *Domain) refuseKeyIndex(id keys.KeyID) apdu.SW {
	switch {
	case d.variant.SCP == 1 && id > 1:
		return apdu.SW6A88
	case d.variant.SCP != 1 && id != 0 && d.Stock.Quirks.StrictKeyIndex:
		return apdu.SW6A86
	}
	return 0
}

// suits tells whether the keys of a set are of the protocol's algorithm.
func (d *Domain) suits(s keySet) bool {
	want := keys.DES3
	if d.variant.SCP == 3 {
		want = keys.AES
	}
	return s.keys[0].Algorithm() == want
}

func (d *Domain) startSession(aid gp.AID, set keySet, host [8]byte) ([]byte, error) {
	n, err := d.nextCounter(set.kvn)
	if err != nil {
		return nil, err
	}
	ck := kdf.FromKeySet(set.keySet())
	out := gp.InitializeUpdateResponse{
		KDD: d.KDD, Info: keys.KeyInfo{KVN: set.kvn, SCP: d.variant.SCP},
	}
	ch := kdf.Challenges{Host: host}
	var sk keys.SessionKeys
	switch d.variant.SCP {
	case 1:
		out.Challenge, err = d.challenge(nil)
		if err == nil {
			sk, err = kdf.SessionSCP01(ck, host, [8]byte(out.Challenge))
		}
	case 2:
		ch.Seq = [2]byte{byte(n >> 8), byte(n)}
		out.Seq = ch.Seq[:]
		if !d.variant.ThreeKeys() {
			ck = kdf.OneKey(set.keys[0])
		}
		if sk, err = kdf.SessionSCP02(ck, ch.Seq); err == nil {
			out.Challenge, err = d.challenge(func() ([]byte, error) {
				c, err := kdf.CardChallengeSCP02(sk.SMAC, aid)
				return c[:], err
			})
		}
	case 3:
		out.Info.I, out.Info.HasI = d.variant.I, true
		seq := [3]byte{byte(n >> 16), byte(n >> 8), byte(n)}
		if counterLen(d.variant) > 0 {
			out.Seq = seq[:]
		}
		out.Challenge, err = d.challenge(func() ([]byte, error) {
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
	return d.started(set, sk, ch, out)
}

// started keeps the session and gives the answer.
func (d *Domain) started(
	set keySet, sk keys.SessionKeys, ch kdf.Challenges, out gp.InitializeUpdateResponse,
) ([]byte, error) {
	hostCryptogram, cardCryptogram, err := kdf.Cryptograms(d.variant.SCP, sk, ch)
	if err != nil {
		return nil, fmt.Errorf("initialize update: %w", err)
	}
	card, err := scp.NewCard(d.variant, sk)
	if err != nil {
		return nil, fmt.Errorf("initialize update: %w", err)
	}
	out.Cryptogram = cardCryptogram
	d.session = session{phase: sessionStarted, card: card, host: hostCryptogram, set: set, keys: sk}
	return out.Bytes(), nil
}

// nextCounter gives the sequence counter for a new session. In SCP03 it has just been counted up;
// it never wraps (AMD-D §6.2.2.1).
func (d *Domain) nextCounter(kvn keys.KVN) (uint32, error) {
	n, err := d.counter(kvn)
	size := counterLen(d.variant)
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
	return n, d.Memory.Update(func(tx *nvm.Tx) error { putCounter(tx, kvn, n); return nil })
}

// challenge gives the card challenge: pinned, pseudo-random where the variant says so, or random.
func (d *Domain) challenge(pseudo func() ([]byte, error)) ([]byte, error) {
	n := d.challengeLen()
	if d.CardChallenge != nil {
		return d.CardChallenge[:n:n], nil
	}
	if d.variant.PseudoRandom() && pseudo != nil {
		return pseudo()
	}
	b := make([]byte, n)
	_, err := io.ReadFull(d.Random, b)
	return b, err
}

// externalAuthenticate completes a session (GPCS 2.3.1 §E.5.2). The process starts again from
// INITIALIZE UPDATE after any failure. A try is taken from the counter, for good, before the
// outcome shows.
func (d *Domain) externalAuthenticate(cmd apdu.Command) (apdu.Response, error) {
	s := &d.session
	if s.phase != sessionStarted {
		return apdu.Response{SW: apdu.SW6985}, nil
	}
	if !apdu.Secure(cmd.CLA) || cmd.CLA&0x80 == 0 {
		return apdu.Response{SW: apdu.SW6E00}, nil
	}
	ea, err := gp.ParseExternalAuthenticate(cmd)
	if err == nil && d.variant.CheckLevel(scp.Level(ea.Level)) != nil {
		err = gp.ErrParameter
	}
	if err != nil {
		s.end()
		return applet.Answer(nil, refusal(err))
	}
	limited := d.Stock.Quirks.AuthTries > 0
	if limited {
		if err := d.setTries(d.tries - 1); err != nil {
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
	if err := d.authenticated(limited); err != nil {
		return apdu.Response{}, err
	}
	s.phase = sessionOpen
	return apdu.Response{SW: apdu.SW9000}, nil
}

func (d *Domain) setTries(n int) error {
	n = max(0, n)
	err := d.Memory.Update(func(tx *nvm.Tx) error { tx.Put(nameTries, []byte{byte(n)}); return nil })
	if err == nil {
		d.tries = n
	}
	return err
}

// authenticated gives the tries back and counts an SCP02 session, in one commit.
func (d *Domain) authenticated(limited bool) error {
	n, err := d.counter(d.session.set.kvn)
	if err != nil {
		return err
	}
	err = d.Memory.Update(func(tx *nvm.Tx) error {
		if limited {
			tx.Put(nameTries, []byte{byte(d.Stock.Quirks.AuthTries)})
		}
		if d.variant.SCP == 2 {
			putCounter(tx, d.session.set.kvn, n+1)
		}
		return nil
	})
	if err == nil && limited {
		d.tries = d.Stock.Quirks.AuthTries
	}
	return err
}

// decrypt decrypts sensitive data of a command: 3DES-ECB under the static DEK in SCP01 (GPCS 2.1.1
// §D.3.5) and the session DEK in SCP02 (GPCS 2.3.1 §E.4.7), AES-CBC with zero IV under the static
// DEK in SCP03 (AMD-D §6.2.8).
func (d *Domain) decrypt(data []byte) ([]byte, error) {
	if d.session.phase != sessionOpen {
		return nil, apdu.SW6985
	}
	var out []byte
	var err error
	switch d.variant.SCP {
	case 1:
		out, err = d.session.set.keys[2].DecryptECB(data)
	case 2:
		out, err = d.session.keys.SDEK.DecryptECB(data)
	default:
		out, err = d.session.set.keys[2].DecryptCBC(nil, data)
	}
	if err != nil {
		return nil, apdu.SW6A80 // Not a whole number of blocks.
	}
	return out, nil
}
