package token

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tokenwright/tms/gp/keys"
)

// Bounds of a certificate record beyond those of other records.
const (
	MaxSubject   = 1024 // bytes of a subject or issuer in text form
	MaxSerial    = 40   // hex digits of a serial number // RFC 5280 §4.1.2.2
	MaxContainer = 15   // the last container of a card
)

// CertStatus is where a certificate stands, as its CA was last known to say.
// Expiry is no status: it follows from NotAfter.
type CertStatus string

// The statuses, spelled as stored records spell them.
const (
	CertActive  CertStatus = "active"
	CertRevoked CertStatus = "revoked"
	CertOnHold  CertStatus = "revoked_on_hold"
	// CertRenewed: valid still, but a successor for the same key has been issued.
	CertRenewed CertStatus = "renewed"
)

// ParseCertStatus reads a stored status without regard to case.
func ParseCertStatus(text string) (CertStatus, error) {
	for _, s := range []CertStatus{CertActive, CertRevoked, CertOnHold, CertRenewed} {
		if strings.EqualFold(text, string(s)) {
			return s, nil
		}
	}
	return "", fmt.Errorf("certificate status %s is not known", quote(text))
}

// Presence says whether a token holds a certificate together with its key.
type Presence string

// The presences.
const (
	// Pending: issued or fetched for the token; whether the card holds it is not
	// known before the operation has finished.
	Pending Presence = "pending"
	// Held: the card holds certificate and key.
	Held Presence = "held"
	// Replaced: an operation has destroyed the key, or is about to; the certificate
	// has to be revoked once it is known how that operation ended.
	Replaced Presence = "replaced"
	// Gone: the card does not hold it any more, and nothing is left to be done.
	Gone Presence = "gone"
)

// ParsePresence reads a stored presence without regard to case.
func ParsePresence(text string) (Presence, error) {
	for _, p := range []Presence{Pending, Held, Replaced, Gone} {
		if strings.EqualFold(text, string(p)) {
			return p, nil
		}
	}
	return "", fmt.Errorf("certificate presence %s is not known", quote(text))
}

// Certificate is what the system knows of one certificate in connection with one
// token. A certificate that several tokens share has a record for each. It is a
// plain value and holds no secret; the certificate itself is the CA's to keep.
type Certificate struct {
	CertID
	// CUID is the token, Origin the one that the certificate was issued for.
	CUID   keys.CUID
	Origin keys.CUID
	// Subject is in RFC 4514 form. Authority is the key identifier of the issuing
	// CA in lower-case hex: it finds the CA again when connectors have changed.
	Subject   string
	Authority string
	// CA and KRA are the connectors that issued it and that archived its key; KRA
	// is empty when no key is archived, and KeyID may be even then.
	CA    string
	KRA   string
	KeyID string
	// UserID is the person it names; empty for a device.
	UserID string
	// Type is the token type and KeyType the kind of key, such as "signing", by
	// whose settings it was issued.
	Type    string
	KeyType string
	// Container is its place on the card, 0 to MaxContainer.
	Container int
	Status    CertStatus
	Presence  Presence
	NotBefore time.Time
	NotAfter  time.Time
	// Created and Modified are set by the store from the time of the change.
	Created  time.Time
	Modified time.Time
}

// CertID names a certificate: no CA issues two with the same serial number.
type CertID struct {
	// Issuer is in RFC 4514 form, Serial in lower-case hex without leading zeros.
	Issuer string
	Serial string
}

// String gives the serial number, which people know a certificate by.
func (id CertID) String() string { return id.Serial }

// Valid reports whether the CA would still call it good or on hold: it is not
// revoked for good and has not expired.
func (c Certificate) Valid(now time.Time) bool {
	return c.Status != CertRevoked && now.Before(c.NotAfter)
}

// Shared reports whether the certificate was issued for another token than this.
func (c Certificate) Shared() bool { return c.Origin != c.CUID }

// Validate reports whether the record can be stored.
func (c Certificate) Validate() error {
	if (c.CUID == keys.CUID{}) || (c.Origin == keys.CUID{}) {
		return errors.New("certificate record: no CUID")
	}
	if c.Issuer == "" || !isSerial(c.Serial) {
		return fmt.Errorf("certificate record: no issuer, or serial number %s is none", quote(c.Serial))
	}
	if c.Container < 0 || c.Container > MaxContainer {
		return fmt.Errorf("certificate record: container %d", c.Container)
	}
	if _, err := ParseCertStatus(string(c.Status)); err != nil {
		return fmt.Errorf("certificate record: %w", err)
	}
	if _, err := ParsePresence(string(c.Presence)); err != nil {
		return fmt.Errorf("certificate record: %w", err)
	}
	return errors.Join(
		checkText("certificate record: issuer", c.Issuer, MaxSubject),
		checkText("certificate record: subject", c.Subject, MaxSubject),
		checkText("certificate record: authority", c.Authority, MaxInfo),
		checkText("certificate record: CA", c.CA, MaxName),
		checkText("certificate record: KRA", c.KRA, MaxName),
		checkText("certificate record: key id", c.KeyID, MaxInfo),
		checkText("certificate record: user", c.UserID, MaxName),
		checkText("certificate record: type", c.Type, MaxName),
		checkText("certificate record: key type", c.KeyType, MaxName),
	)
}

// isSerial reports whether text is a serial number in its stored form.
func isSerial(text string) bool {
	return text != "" && len(text) <= MaxSerial && text[0] != '0' &&
		strings.Trim(text, "0123456789abcdef") == ""
}
