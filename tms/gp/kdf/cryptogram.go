package kdf

import (
	"fmt"
	"slices"

	"tokenwright/tms/gp/keys"
)

// Challenges are what both ends of a session contribute.
type Challenges struct {
	Host [8]byte
	Card []byte  // 8 bytes; 6 for SCP02.
	Seq  [2]byte // SCP02's sequence counter, big-endian.
}

// Cryptograms gives both ends' authentication cryptograms for protocol 01, 02 or 03
// (GPCS 2.1.1 §D.3.2, GPCS 2.3.1 §E.4.2, AMD-D §6.2.2). Compare them in constant time.
func Cryptograms(scp byte, sk keys.SessionKeys, c Challenges) (host, card [8]byte, err error) {
	want := 8
	if scp == 2 {
		want = 6
	}
	if len(c.Card) != want {
		return host, card, fmt.Errorf("cryptograms of scp%02X: card challenge of %d bytes, want %d: %w",
			scp, len(c.Card), want, ErrLength)
	}
	switch scp {
	case 1:
		host, card, err = desCryptograms(sk.SENC, c.Host[:], c.Card)
	case 2:
		host, card, err = desCryptograms(sk.SENC, c.Host[:], slices.Concat(c.Seq[:], c.Card))
	case 3:
		context := slices.Concat(c.Host[:], c.Card)
		host, err = derive8(sk.SMAC, scp03HostCryptogram, context)
		if err == nil {
			card, err = derive8(sk.SMAC, scp03CardCryptogram, context)
		}
	default:
		err = ErrMethod
	}
	if err != nil {
		return [8]byte{}, [8]byte{}, fmt.Errorf("cryptograms of scp%02X: %w", scp, err)
	}
	return host, card, nil
}

// desCryptograms MACs each end's view: the other end's part last for the card, first for the host.
func desCryptograms(senc keys.Key, h, c []byte) (host, card [8]byte, err error) {
	if host, err = senc.FullMAC([8]byte{}, slices.Concat(c, h)); err != nil {
		return host, card, err
	}
	card, err = senc.FullMAC([8]byte{}, slices.Concat(h, c))
	return host, card, err
}

func derive8(s Secret, constant byte, context []byte) ([8]byte, error) {
	if err := need("key", s, keys.AES); err != nil {
		return [8]byte{}, err
	}
	b, err := dataDerivation(s, constant, 64, context)
	if err != nil {
		return [8]byte{}, err
	}
	return [8]byte(b), nil
}

// CardChallengeSCP03 gives the pseudo-random card challenge of SCP03 from the static ENC key,
// the sequence counter (big-endian, already incremented) and the AID, 5 to 16 bytes, of the
// application that opens the session (AMD-D §6.2.2.1).
func CardChallengeSCP03(enc Secret, seq [3]byte, aid []byte) ([8]byte, error) {
	if err := checkAID(aid); err != nil {
		return [8]byte{}, err
	}
	c, err := derive8(enc, scp03CardChallenge, slices.Concat(seq[:], aid))
	if err != nil {
		return [8]byte{}, fmt.Errorf("card challenge: %w", err)
	}
	return c, nil
}

// CardChallengeSCP02 gives the pseudo-random card challenge of SCP02 (i bit 7) from the C-MAC
// session key and the AID, 5 to 16 bytes, of the application that opens the session
// (GPCS 2.3.1 §E.4.2.3).
func CardChallengeSCP02(smac keys.Key, aid []byte) ([6]byte, error) {
	if err := checkAID(aid); err != nil {
		return [6]byte{}, err
	}
	m, err := smac.RetailMAC([8]byte{}, aid)
	if err != nil {
		return [6]byte{}, fmt.Errorf("card challenge: %w", err)
	}
	return [6]byte(m[:6]), nil
}

func checkAID(aid []byte) error {
	if len(aid) < 5 || len(aid) > 16 {
		return fmt.Errorf("card challenge: aid of %d bytes, want 5 to 16: %w", len(aid), ErrLength)
	}
	return nil
}
