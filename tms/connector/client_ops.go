package connector

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"tokenwright/tms/gp/keys"
)

// Names of the operations in configuration (tps.connector.<id>.uri.<name>).
const (
	opSessionKey  = "computeSessionKey"
	opKeySetData  = "createKeySetData"
	opEncryptData = "encryptData"
	opRandomData  = "computeRandomData"
)

// answer is a parsed answer with status 0.
type answer map[string]string

// readAnswer parses a body and turns a status other than 0 into an error.
func readAnswer(body []byte) (answer, error) {
	if strings.HasPrefix(string(body), unauthorizedBody) {
		return nil, ErrUnauthorized
	}
	fields, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	status, err := strconv.Atoi(fields[fieldStatus])
	if err != nil || status < 0 {
		return nil, fmt.Errorf("%w: no status", ErrProtocol)
	}
	if status != int(StatusOK) {
		return nil, &Error{Status: Status(status)}
	}
	return fields, nil
}

// bytes gives a field of at most limit bytes, nil when it is not there.
func (a answer) bytes(name string, limit int) ([]byte, error) {
	b, err := DecodeHex(a[name], limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrProtocol, name, err)
	}
	if len(b) == 0 {
		return nil, nil
	}
	return b, nil
}

// exact gives a field that must be there with n bytes.
func (a answer) exact(name string, n int) ([]byte, error) {
	b, err := decodeExact(a[name], n)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrProtocol, name, err)
	}
	return b, nil
}

// key unwraps a session key; the zero Key when the field is not there.
func (c *TKSClient) key(a answer, name string, alg keys.Algorithm) (keys.Key, error) {
	b, err := a.bytes(name, maxWrappedSession)
	if err != nil || b == nil {
		return keys.Key{}, err
	}
	bits := 0
	if alg == keys.AES && a[fieldSessionBits] != "" {
		if bits, err = strconv.Atoi(a[fieldSessionBits]); err != nil {
			return keys.Key{}, fmt.Errorf("%w: %s is no number", ErrProtocol, fieldSessionBits)
		}
	}
	k, err := c.secret.Unwrap(alg, b, bits)
	if err != nil {
		return keys.Key{}, fmt.Errorf("%w: %s: %w", ErrProtocol, name, err)
	}
	return k, nil
}

// needKey is key for a field that must be there.
func (c *TKSClient) needKey(a answer, name string, alg keys.Algorithm) (keys.Key, error) {
	k, err := c.key(a, name, alg)
	if err == nil && k.IsZero() {
		err = fmt.Errorf("%w: %s is missing", ErrProtocol, name)
	}
	return k, err
}

// cardForm gives the parameters that identify the card. In SCP02 the second byte of the key
// information counts as 01, which is how the wire form names master keys.
func (c *TKSClient) cardForm(id CardID) url.Values {
	info := id.Info
	if id.Protocol() != 3 {
		info.HasI = false
	}
	if id.Protocol() == 2 {
		info.SCP = 1
	}
	return url.Values{
		fieldCUID:    {EncodeHex(id.CUID[:])},
		fieldKDD:     {EncodeHex(id.KDD[:])},
		fieldKeyInfo: {EncodeHex(info.Bytes())},
		fieldKeySet:  {orDefault(id.KeySet, c.keySet)},
	}
}

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

// CreateKeySetData implements TKS.
func (c *TKSClient) CreateKeySetData(ctx context.Context, r KeySetDataRequest) (
	KeySetDataResponse, error,
) {
	scp := r.Card().Protocol()
	form := c.cardForm(r.Card())
	next := r.NewInfo
	if scp != 3 {
		next.SCP, next.HasI = 1, false
	}
	form.Set(fieldNewKeyInfo, EncodeHex(next.Bytes()))
	form.Set(fieldProtocol, strconv.Itoa(int(scp)))
	if r.OldKeySet != "" {
		form.Set(fieldOldKeySet, r.OldKeySet)
	}
	if scp == 2 {
		wrapped, err := c.secret.Wrap(r.SDEK)
		if err != nil {
			return KeySetDataResponse{}, Errorf(StatusParameter, "session DEK: %w", err)
		}
		form.Set(fieldWrappedDEK, EncodeHex(wrapped))
	}
	a, err := c.ask(ctx, opKeySetData, form)
	if err != nil {
		return KeySetDataResponse{}, err
	}
	data, err := a.bytes(fieldKeySetData, maxKeySetData)
	if err == nil && data == nil {
		err = fmt.Errorf("%w: %s is missing", ErrProtocol, fieldKeySetData)
	}
	return KeySetDataResponse{KeySetData: data}, err
}

// EncryptData implements TKS.
func (c *TKSClient) EncryptData(ctx context.Context, r EncryptDataRequest) (
	res EncryptDataResponse, err error,
) {
	form := c.cardForm(r.Card())
	form.Set(fieldProtocol, strconv.Itoa(int(r.Card().Protocol())))
	form.Set(fieldData, EncodeHex(r.Data))
	a, err := c.ask(ctx, opEncryptData, form)
	if err != nil {
		return res, err
	}
	if res.Data, err = a.exact(fieldData, EncryptDataLen); err != nil {
		return EncryptDataResponse{}, err
	}
	if res.Encrypted, err = a.exact(fieldEncryptedData, EncryptDataLen); err != nil {
		return EncryptDataResponse{}, err
	}
	return res, nil
}

// ComputeRandomData implements TKS.
func (c *TKSClient) ComputeRandomData(ctx context.Context, n int) ([]byte, error) {
	if n < 1 || n > MaxRandomLen {
		return nil, Errorf(StatusParameter, "%d random bytes, want 1 to %d", n, MaxRandomLen)
	}
	a, err := c.ask(ctx, opRandomData, url.Values{fieldRandomCount: {strconv.Itoa(n)}})
	if err != nil {
		return nil, err
	}
	return a.exact(fieldRandomData, n)
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
