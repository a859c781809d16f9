// Package extreg reads registrations: what a user's directory entry says of the token that
// the user is to get, where tokens are registered there (externalReg.enable) and not by
// mapping resolvers.
//
// It owns the names of the configuration keys and of the directory's attributes, the form
// of their values, and whether a registration is for this card and this operation. It must
// not know how an entry comes from a directory, what is done with a registration, or what
// is on a card. It does no I/O.
//
// # Values
//
//	tokenType          the token type; without it the configured one
//	tokenCUID          the card, 20 hex digits; without it any
//	registrationtype   the operation that the registration is for, enroll or pinReset;
//	                   without it both
//	certsToAdd         one value for each certificate that is to be on the card:
//	                   serial,CA to keep it there if it is, or
//	                   serial,CA,key,KRA to bring it there with its key
//
// Serial and key are numbers in decimal digits; CA and KRA are ids of connectors. The names
// of the attributes are configurable. Everything in them is foreign, and bounded here.
package extreg

import (
	"errors"
	"fmt"
	"strings"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
)

// MaxCertificates is how many certificates a registration may name: as many as a card has
// room for, and more.
const MaxCertificates = 30

// Bounds of single values.
const (
	maxText      = 256
	maxConnector = 64
	entryShort   = 2 // parts of a value that keeps a certificate
	entryLong    = 4 // parts of one that brings it
	noKey        = "0"
)

// Operation is what a registration can be for, in the directory's words.
type Operation string

// The operations. A format is for any registration.
const (
	Enroll   Operation = "enroll"
	PINReset Operation = "pinReset"
	Format   Operation = "format"
)

// The decisions a caller can take. Use errors.Is; the error itself is an [*Error].
var (
	// ErrValue: a value of the entry can't be read.
	ErrValue = errors.New("registration can't be read")
	// ErrOtherCard: the registration is for another card.
	ErrOtherCard = errors.New("registration is for another card")
	// ErrOtherOperation: the registration is for another operation.
	ErrOtherOperation = errors.New("registration is for another operation")
)

// Codes that the client is told.
const (
	statusMisconfiguration = 18
	statusDisabled         = 26
	statusNotPINResetable  = 27
	statusNotOwner         = 43
)

// Error is what is wrong with a registration.
type Error struct {
	Kind   error
	Code   int
	Detail string
}

// Error says it.
func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Kind, e.Detail) }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Status gives the code for the client.
func (e *Error) Status() int { return e.Code }

func bad(name, format string, args ...any) error {
	return &Error{Kind: ErrValue, Code: statusMisconfiguration,
		Detail: "attribute " + name + ": " + fmt.Sprintf(format, args...)}
}

// Certificate is one that a registration names.
type Certificate struct {
	Serial connector.Serial
	CA     string // connector
	// KRA has the certificate brought to the card with its key from there; without it the
	// certificate is kept if the card holds it.
	KRA string
	// KeyID is the key's number there; "" when the certificate tells.
	KeyID connector.KeyID
}

// Brought tells whether the certificate is brought to the card, not only kept there.
func (c Certificate) Brought() bool { return c.KRA != "" }

// Registration is what a user's entry says. The zero value says nothing.
type Registration struct {
	TokenType string
	CUID      keys.CUID // zero: any
	Operation Operation // "": any
	// Certificates are each there once; those that are brought come first.
	Certificates []Certificate
}

// Check wants the registration to be for an operation on a card.
func (r Registration) Check(op Operation, cuid keys.CUID) error {
	if (r.CUID != keys.CUID{}) && r.CUID != cuid {
		return &Error{Kind: ErrOtherCard, Code: statusNotOwner, Detail: r.CUID.String()}
	}
	if op == Format || r.Operation == "" || r.Operation == op {
		return nil
	}
	code := statusDisabled
	if op == PINReset {
		code = statusNotPINResetable
	}
	return &Error{Kind: ErrOtherOperation, Code: code, Detail: string(r.Operation)}
}

