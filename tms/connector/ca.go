package connector

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"tokenwright/tms/gp/keys"
)

// Bounds of what travels between TPS and CA.
const (
	MaxSerialLen     = 20   // bytes of a serial number // RFC 5280 §4.1.2.2
	MaxPublicKeyLen  = 1200 // bytes of a subject public key info; RSA-8192 needs about 1,050
	MaxSubjectLen    = 1024 // bytes of a subject in text form
	MaxSANPatterns   = 8
	MaxAttributes    = 12
	MaxAttributeName = 64
	MaxAttributeLen  = 512
	MaxProfileID     = 64 // characters
	maxCARequestID   = 128
	maxCAUserID      = 256 // bytes; the upper bound of UID // RFC 4524 §2.25
	maxTokenType     = 64
	maxRequestText   = 3 << 10 // bytes of all names, attributes and the subject together
)

// CA is what a TPS asks of a certificate authority. ca.Authority is the in-process form, *CAClient
// the one over HTTPS. Errors are *CAError (compare with errors.Is against ErrCARefused and its
// neighbours), ErrUnauthorized, ErrUnavailable, ErrProtocol, or the context's. Implementations are
// safe for concurrent use. Every call may be repeated: Enroll and Renew give
// the same certificate for the same RequestID, the others ask for a state.
type CA interface {
	// Enroll issues a certificate. It is on record before it is returned.
	Enroll(ctx context.Context, req EnrollRequest) (IssuedCertificate, error)
	// Renew issues a successor with the key, subject and purpose of a certificate.
	Renew(ctx context.Context, req RenewRequest) (IssuedCertificate, error)
	// Revoke revokes for good, or holds when the reason is ReasonCertificateHold. What is
	// revoked for the same reason already stays so, and that is no error.
	Revoke(ctx context.Context, req RevokeRequest) error
	// Release ends a hold. A certificate that is good already stays so, and that is no error.
	Release(ctx context.Context, serial Serial) error
	// Certificate gives a certificate and its state; ErrCANotFound when there is none.
	Certificate(ctx context.Context, serial Serial) (CertificateStatus, error)
}

// Serial is a certificate's serial number: lower-case hex digits without leading zeros, at most
// MaxSerialLen bytes of them. The zero value is no serial number.
type Serial string

// SerialOf gives the Serial of a number, "" when it is not positive or too long.
func SerialOf(n *big.Int) Serial {
	if n == nil || n.Sign() <= 0 || n.BitLen() > 8*MaxSerialLen {
		return ""
	}
	return Serial(n.Text(16))
}

// ParseSerial reads hex digits in either case, with or without 0x before them.
func ParseSerial(text string) (Serial, error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	return parseSerial(digits, 16, 2*MaxSerialLen)
}

// ParseDecimalSerial reads decimal digits, which is how requests over HTTPS carry a serial number.
func ParseDecimalSerial(text string) (Serial, error) { return parseSerial(text, 10, 49) }

