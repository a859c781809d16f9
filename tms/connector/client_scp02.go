package connector

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"

	"tokenwright/tms/gp/keys"
)

// rmacOption is the bit of SCP02's option i that says R-MAC is supported. // GPCS 2.3.1 §E.1.1
const rmacOption = 0x20

// sessionSCP02 asks for the ENC key with everything that lets a TKS verify the card and answer
// at once. An answer without the MAC key comes from a TKS that knows one constant a call.
func (c *TKSClient) sessionSCP02(ctx context.Context, r SessionKeyRequest, form url.Values) (
	res SessionKeyResponse, err error,
) {
	form.Set(fieldProtocol, "2")
	form.Set(fieldSequence, EncodeHex(r.Seq))
	form.Set(fieldConstant, EncodeHex(constENC[:]))
	a, err := c.ask(ctx, opSessionKey, form)
	if err != nil {
		return res, err
	}
	if _, all := a[fieldMACKey]; !all {
		return c.scp02Steps(ctx, r, form, a)
	}
	for _, v := range []struct {
		name string
		to   *keys.Key
	}{
		{fieldENCKey, &res.Keys.SENC}, {fieldMACKey, &res.Keys.SMAC},
		{fieldRMACKey, &res.Keys.SRMAC}, {fieldKEKKey, &res.Keys.SDEK},
	} {
		if *v.to, err = c.needKey(a, v.name, keys.DES3); err != nil {
			return SessionKeyResponse{}, err
		}
	}
	return c.finish(a, 2, res)
}

// scp02Steps asks for the remaining keys one by one, R-MAC only where the card can use it, and
// does what such a TKS leaves to its caller: the cryptograms.
func (c *TKSClient) scp02Steps(ctx context.Context, r SessionKeyRequest, form url.Values,
	first answer,
) (res SessionKeyResponse, err error) {
	if res.Keys.SENC, err = c.needKey(first, fieldSessionKey, keys.DES3); err != nil {
		return SessionKeyResponse{}, err
	}
	if res.HostCryptogram, err = checkSCP02(r, res.Keys.SENC); err != nil {
		return SessionKeyResponse{}, err
	}
	for _, name := range []string{fieldCardChal, fieldHostChal, fieldCardCrypto} {
		form.Del(name)
	}
	steps := []struct {
		constant [2]byte
		to       *keys.Key
		skip     bool
	}{
		{constant: constCMAC, to: &res.Keys.SMAC},
		{constant: constRMAC, to: &res.Keys.SRMAC, skip: r.I&rmacOption == 0},
		{constant: constDEK, to: &res.Keys.SDEK},
	}
	for _, s := range steps {
		if s.skip {
			continue
		}
		form.Set(fieldConstant, EncodeHex(s.constant[:]))
		a, err := c.ask(ctx, opSessionKey, form)
		if err != nil {
			return SessionKeyResponse{}, fmt.Errorf("constant %X: %w", s.constant, err)
		}
		if *s.to, err = c.needKey(a, fieldSessionKey, keys.DES3); err != nil {
			return SessionKeyResponse{}, err
		}
		if s.constant != constDEK {
			continue
		}
		if res.KRATransport, err = a.transport(2); err != nil {
			return SessionKeyResponse{}, err
		}
	}
	return res, nil
}

// checkSCP02 verifies the card cryptogram and gives the host's. // GPCS 2.3.1 §E.4.2
func checkSCP02(r SessionKeyRequest, senc keys.Key) (host [8]byte, err error) {
	own := append(append([]byte(nil), r.Seq...), r.CardChallenge...)
	card, err := senc.FullMAC([8]byte{}, append(r.HostChallenge[:len(r.HostChallenge):8], own...))
	if err != nil {
		return host, err
	}
	if subtle.ConstantTimeCompare(card[:], r.CardCryptogram[:]) != 1 {
		return host, &Error{Status: StatusCardCryptogram}
	}
	return senc.FullMAC([8]byte{}, append(own, r.HostChallenge[:]...))
}
