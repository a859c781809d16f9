package connector

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/gp/keys"
)

// CAHandler serves c in the wire form to the clients of o (their Secret is not used). It must stand
// behind TLS that requests and verifies client certificates: without one, every answer is
// "unauthorized=".
func CAHandler(c CA, o HandlerOptions) (http.Handler, error) {
	h := &caHandler{ca: c, log: o.Log, timeout: orDefault(o.Timeout, DefaultTimeout)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	for _, client := range o.Clients {
		a, err := newAllowed(client)
		if err != nil {
			return nil, err
		}
		h.clients = append(h.clients, a)
	}
	mux := http.NewServeMux()
	mux.Handle("POST "+PathCAEnroll, h.answer(h.issue))
	mux.Handle("POST "+PathCACertificate, h.answer(h.certificate))
	mux.Handle("POST "+PathCARevoke, h.answer(h.revoke))
	mux.Handle("POST "+PathCAUnrevoke, h.answer(h.unrevoke))
	return mux, nil
}

type caHandler struct {
	ca      CA
	clients []allowed
	log     *slog.Logger
	timeout time.Duration
}

// caOperation reads a request and gives the body that answers it.
type caOperation func(ctx context.Context, f form) (body []byte, kind string)

// answer puts what all operations need before one.
func (h *caHandler) answer(do caOperation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := findClient(h.clients, r.TLS)
		if client == nil {
			h.log.Warn("request refused: client is not on the list", "peer", peerName(r),
				"remote", r.RemoteAddr)
			writeBody(w, []byte(unauthorizedBody))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
		defer cancel()
		ctx = WithSession(WithCaller(ctx, client.Name), r.Header.Get(sessionHeader))
		f, code, err := readForm(w, r)
		if err != nil {
			h.log.Warn("request refused", "client", client.Name, "error", err)
			http.Error(w, http.StatusText(code), code)
			return
		}
		body, kind := do(ctx, f)
		head := w.Header()
		head.Set("Content-Type", kind)
		head.Set("Content-Length", strconv.Itoa(len(body)))
		head.Set("Cache-Control", "no-store")
		_, _ = w.Write(body) // the peer's absence shows on its side
	})
}

// issue answers enrollment and renewal, which share a path.
func (h *caHandler) issue(ctx context.Context, f form) ([]byte, string) {
	var out IssuedCertificate
	var err error
	if f.get(fieldRenewal) == trueText {
		out, err = h.renew(ctx, f)
	} else {
		out, err = h.enroll(ctx, f)
	}
	if err != nil {
		return h.failedXML(ctx, err)
	}
	return h.xml(ctx, caReply{Status: "0", RequestID: f.get(fieldRequestID), Subject: out.Subject,
		Serial: string(out.Serial), Cert: base64.StdEncoding.EncodeToString(out.DER)})
}

func (h *caHandler) enroll(ctx context.Context, f form) (IssuedCertificate, error) {
	r, err := parseEnroll(f)
	if err == nil {
		err = r.Check()
	}
	if err != nil {
		return IssuedCertificate{}, err
	}
	return h.ca.Enroll(ctx, r)
}

// parseEnroll reads an enrollment's fields; those it does not know are passed over, as there are
// clients that send more.
func parseEnroll(f form) (r EnrollRequest, err error) {
	r = EnrollRequest{RequestID: f.get(fieldRequestID), ProfileID: f.get(fieldProfile),
		UserID: f.get(fieldScreenName), TokenType: f.get(fieldTokenType),
		Subject: f.get(fieldSubject)}
	if text := f.get(fieldCUID); text != "" {
		if r.CUID, err = parseCUIDText(text); err != nil {
			return r, err
		}
	}
	text := strings.NewReplacer("\r", "", "\n", "", " ", "+").Replace(f.get(fieldCAPublicKey))
	if r.PublicKey, err = base64.StdEncoding.DecodeString(text); err != nil {
		return r, CAErrorf(CABadRequest, "public key is no base64")
	}
	for i := range MaxSANPatterns {
		p := f.get(fieldSANPrefix + strconv.Itoa(i))
		if p == "" {
			break
		}
		r.SANPatterns = append(r.SANPatterns, p)
	}
	for name, v := range f {
		if attr, ok := strings.CutPrefix(name, fieldAttrPrefix); ok {
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[attr] = v
		}
	}
	return r, nil
}

// parseCUIDText reads 20 hex digits, with or without '-' between groups.
func parseCUIDText(text string) (keys.CUID, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(keys.CUID{}) {
		return keys.CUID{}, CAErrorf(CABadRequest, "%s is no 20 hex digits", fieldCUID)
	}
	return keys.CUID(b), nil
}