// Read reads the attributes of a user's entry; names of attributes are compared without
// regard to case. Errors are [*Error].
func (c *Config) Read(attributes map[string][]string) (Registration, error) {
	out := Registration{TokenType: c.DefaultType}
	typ, err := single(attributes, c.Names.TokenType)
	if err != nil {
		return out, err
	}
	if typ != "" {
		out.TokenType = typ
	}
	card, err := single(attributes, c.Names.CUID)
	if err != nil {
		return out, err
	}
	if card != "" {
		if out.CUID, err = keys.ParseCUID(card); err != nil || (out.CUID == keys.CUID{}) {
			return out, bad(c.Names.CUID, "%.64q is no card", card)
		}
	}
	operation, err := single(attributes, c.Names.Operation)
	if err != nil {
		return out, err
	}
	for _, op := range []Operation{Enroll, PINReset} {
		if strings.EqualFold(operation, string(op)) {
			out.Operation = op
		}
	}
	if operation != "" && out.Operation == "" {
		return out, bad(c.Names.Operation, "%.64q is neither %s nor %s", operation, Enroll, PINReset)
	}
	out.Certificates, err = c.certificates(values(attributes, c.Names.Certificates))
	return out, err
}

// values gives the values of an attribute.
func values(attributes map[string][]string, name string) []string {
	if v, ok := attributes[name]; ok {
		return v
	}
	for have, v := range attributes {
		if strings.EqualFold(have, name) {
			return v
		}
	}
	return nil
}

// single gives the value of an attribute that has one at most.
func single(attributes map[string][]string, name string) (string, error) {
	list := values(attributes, name)
	switch {
	case len(list) == 0:
		return "", nil
	case len(list) > 1:
		return "", bad(name, "%d values, want one", len(list))
	case len(list[0]) > maxText:
		return "", bad(name, "%d bytes", len(list[0]))
	}
	return strings.TrimSpace(list[0]), nil
}

// certificates reads the list of certificates. What is named to be kept and to be brought
// is brought.
func (c *Config) certificates(list []string) ([]Certificate, error) {
	if len(list) > MaxCertificates {
		return nil, bad(c.Names.Certificates, "%d certificates, at most %d", len(list), MaxCertificates)
	}
	var brought, kept []Certificate
	seen := map[Certificate]bool{} // by serial and CA
	add := func(to *[]Certificate, one Certificate) {
		id := Certificate{Serial: one.Serial, CA: one.CA}
		if !seen[id] {
			*to = append(*to, one)
		}
		seen[id] = true
	}
	parsed := make([]Certificate, 0, len(list))
	for _, text := range list {
		one, err := c.certificate(text)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, one)
	}
	for _, one := range parsed {
		if one.Brought() {
			add(&brought, one)
		}
	}
	for _, one := range parsed {
		if !one.Brought() {
			add(&kept, one)
		}
	}
	return append(brought, kept...), nil
}

func (c *Config) certificate(text string) (out Certificate, err error) {
	name := c.Names.Certificates
	if len(text) > maxText {
		return out, bad(name, "a value of %d bytes", len(text))
	}
	parts := strings.Split(text, ",")
	if len(parts) != entryShort && len(parts) != entryLong {
		return out, bad(name, "%.100q has %d parts, want 2 or 4", text, len(parts))
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if out.Serial, err = connector.ParseDecimalSerial(parts[0]); err != nil {
		return out, bad(name, "%.100q: %v", text, err)
	}
	if out.CA = parts[1]; !isConnector(out.CA) {
		return out, bad(name, "%.100q names no CA", text)
	}
	if len(parts) == entryShort {
		return out, nil
	}
	if out.KRA = parts[3]; !isConnector(out.KRA) {
		return out, bad(name, "%.100q names no KRA", text)
	}
	key := connector.KeyID(parts[2])
	if !key.Valid() {
		return out, bad(name, "%.100q names no key", text)
	}
	switch {
	case !c.ByKeyID:
	case key == noKey:
		return out, bad(name, "%.100q: keys are brought by their number, and it names none", text)
	default:
		out.KeyID = key
	}
	return out, nil
}

// isConnector tells whether text may be the id of a connector.
func isConnector(text string) bool {
	return text != "" && len(text) <= maxConnector && strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
}
