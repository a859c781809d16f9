package connector

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// CAClient asks a CA over HTTPS in the wire form, and is a CA to its caller. The zero value is of
// no use; see NewCAClient.
type CAClient struct{ *peer }

var _ CA = (*CAClient)(nil)

// NewCAClient checks cfg and gives a client. Operation names for URIs are enrollment, renewal,
// getcert, revoke and unrevoke. It connects to nobody yet. Hosts must lead to one and the same CA:
// a request that one did not answer is put to the next.
func NewCAClient(cfg PeerConfig) (*CAClient, error) {
	p, err := newPeer("certificate authority", cfg, map[string]string{
		opCAEnroll: PathCAEnroll, opCARenew: PathCAEnroll, opCAGet: PathCACertificate,
		opCARevoke: PathCARevoke, opCAUnrevoke: PathCAUnrevoke,
	})
	if err != nil {
		return nil, err
	}
	return &CAClient{p}, nil
}

// Enroll implements CA.
func (c *CAClient) Enroll(ctx context.Context, r EnrollRequest) (IssuedCertificate, error) {
	if err := r.Check(); err != nil {
		return IssuedCertificate{}, err
	}
	form := url.Values{
		fieldXML: {trueText}, fieldProfile: {r.ProfileID},
		fieldRequestID:   {orNewID(r.RequestID)},
		fieldCAPublicKey: {base64.StdEncoding.EncodeToString(r.PublicKey)},
	}
	if r.CUID != [10]byte{} {
		form.Set(fieldCUID, CUIDText(r.CUID))
	}
	for name, v := range map[string]string{
		fieldScreenName: r.UserID, fieldTokenType: r.TokenType, fieldSubject: r.Subject,
	} {
		if v != "" {
			form.Set(name, v)
		}
	}
	for i, p := range r.SANPatterns {
		form.Set(fieldSANPrefix+strconv.Itoa(i), p)
	}
	for name, v := range r.Attributes {
		form.Set(fieldAttrPrefix+name, v)
	}
	return c.issued(ctx, opCAEnroll, form)
}

// orNewID gives the id, or a fresh one, so that a request that is put to a second host is the same.
func orNewID(id string) string {
	if id != "" {
		return id
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Renew implements CA.
func (c *CAClient) Renew(ctx context.Context, r RenewRequest) (IssuedCertificate, error) {
	if err := r.Check(); err != nil {
		return IssuedCertificate{}, err
	}
	return c.issued(ctx, opCARenew, url.Values{
		fieldXML: {trueText}, fieldRenewal: {trueText}, fieldProfile: {r.ProfileID},
		fieldRenewSerial: {r.Serial.Decimal()}, fieldRequestID: {orNewID(r.RequestID)},
	})
}

// issued sends a request that is answered with a certificate.
func (c *CAClient) issued(ctx context.Context, op string, form url.Values) (
	out IssuedCertificate, err error,
) {
	f, err := c.askXML(ctx, op, form)
	if err != nil {
		return out, err
	}
	out.Subject = f["SubjectDN"]
	if out.DER, err = decodeCert(f["b64"]); err != nil {
		return IssuedCertificate{}, err
	}
	if out.Serial, err = ParseSerial(f["serialno"]); err != nil {
		return IssuedCertificate{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return out, nil
}

// askXML sends a request that is answered in XML.
func (c *CAClient) askXML(ctx context.Context, op string, form url.Values) (
	map[string]string, error,
) {
	body, err := c.send(ctx, op, form)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(body), unauthorizedBody) {
		return nil, ErrUnauthorized
	}
	f, err := parseXML(body)
	if err != nil {
		return nil, err
	}
	if _, foreign := f["certChainBase64"]; foreign && f["Status"] == "" {
		return f, nil // an older CA gives no status along with a record
	}
	return f, caFailure(f["Status"], f["ErrorCode"], f["Error"])
}

// askPlain sends a request that is answered with status and error.
func (c *CAClient) askPlain(ctx context.Context, op string, form url.Values) error {
	body, err := c.send(ctx, op, form)
	if err != nil {
		return err
	}
	if strings.HasPrefix(string(body), unauthorizedBody) {
		return ErrUnauthorized
	}
	f, err := parseAnswer(body)
	if err != nil {
		return err
	}
	return caFailure(f[fieldStatus], f[fieldErrorCode], f[fieldError])
}

// Revoke implements CA.
func (c *CAClient) Revoke(ctx context.Context, r RevokeRequest) error {
	if err := r.Check(); err != nil {
		return err
	}
	return c.askPlain(ctx, opCARevoke, url.Values{
		fieldOp: {opRevokeText}, fieldReason: {strconv.Itoa(int(r.Reason))},
		fieldRevokeAll:   {revokeAllHead + r.Serial.Decimal() + revokeAllTail},
		fieldRevokeCount: {"1"},
	})
}

// Release implements CA.
func (c *CAClient) Release(ctx context.Context, serial Serial) error {
	if err := checkSerial(serial); err != nil {
		return err
	}
	return c.askPlain(ctx, opCAUnrevoke, url.Values{fieldCertSerial: {serial.Decimal()}})
}

// Certificate implements CA.
func (c *CAClient) Certificate(ctx context.Context, serial Serial) (CertificateStatus, error) {
	if err := checkSerial(serial); err != nil {
		return CertificateStatus{}, err
	}
	f, err := c.askXML(ctx, opCAGet, url.Values{fieldXML: {trueText}, fieldCertOnly: {trueText},
		fieldCertSerial: {serial.Decimal()}})
	if err != nil {
		return CertificateStatus{}, err
	}
	out := CertificateStatus{State: CertificateValid}
	out.Serial, out.Subject = serial, f["subjectDN"]
	if out.DER, err = decodeCert(f["certChainBase64"]); err != nil {
		return CertificateStatus{}, err
	}
	if text := f["revocationReason"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || !Reason(n).CanRevoke() {
			return CertificateStatus{}, fmt.Errorf("%w: revocation reason is none", ErrProtocol)
		}
		out.Reason, out.State = Reason(n), CertificateRevoked
		if out.Reason == ReasonCertificateHold {
			out.State = CertificateOnHold
		}
	}
	if text := f["revokedOn"]; text != "" {
		if out.RevokedAt, err = time.Parse(time.RFC3339, text); err != nil {
			return CertificateStatus{}, fmt.Errorf("%w: revokedOn is no time", ErrProtocol)
		}
	}
	return out, nil
}