func (h *caHandler) renew(ctx context.Context, f form) (IssuedCertificate, error) {
	serial, err := ParseDecimalSerial(f.get(fieldRenewSerial))
	if err != nil {
		return IssuedCertificate{}, CAErrorf(CABadRequest, "%s: %w", fieldRenewSerial, err)
	}
	r := RenewRequest{RequestID: f.get(fieldRequestID), ProfileID: f.get(fieldProfile),
		Serial: serial}
	if err := r.Check(); err != nil {
		return IssuedCertificate{}, err
	}
	return h.ca.Renew(ctx, r)
}

func (h *caHandler) certificate(ctx context.Context, f form) ([]byte, string) {
	serial, err := ParseDecimalSerial(f.get(fieldCertSerial))
	if err != nil {
		return h.failedXML(ctx, CAErrorf(CABadRequest, "%s: %w", fieldCertSerial, err))
	}
	c, err := h.ca.Certificate(ctx, serial)
	if err != nil {
		return h.failedXML(ctx, err)
	}
	out := caRecord{Status: "0", Serial: string(c.Serial), Subject: c.Subject,
		Cert: base64.StdEncoding.EncodeToString(c.DER), State: string(c.State)}
	if c.State != CertificateValid {
		out.Reason = strconv.Itoa(int(c.Reason))
		out.RevokedAt = c.RevokedAt.UTC().Format(time.RFC3339)
	}
	return h.xml(ctx, out)
}

func (h *caHandler) revoke(ctx context.Context, f form) ([]byte, string) {
	r, err := parseRevoke(f)
	if err == nil {
		err = h.ca.Revoke(ctx, r)
	}
	return h.plain(ctx, err)
}

func parseRevoke(f form) (r RevokeRequest, err error) {
	if f.get(fieldOp) != opRevokeText {
		return r, CAErrorf(CABadRequest, "%s is not %s", fieldOp, opRevokeText)
	}
	n, err := strconv.Atoi(f.get(fieldReason))
	if err != nil {
		return r, CAErrorf(CABadRequest, "%s is no number", fieldReason)
	}
	text, okHead := strings.CutPrefix(f.get(fieldRevokeAll), revokeAllHead)
	text, okTail := strings.CutSuffix(text, revokeAllTail)
	if !okHead || !okTail {
		return r, CAErrorf(CABadRequest, "%s names no certificate", fieldRevokeAll)
	}
	r.Reason = Reason(n)
	if r.Serial, err = ParseDecimalSerial(text); err != nil {
		return r, CAErrorf(CABadRequest, "%s: %w", fieldRevokeAll, err)
	}
	return r, r.Check()
}

func (h *caHandler) unrevoke(ctx context.Context, f form) ([]byte, string) {
	serial, err := ParseDecimalSerial(f.get(fieldCertSerial))
	if err != nil {
		return h.plain(ctx, CAErrorf(CABadRequest, "%s: %w", fieldCertSerial, err))
	}
	return h.plain(ctx, h.ca.Release(ctx, serial))
}

// plain answers with status and error.
func (h *caHandler) plain(ctx context.Context, err error) ([]byte, string) {
	fields := []field{{fieldStatus, "0"}, {fieldError, ""}}
	if err != nil {
		h.note(ctx, err)
		fields = []field{{fieldStatus, "1"}, {fieldError, publicReason(err)},
			{fieldErrorCode, string(CACodeOf(err))}}
	}
	return encodeAnswer(fields), "text/plain; charset=utf-8"
}

func (h *caHandler) xml(ctx context.Context, v any) ([]byte, string) {
	body, err := marshalXML(v)
	if err != nil {
		return h.failedXML(ctx, err)
	}
	return body, xmlContentType
}

func (h *caHandler) failedXML(ctx context.Context, err error) ([]byte, string) {
	h.note(ctx, err)
	body, err := marshalXML(caReply{Status: "1", Error: publicReason(err),
		ErrorCode: string(CACodeOf(err))})
	if err != nil {
		return []byte("<XMLResponse><Status>1</Status></XMLResponse>"), xmlContentType
	}
	return body, xmlContentType
}

func (h *caHandler) note(ctx context.Context, err error) {
	level := slog.LevelWarn
	if errors.Is(err, ErrCAInternal) || CACodeOf(err) == CAInternal {
		level = slog.LevelError
	}
	h.log.Log(ctx, level, "request failed", "client", Caller(ctx), "session", Session(ctx),
		"code", string(CACodeOf(err)), "error", err)
}