func parseSerial(digits string, base, limit int) (Serial, error) {
	if len(digits) > limit {
		return "", fmt.Errorf("serial number of %d digits", len(digits))
	}
	for _, r := range digits {
		if (r < '0' || r > '9') && (base == 10 || !strings.ContainsRune("abcdefABCDEF", r)) {
			return "", errors.New("serial number has a character that is no digit")
		}
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok || n.Sign() <= 0 || n.BitLen() > 8*MaxSerialLen {
		return "", errors.New("serial number is none")
	}
	return SerialOf(n), nil
}

// Int gives the number, nil for the zero value or what no Serial looks like.
func (s Serial) Int() *big.Int {
	n, ok := new(big.Int).SetString(string(s), 16)
	if !ok {
		return nil
	}
	return n
}

// Decimal gives the number in decimal digits, "" for the zero value.
func (s Serial) Decimal() string {
	if n := s.Int(); n != nil {
		return n.String()
	}
	return ""
}

// EnrollRequest asks for a certificate of a key that a token holds.
type EnrollRequest struct {
	// RequestID makes the request one that can be repeated: asking again with the same id and
	// the same content gives the same certificate. "" means that the callee makes one up.
	RequestID string
	ProfileID string
	CUID      keys.CUID // of the token; zero when the key is on none
	UserID    string    // the person's uid; "" for a device
	TokenType string    // for the record
	// PublicKey is a DER SubjectPublicKeyInfo. // RFC 5280 §4.1.2.7
	PublicKey []byte
	// Subject is an RFC 4514 name for profiles that take it from the request.
	Subject string
	// SANPatterns are what profiles know as req_san_pattern_0, _1, ...
	SANPatterns []string
	// Attributes are values of the person's directory entry by lower-case attribute name: mail,
	// cn, upn. Profiles build subject and alternative names of them.
	Attributes map[string]string
}

// RenewRequest asks for a successor of a certificate.
type RenewRequest struct {
	RequestID string // as in EnrollRequest
	ProfileID string // a renewal profile
	Serial    Serial // of the certificate that is renewed
}

// RevokeRequest asks to revoke or hold a certificate.
type RevokeRequest struct {
	Serial Serial
	Reason Reason
}

// Reason says why a certificate is revoked. // RFC 5280 §5.3.1
type Reason int

// The reasons. 7 is not used, and 8 (removeFromCRL) is asked for by Release.
const (
	ReasonUnspecified          Reason = 0
	ReasonKeyCompromise        Reason = 1
	ReasonCACompromise         Reason = 2
	ReasonAffiliationChanged   Reason = 3
	ReasonSuperseded           Reason = 4
	ReasonCessationOfOperation Reason = 5
	ReasonCertificateHold      Reason = 6
	ReasonRemoveFromCRL        Reason = 8
	ReasonPrivilegeWithdrawn   Reason = 9
	ReasonAACompromise         Reason = 10
)

var reasonText = map[Reason]string{
	0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged",
	4: "superseded", 5: "cessationOfOperation", 6: "certificateHold", 8: "removeFromCRL",
	9: "privilegeWithdrawn", 10: "aACompromise",
}

// String gives the reason's name in the standard.
func (r Reason) String() string {
	if t, ok := reasonText[r]; ok {
		return t
	}
	return fmt.Sprintf("reason %d", int(r))
}

// CanRevoke says whether a certificate can be revoked for this reason.
func (r Reason) CanRevoke() bool {
	_, known := reasonText[r]
	return known && r != ReasonRemoveFromCRL
}

// IssuedCertificate is a certificate that was issued. Its slice is the receiver's to keep.
type IssuedCertificate struct {
	Serial  Serial
	Subject string // RFC 4514 form
	DER     []byte
}

// CertificateState is where a certificate stands.
type CertificateState string

// The states of a certificate that was issued; expiry is no state.
const (
	CertificateValid   CertificateState = "valid"
	CertificateRevoked CertificateState = "revoked"
	CertificateOnHold  CertificateState = "revoked_on_hold"
)

// CertificateStatus is a certificate and where it stands.
type CertificateStatus struct {
	IssuedCertificate
	State     CertificateState
	Reason    Reason    // when revoked or on hold
	RevokedAt time.Time // when revoked or on hold
}

// checkSerial gives ErrCABadRequest for what is no Serial.
func checkSerial(s Serial) error {
	if n := s.Int(); n == nil || SerialOf(n) != s {
		return CAErrorf(CABadRequest, "serial number %.48q is none", string(s))
	}
	return nil
}

// Check gives an error of code CABadRequest unless every field is within its bounds.
func (r EnrollRequest) Check() error {
	if err := checkID("request id", r.RequestID, maxCARequestID, true); err != nil {
		return err
	}
	if err := checkID("profile id", r.ProfileID, MaxProfileID, false); err != nil {
		return err
	}
	if n := len(r.PublicKey); n == 0 || n > MaxPublicKeyLen {
		return CAErrorf(CABadRequest, "public key has %d bytes", n)
	}
	for _, f := range []struct {
		name, value string
		limit       int
	}{
		{"user id", r.UserID, maxCAUserID}, {"token type", r.TokenType, maxTokenType},
		{"subject", r.Subject, MaxSubjectLen},
	} {
		if len(f.value) > f.limit || !plainText(f.value) {
			return CAErrorf(CABadRequest, "%s is longer than %d bytes or no plain text", f.name,
				f.limit)
		}
	}
	if len(r.SANPatterns) > MaxSANPatterns || len(r.Attributes) > MaxAttributes {
		return CAErrorf(CABadRequest, "more than %d alternative names or %d attributes",
			MaxSANPatterns, MaxAttributes)
	}
	total := len(r.Subject)
	for _, p := range r.SANPatterns {
		total += len(p)
		if len(p) > MaxAttributeLen || !plainText(p) {
			return CAErrorf(CABadRequest, "alternative name is too long or no plain text")
		}
	}
	for name, v := range r.Attributes {
		total += len(name) + len(v)
		if !AttributeName(name) || len(v) > MaxAttributeLen || !plainText(v) {
			return CAErrorf(CABadRequest, "attribute %.64q is too long or no plain text", name)
		}
	}
	if total > maxRequestText {
		return CAErrorf(CABadRequest, "names and attributes have more than %d bytes",
			maxRequestText)
	}
	return nil
}

// Check gives an error of code CABadRequest unless every field is within its bounds.
func (r RenewRequest) Check() error {
	if err := checkID("request id", r.RequestID, maxCARequestID, true); err != nil {
		return err
	}
	if err := checkID("profile id", r.ProfileID, MaxProfileID, false); err != nil {
		return err
	}
	return checkSerial(r.Serial)
}

// Check gives an error of code CABadRequest unless every field is within its bounds.
func (r RevokeRequest) Check() error {
	if !r.Reason.CanRevoke() {
		return CAErrorf(CABadRequest, "revocation reason %d is none", int(r.Reason))
	}
	return checkSerial(r.Serial)
}

// AttributeName says whether name is a lower-case attribute name that may travel in a request.
func AttributeName(name string) bool {
	return name != "" && len(name) <= MaxAttributeName && strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.;", r)
	}) < 0
}

// checkID takes what validSession takes, of at most limit characters.
func checkID(what, id string, limit int, empty bool) error {
	if id == "" && empty {
		return nil
	}
	if id == "" || len(id) > limit || strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
			!strings.ContainsRune("-_.:", r)
	}) >= 0 {
		return CAErrorf(CABadRequest, "%s is empty, longer than %d characters, or has other than "+
			"letters, digits and -_.:", what, limit)
	}
	return nil
}

// CUIDText gives a CUID as requests to a CA carry it: groups of four hex digits.
func CUIDText(c keys.CUID) string {
	text := strings.ToUpper(hex.EncodeToString(c[:]))
	groups := make([]string, 0, len(text)/4)
	for ; len(text) > 4; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(append(groups, text), "-")
}
