package connector

import (
	"context"
	"strconv"

	"tokenwright/tms/gp/keys"
)

// sessionKey answers computeSessionKey in the forms that carry a card cryptogram.
func (h *tksHandler) sessionKey(ctx context.Context, c *allowed, f form, scp byte) (
	[]field, error,
) {
	req, err := parseSessionKey(f, scp)
	if err != nil {
		return nil, err
	}
	res, err := h.tks.ComputeSessionKey(ctx, req)
	if err != nil {
		return nil, err
	}
	out, err := sessionFields(c.Secret, f, scp, res)
	if err != nil {
		return nil, Errorf(StatusDerivation, "wrapping session keys: %w", err)
	}
	return out, nil
}

// sessionFields writes the session keys of an answer under the shared secret.
func sessionFields(s *SharedSecret, f form, scp byte, res SessionKeyResponse) ([]field, error) {
	k := res.Keys
	out := []field{{fieldStatus, "0"}}
	wrapped := []struct {
		name string
		key  keys.Key
	}{
		{fieldMACKey, k.SMAC}, {fieldENCKey, k.SENC}, {fieldRMACKey, k.SRMAC}, {fieldKEKKey, k.SDEK},
	}
	switch scp {
	case 1:
		wrapped[0].name = fieldSessionKey
		wrapped = wrapped[:2]
	case 2: // sessionKey as well, so that the answer is right for one who asked for one constant
		if one := constantKey(k, f.get(fieldConstant)); !one.IsZero() {
			wrapped = append(wrapped, struct {
				name string
				key  keys.Key
			}{fieldSessionKey, one})
		}
	}
	for _, w := range wrapped {
		if w.key.IsZero() {
			continue
		}
		b, err := s.Wrap(w.key)
		if err != nil {
			return nil, err
		}
		out = append(out, field{w.name, EncodeHex(b)})
	}
	if scp == 3 && k.SENC.Len() == 24 {
		out = append(out, field{fieldSessionBits, "192"})
	}
	out = append(out, field{fieldHostCrypto, EncodeHex(res.HostCryptogram[:])})
	return append(out, transportFields(scp, res.KRATransport)...), nil
}

// constantKey gives the session key that an SCP02 derivation constant stands for.
func constantKey(k keys.SessionKeys, constant string) keys.Key {
	b, err := decodeExact(constant, 2)
	if err != nil {
		return keys.Key{}
	}
	switch [2]byte(b) {
	case constENC:
		return k.SENC
	case constCMAC:
		return k.SMAC
	case constRMAC:
		return k.SRMAC
	case constDEK:
		return k.SDEK
	}
	return keys.Key{}
}

// SCP02's derivation constants. // GPCS 2.3.1 §E.4.1
var (
	constENC  = [2]byte{0x01, 0x82}
	constCMAC = [2]byte{0x01, 0x01}
	constRMAC = [2]byte{0x01, 0x02}
	constDEK  = [2]byte{0x01, 0x81}
)

// transportFields writes the KRA's transport keys. "keycheck" is that of the DES key, except in
// SCP03, where it is that of the AES key and the other has a name of its own.
func transportFields(scp byte, t KRATransport) []field {
	des, aes := fieldKeyCheck, fieldKeyCheckAES
	if scp == 3 {
		des, aes = fieldKeyCheckDES, fieldKeyCheck
	}
	var out []field
	for _, v := range []struct {
		name string
		data []byte
	}{
		{fieldWrappedDES, t.KekWrappedDESKey}, {fieldWrappedAES, t.KekWrappedAESKey},
		{des, t.KeyCheckDES}, {aes, t.KeyCheckAES},
		{fieldDRMDES, t.DRMTransDESKey}, {fieldDRMAES, t.DRMTransAESKey},
	} {
		if len(v.data) > 0 {
			out = append(out, field{v.name, EncodeHex(v.data)})
		}
	}
	return out
}

// scp02Step answers SCP02's one-constant form.
func (h *tksHandler) scp02Step(ctx context.Context, c *allowed, f form) ([]field, error) {
	if !c.SCP02Steps || h.stepper == nil {
		return nil, Errorf(StatusParameter,
			"scp02 request has no card cryptogram, and client %q may not ask without", c.Name)
	}
	req, err := parseSCP02Key(f)
	if err != nil {
		return nil, err
	}
	res, err := h.stepper.DeriveSCP02Key(ctx, req)
	if err != nil {
		return nil, err
	}
	b, err := c.Secret.Wrap(res.Key)
	if err != nil {
		return nil, Errorf(StatusDerivation, "wrapping session key: %w", err)
	}
	out := []field{{fieldStatus, "0"}, {fieldSessionKey, EncodeHex(b)}}
	return append(out, transportFields(2, res.KRATransport)...), nil
}

func (h *tksHandler) keySetData(ctx context.Context, c *allowed, f form) ([]field, error) {
	req, err := parseKeySetData(f, c.Secret)
	if err != nil {
		return nil, err
	}
	res, err := h.tks.CreateKeySetData(ctx, req)
	if err != nil {
		return nil, err
	}
	return []field{{fieldStatus, "0"}, {fieldKeySetData, EncodeHex(res.KeySetData)}}, nil
}

func (h *tksHandler) encryptData(ctx context.Context, f form) ([]field, error) {
	card, err := parseCard(f)
	if err != nil {
		return nil, err
	}
	data, err := f.bytes(fieldData, EncryptDataLen)
	if err != nil {
		return nil, err
	}
	res, err := h.tks.EncryptData(ctx, EncryptDataRequest{SCP: card.SCP, CUID: card.CUID,
		KDD: card.KDD, Info: card.Info, KeySet: card.KeySet, Data: data})
	if err != nil {
		return nil, err
	}
	return []field{{fieldStatus, "0"}, {fieldData, EncodeHex(res.Data)},
		{fieldEncryptedData, EncodeHex(res.Encrypted)}}, nil
}

func (h *tksHandler) randomData(ctx context.Context, f form) ([]field, error) {
	n, err := strconv.Atoi(f.get(fieldRandomCount))
	if err != nil || n < 1 || n > MaxRandomLen {
		// A missing or senseless count has a number of its own in this request.
		return nil, Errorf(StatusDerivation, "%s: want 1 to %d", fieldRandomCount, MaxRandomLen)
	}
	b, err := h.tks.ComputeRandomData(ctx, n)
	if err != nil {
		return nil, err
	}
	return []field{{fieldStatus, "0"}, {fieldRandomData, EncodeHex(b)}}, nil
}
