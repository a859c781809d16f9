package connector

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"tokenwright/tms/gp/keys"
)

// KRAClient asks a KRA over HTTPS in the wire form, and is a KRA to its caller. The zero value is
// of no use; see NewKRAClient.
type KRAClient struct{ *peer }

var _ KRA = (*KRAClient)(nil)

// NewKRAClient checks cfg and gives a client. It connects to nobody yet. A request that one host
// did not answer goes to the next: a list of hosts must mean one archive.
func NewKRAClient(cfg PeerConfig) (*KRAClient, error) {
	p, err := newPeer("key recovery authority", cfg, map[string]string{
		opGenerateKeyPair: PathGenerateKeyPair, opTokenKeyRecovery: PathTokenKeyRecovery,
		opTokenKeyQuery: PathTokenKeyQuery,
	})
	if err != nil {
		return nil, err
	}
	return &KRAClient{p}, nil
}

// ask sends a request and reads an answer.
func (c *KRAClient) ask(ctx context.Context, op string, form url.Values) (answer, error) {
	body, err := c.send(ctx, op, form)
	if err != nil {
		return nil, err
	}
	return readKRAAnswer(body)
}

// readKRAAnswer parses a body and turns a status that is not success into an error. An older KRA
// ends one of its paths with 1 for success.
func readKRAAnswer(body []byte) (answer, error) {
	if strings.HasPrefix(string(body), unauthorizedBody) {
		return nil, ErrUnauthorized
	}
	fields, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	status, err := strconv.Atoi(fields[fieldStatus])
	switch {
	case err != nil || status < 0:
		return nil, fmt.Errorf("%w: no status", ErrProtocol)
	case status == int(KRAOK), status == 1 && fields[fieldWrapped] != "":
		return fields, nil
	}
	return nil, &KRAError{Status: KRAStatus(status)}
}

func transportForm(form url.Values, t CardTransport) {
	if len(t.DRMTransDESKey) > 0 {
		form.Set(fieldDRMDES, EncodeHex(t.DRMTransDESKey))
	}
	if len(t.DRMTransAESKey) > 0 {
		form.Set(fieldDRMAES, EncodeHex(t.DRMTransAESKey))
		form.Set(fieldWrapAlg, wrapNames[parseWrap(t.AESWrap.short())])
	}
}

// short is the word of the wire form, "" for an unknown way.
func (w KeyWrap) short() string {
	if int(w) < len(wrapNames) {
		return wrapNames[w]
	}
	return ""
}

// GenerateKeyPair implements KRA.
func (c *KRAClient) GenerateKeyPair(ctx context.Context, r KeyPairRequest) (
	KeyPairResponse, error,
) {
	form := url.Values{
		fieldArchive: {strconv.FormatBool(r.Archive)},
		fieldCUID:    {r.CUID.String()},
		fieldUserID:  {r.UserID},
	}
	for _, f := range keySpecFields(r.Type, r.Bits) {
		form.Set(f.name, f.value)
	}
	if r.Usages != "" {
		form.Set(fieldUsages, r.Usages)
	}
	if r.RequestID != "" {
		form.Set(fieldKeyRequest, r.RequestID)
	}
	transportForm(form, r.CardTransport)
	a, err := c.ask(ctx, opGenerateKeyPair, form)
	if err != nil {
		return KeyPairResponse{}, err
	}
	return a.keyPair(wrapUsed(r.CardTransport, false))
}

// RecoverKey implements KRA.
func (c *KRAClient) RecoverKey(ctx context.Context, r KeyRecoveryRequest) (
	KeyPairResponse, error,
) {
	form := url.Values{fieldCUID: {r.CUID.String()}, fieldUserID: {r.UserID}}
	nameKey(form, r.KeyID, r.Certificate)
	transportForm(form, r.CardTransport)
	a, err := c.ask(ctx, opTokenKeyRecovery, form)
	if err != nil {
		return KeyPairResponse{}, err
	}
	return a.keyPair(wrapUsed(r.CardTransport, true))
}

// FindKey implements KRA.
func (c *KRAClient) FindKey(ctx context.Context, q KeyQuery) (KeyInfo, error) {
	form := url.Values{}
	nameKey(form, q.KeyID, q.Certificate)
	if q.RequestID != "" {
		form.Set(fieldKeyRequest, q.RequestID)
	}
	a, err := c.ask(ctx, opTokenKeyQuery, form)
	if err != nil {
		return KeyInfo{}, err
	}
	return a.keyInfo()
}

func nameKey(form url.Values, id KeyID, cert []byte) {
	if id != "" {
		form.Set(fieldKeyID, string(id))
	}
	if len(cert) > 0 {
		form.Set(fieldCert, base64.StdEncoding.EncodeToString(cert))
	}
}

// keyPair reads what a KRA answers about a key pair; wrap is how it is wrapped if the answer does
// not tell.
func (a answer) keyPair(wrap KeyWrap) (KeyPairResponse, error) {
	res := KeyPairResponse{KeyID: KeyID(a[fieldKeyID]), Wrap: wrap}
	var err error
	if res.Wrapped, err = a.bytes(fieldWrapped, maxWrapped); err != nil {
		return KeyPairResponse{}, err
	}
	if res.IV, err = a.bytes(fieldIV, 16); err != nil {
		return KeyPairResponse{}, err
	}
	if res.PublicKey, err = decodePublicKey(a[fieldKeyPublic]); err != nil {
		return KeyPairResponse{}, fmt.Errorf("%w: %s: %w", ErrProtocol, fieldKeyPublic, err)
	}
	switch {
	case len(res.Wrapped) == 0:
		return KeyPairResponse{}, fmt.Errorf("%w: %s is missing", ErrProtocol, fieldWrapped)
	case len(res.PublicKey) == 0:
		return KeyPairResponse{}, fmt.Errorf("%w: %s is missing", ErrProtocol, fieldKeyPublic)
	case res.KeyID != "" && !res.KeyID.Valid():
		return KeyPairResponse{}, fmt.Errorf("%w: %s is no number", ErrProtocol, fieldKeyID)
	}
	if used := a[fieldWrapResult]; used != "" {
		for w, name := range wrapNames {
			if name == used {
				res.Wrap = KeyWrap(w)
				return res, nil
			}
		}
		return KeyPairResponse{}, fmt.Errorf("%w: %s is unknown", ErrProtocol, fieldWrapResult)
	}
	return res, nil
}

// keyInfo reads the answer of a query.
func (a answer) keyInfo() (KeyInfo, error) {
	info := KeyInfo{KeyID: KeyID(a[fieldKeyID])}
	fail := func(name string, err error) (KeyInfo, error) {
		return KeyInfo{}, fmt.Errorf("%w: %s: %w", ErrProtocol, name, err)
	}
	if !info.KeyID.Valid() {
		return fail(fieldKeyID, fmt.Errorf("no number"))
	}
	var err error
	if info.CUID, err = keys.ParseCUID(a[fieldCUID]); err != nil {
		return fail(fieldCUID, err)
	}
	if info.UserID, err = url.QueryUnescape(a[fieldUserID]); err == nil {
		err = CheckUserID(info.UserID)
	}
	if err != nil {
		return fail(fieldUserID, err)
	}
	get := func(name string) string { return a[name] }
	if info.Type, info.Bits, err = parseKeySpec(get); err != nil {
		return KeyInfo{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if info.PublicKey, err = decodePublicKey(a[fieldKeyPublic]); err != nil {
		return fail(fieldKeyPublic, err)
	}
	return info, nil
}
