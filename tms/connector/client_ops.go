package connector

import (
	"context"
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
