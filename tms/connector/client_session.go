package connector

import (
	"context"
	"net/url"

	"tokenwright/tms/gp/keys"
)

// ComputeSessionKey implements TKS. SCP01 and SCP03 take one round trip. SCP02 takes one with
// this project's TKS; a TKS that knows one derivation constant a call is asked for the others
// too, and then the card cryptogram is checked here.
func (c *TKSClient) ComputeSessionKey(ctx context.Context, r SessionKeyRequest) (
	SessionKeyResponse, error,
) {
	form := c.cardForm(r.Card())
	form.Set(fieldServerKeygen, falseText)
	if r.ServerSideKeygen {
		form.Set(fieldServerKeygen, trueText)
	}
	form.Set(fieldHostChal, EncodeHex(r.HostChallenge[:]))
	form.Set(fieldCardChal, EncodeHex(r.CardChallenge))
	form.Set(fieldCardCrypto, EncodeHex(r.CardCryptogram[:]))
	switch scp := r.Card().Protocol(); scp {
	case 1:
		return c.sessionSCP01(ctx, form)
	case 2:
		return c.sessionSCP02(ctx, r, form)
	case 3:
		return c.sessionSCP03(ctx, form)
	default:
		return SessionKeyResponse{}, Errorf(StatusParameter, "no secure channel protocol %d", scp)
	}
}

func (c *TKSClient) sessionSCP01(ctx context.Context, form url.Values) (
	res SessionKeyResponse, err error,
) {
	a, err := c.ask(ctx, opSessionKey, form)
	if err != nil {
		return res, err
	}
	if res.Keys.SMAC, err = c.needKey(a, fieldSessionKey, keys.DES3); err != nil {
		return res, err
	}
	if res.Keys.SENC, err = c.needKey(a, fieldENCKey, keys.DES3); err != nil {
		return res, err
	}
	return c.finish(a, 1, res)
}

func (c *TKSClient) sessionSCP03(ctx context.Context, form url.Values) (
	res SessionKeyResponse, err error,
) {
	form.Set(fieldProtocol, "3")
	a, err := c.ask(ctx, opSessionKey, form)
	if err != nil {
		return res, err
	}
	if res.Keys.SENC, err = c.needKey(a, fieldENCKey, keys.AES); err != nil {
		return res, err
	}
	if res.Keys.SMAC, err = c.needKey(a, fieldMACKey, keys.AES); err != nil {
		return res, err
	}
	// A foreign TKS gives no R-MAC key, but the card's static DEK, which nobody needs here.
	if res.Keys.SRMAC, err = c.key(a, fieldRMACKey, keys.AES); err != nil {
		return res, err
	}
	return c.finish(a, 3, res)
}

// finish reads what all protocols' answers have in common.
func (c *TKSClient) finish(a answer, scp byte, res SessionKeyResponse) (SessionKeyResponse, error) {
	host, err := a.exact(fieldHostCrypto, 8)
	if err != nil {
		return SessionKeyResponse{}, err
	}
	res.HostCryptogram = [8]byte(host)
	res.KRATransport, err = a.transport(scp)
	if err != nil {
		return SessionKeyResponse{}, err
	}
	return res, nil
}

// transport reads the KRA's transport keys.
func (a answer) transport(scp byte) (t KRATransport, err error) {
	des, aes := fieldKeyCheck, fieldKeyCheckAES
	if scp == 3 {
		des, aes = fieldKeyCheckDES, fieldKeyCheck
	}
	for _, v := range []struct {
		name  string
		limit int
		to    *[]byte
	}{
		{fieldWrappedDES, wrappedKeyLen, &t.KekWrappedDESKey},
		{fieldWrappedAES, wrappedKeyLen, &t.KekWrappedAESKey},
		{des, 3, &t.KeyCheckDES}, {aes, 3, &t.KeyCheckAES},
		{fieldDRMDES, maxTransportKey, &t.DRMTransDESKey},
		{fieldDRMAES, maxTransportKey, &t.DRMTransAESKey},
	} {
		if *v.to, err = a.bytes(v.name, v.limit); err != nil {
			return KRATransport{}, err
		}
	}
	return t, nil
}
