package connector

import (
	"strings"

	"tokenwright/tms/gp/keys"
)

// bytes gives the n bytes of a parameter.
func (f form) bytes(name string, n int) ([]byte, error) {
	if !f.has(name) {
		return nil, Errorf(StatusParameter, "%s is missing", name)
	}
	b, err := decodeExact(f.get(name), n)
	if err != nil {
		return nil, Errorf(StatusParameter, "%s: %w", name, err)
	}
	return b, nil
}

// parseCard reads what identifies the card and its keys. Without KDD the CUID stands for it.
func parseCard(f form) (CardID, error) {
	var c CardID
	cuid, err := f.bytes(fieldCUID, len(c.CUID))
	if err != nil {
		return c, err
	}
	c.CUID, c.KDD = keys.CUID(cuid), keys.KDD(cuid)
	if f.has(fieldKDD) {
		kdd, err := f.bytes(fieldKDD, len(c.KDD))
		if err != nil {
			return c, err
		}
		c.KDD = keys.KDD(kdd)
	}
	if c.SCP, err = parseProtocol(f.get(fieldProtocol)); err != nil {
		return c, err
	}
	if c.Info, err = parseInfo(f, fieldKeyInfo); err != nil {
		return c, err
	}
	c.KeySet, err = parseKeySetName(f.get(fieldKeySet))
	return c, err
}

// parseProtocol reads the protocol parameter; without one it is 1.
func parseProtocol(s string) (byte, error) {
	switch {
	case s == "", strings.Contains(s, "1"):
		return 1, nil
	case strings.Contains(s, "2"):
		return 2, nil
	case strings.Contains(s, "3"):
		return 3, nil
	}
	return 0, Errorf(StatusParameter, "%s: none of 1, 2, 3", fieldProtocol)
}

// parseInfo reads two or three bytes of key information.
func parseInfo(f form, name string) (keys.KeyInfo, error) {
	if !f.has(name) {
		return keys.KeyInfo{}, Errorf(StatusParameter, "%s is missing", name)
	}
	b, err := DecodeHex(f.get(name), 3)
	if err != nil {
		return keys.KeyInfo{}, Errorf(StatusParameter, "%s: %w", name, err)
	}
	info, err := keys.KeyInfoFromBytes(b)
	if err != nil {
		return keys.KeyInfo{}, Errorf(StatusParameter, "%s: %w", name, err)
	}
	return info, nil
}

func parseKeySetName(s string) (string, error) {
	if len(s) > MaxKeySetName {
		return "", Errorf(StatusParameter, "%s: more than %d characters", fieldKeySet,
			MaxKeySetName)
	}
	return s, nil
}

func parseSessionKey(f form, scp byte) (SessionKeyRequest, error) {
	card, err := parseCard(f)
	if err != nil {
		return SessionKeyRequest{}, err
	}
	req := SessionKeyRequest{SCP: scp, I: card.Info.I, CUID: card.CUID, KDD: card.KDD,
		Info: card.Info, KeySet: card.KeySet,
		ServerSideKeygen: f.get(fieldServerKeygen) == trueText}
	cardLen := ChallengeLen
	if scp == 2 {
		cardLen = SCP02ChallengeLen
		if req.Seq, err = f.bytes(fieldSequence, SequenceLen); err != nil {
			return req, err
		}
	}
	if req.CardChallenge, err = f.bytes(fieldCardChal, cardLen); err != nil {
		return req, err
	}
	host, err := f.bytes(fieldHostChal, ChallengeLen)
	if err != nil {
		return req, err
	}
	crypto, err := f.bytes(fieldCardCrypto, len(req.CardCryptogram))
	if err != nil {
		return req, err
	}
	req.HostChallenge, req.CardCryptogram = [8]byte(host), [8]byte(crypto)
	return req, nil
}

func parseSCP02Key(f form) (SCP02KeyRequest, error) {
	card, err := parseCard(f)
	if err != nil {
		return SCP02KeyRequest{}, err
	}
	seq, err := f.bytes(fieldSequence, SequenceLen)
	if err != nil {
		return SCP02KeyRequest{}, err
	}
	constant, err := f.bytes(fieldConstant, 2)
	if err != nil {
		return SCP02KeyRequest{}, err
	}
	return SCP02KeyRequest{CUID: card.CUID, KDD: card.KDD, Info: card.Info, KeySet: card.KeySet,
		Seq: [2]byte(seq), Constant: [2]byte(constant),
		ServerSideKeygen: f.get(fieldServerKeygen) == trueText}, nil
}

func parseKeySetData(f form, s *SharedSecret) (KeySetDataRequest, error) {
	card, err := parseCard(f)
	if err != nil {
		return KeySetDataRequest{}, err
	}
	req := KeySetDataRequest{SCP: card.SCP, CUID: card.CUID, KDD: card.KDD, Info: card.Info,
		KeySet: card.KeySet}
	if req.NewInfo, err = parseInfo(f, fieldNewKeyInfo); err != nil {
		return req, err
	}
	if req.OldKeySet, err = parseKeySetName(f.get(fieldOldKeySet)); err != nil {
		return req, err
	}
	if card.SCP != 2 {
		return req, nil
	}
	wrapped, err := DecodeHex(f.get(fieldWrappedDEK), maxWrappedSession)
	if err != nil {
		return req, Errorf(StatusParameter, "%s: %w", fieldWrappedDEK, err)
	}
	if req.SDEK, err = s.Unwrap(keys.DES3, wrapped, 0); err != nil {
		return req, Errorf(StatusParameter, "%s: %w", fieldWrappedDEK, err)
	}
	return req, nil
}
