package connector

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"tokenwright/tms/gp/keys"
)

// KRAHandler serves k in the wire form, at its three paths. It must stand behind TLS that requests
// and verifies client certificates: without one, every answer is "unauthorized=". Secrets of the
// clients' entries are not used.
func KRAHandler(k KRA, o HandlerOptions) (http.Handler, error) {
	g, err := newGate(o)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, answer := range map[string]func(context.Context, KRA, form) ([]field, error){
		PathGenerateKeyPair: answerGenerate, PathTokenKeyRecovery: answerRecovery,
		PathTokenKeyQuery: answerQuery,
	} {
		mux.Handle("POST "+path, &kraHandler{gate: g, kra: k, answer: answer})
	}
	return mux, nil
}

type kraHandler struct {
	gate
	kra    KRA
	answer func(context.Context, KRA, form) ([]field, error)
}

// ServeHTTP answers one request.
func (h *kraHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.pass(w, r, func(ctx context.Context, c *allowed, f form) []field {
		fields, err := h.answer(ctx, h.kra, f)
		if err != nil {
			h.log.Warn("request failed", "client", c.Name, "session", Session(ctx),
				"status", int(KRAStatusOf(err)), "error", err)
			fields = []field{{fieldStatus, strconv.Itoa(int(KRAStatusOf(err)))}}
		}
		return fields
	})
}

func answerGenerate(ctx context.Context, k KRA, f form) ([]field, error) {
	req, err := parseKeyPair(f)
	if err != nil {
		return nil, err
	}
	res, err := k.GenerateKeyPair(ctx, req)
	if err != nil {
		return nil, err
	}
	return keyPairFields(res, req.Type), nil
}

func answerRecovery(ctx context.Context, k KRA, f form) ([]field, error) {
	req, err := parseRecovery(f)
	if err != nil {
		return nil, err
	}
	res, err := k.RecoverKey(ctx, req)
	if err != nil {
		return nil, err
	}
	return keyPairFields(res, publicKeyType(res.PublicKey)), nil
}

func answerQuery(ctx context.Context, k KRA, f form) ([]field, error) {
	q := KeyQuery{RequestID: f.get(fieldKeyRequest)}
	if err := CheckRequestID(q.RequestID); err != nil {
		return nil, &KRAError{Status: KRARequest, Err: err}
	}
	var err error
	if q.KeyID, q.Certificate, err = parseKeyName(f, q.RequestID == ""); err != nil {
		return nil, err
	}
	info, err := k.FindKey(ctx, q)
	if err != nil {
		return nil, err
	}
	out := append([]field{
		{fieldStatus, "0"}, {fieldKeyID, string(info.KeyID)}, {fieldCUID, info.CUID.String()},
		{fieldUserID, url.QueryEscape(info.UserID)},
	}, keySpecFields(info.Type, info.Bits)...)
	return append(out, field{fieldKeyPublic, encodePublicKey(info.PublicKey, info.Type)}), nil
}

// keyPairFields writes a key pair.
func keyPairFields(res KeyPairResponse, kind KeyType) []field {
	out := []field{
		{fieldStatus, "0"}, {fieldWrapped, EncodeHex(res.Wrapped)}, {fieldIV, EncodeHex(res.IV)},
		{fieldKeyPublic, encodePublicKey(res.PublicKey, kind)},
		{fieldWrapResult, res.Wrap.short()},
	}
	if res.KeyID != "" {
		out = append(out, field{fieldKeyID, string(res.KeyID)})
	}
	return out
}

func parseKeyPair(f form) (KeyPairRequest, error) {
	bad := func(err error) (KeyPairRequest, error) {
		return KeyPairRequest{}, &KRAError{Status: KRARequest, Err: err}
	}
	r := KeyPairRequest{RequestID: f.get(fieldKeyRequest), UserID: f.get(fieldUserID),
		Usages: f.get(fieldUsages), Archive: f.get(fieldArchive) == trueText}
	if err := CheckRequestID(r.RequestID); err != nil {
		return bad(err)
	}
	if len(r.Usages) > maxUsages {
		return bad(KRAErrorf(KRARequest, "%s: more than %d characters", fieldUsages, maxUsages))
	}
	if a := f.get(fieldArchive); a != trueText && a != falseText {
		return bad(KRAErrorf(KRARequest, "%s: neither true nor false", fieldArchive))
	}
	var err error
	if r.CUID, err = parseOwner(f); err != nil {
		return bad(err)
	}
	if r.Type, r.Bits, err = parseKeySpec(f.get); err != nil {
		return bad(err)
	}
	r.CardTransport, err = parseTransport(f)
	return r, err
}

func parseRecovery(f form) (KeyRecoveryRequest, error) {
	r := KeyRecoveryRequest{UserID: f.get(fieldUserID)}
	var err error
	if r.CUID, err = parseOwner(f); err != nil {
		return r, &KRAError{Status: KRARequest, Err: err}
	}
	if r.KeyID, r.Certificate, err = parseKeyName(f, true); err != nil {
		return r, err
	}
	r.CardTransport, err = parseTransport(f)
	return r, err
}

// parseOwner reads the card, and looks at the user.
func parseOwner(f form) (keys.CUID, error) {
	if err := CheckUserID(f.get(fieldUserID)); err != nil {
		return keys.CUID{}, err
	}
	b, err := decodeExact(f.get(fieldCUID), len(keys.CUID{}))
	if err != nil {
		return keys.CUID{}, KRAErrorf(KRARequest, "%s: %w", fieldCUID, err)
	}
	return keys.CUID(b), nil
}

// parseKeyName reads what names an archived key; need says that something must.
func parseKeyName(f form, need bool) (KeyID, []byte, error) {
	id := KeyID(f.get(fieldKeyID))
	if id != "" && !id.Valid() {
		return "", nil, KRAErrorf(KRARequest, "%s: no decimal number", fieldKeyID)
	}
	cert, err := decodeBase64(f.get(fieldCert), MaxCertLen)
	if err != nil {
		return "", nil, KRAErrorf(KRACertificate, "%s: %w", fieldCert, err)
	}
	if need && id == "" && len(cert) == 0 {
		return "", nil, KRAErrorf(KRANoKeyNamed, "%s and %s are both missing", fieldCert, fieldKeyID)
	}
	return id, cert, nil
}

func parseTransport(f form) (CardTransport, error) {
	t := CardTransport{AESWrap: parseWrap(f.get(fieldWrapAlg))}
	for _, k := range []struct {
		name string
		to   *[]byte
	}{{fieldDRMDES, &t.DRMTransDESKey}, {fieldDRMAES, &t.DRMTransAESKey}} {
		b, err := DecodeHex(f.get(k.name), maxTransportKey)
		if err != nil {
			return t, KRAErrorf(KRANoWrapped, "%s: %w", k.name, err)
		}
		*k.to = b
	}
	if len(t.DRMTransDESKey)+len(t.DRMTransAESKey) == 0 {
		return t, KRAErrorf(KRANoWrapped, "%s and %s are both missing", fieldDRMDES, fieldDRMAES)
	}
	return t, nil
}
