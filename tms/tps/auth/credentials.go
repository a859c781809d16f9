package auth

import (
	"fmt"
	"log/slog"
)

// The ids of the credentials that UidPwdDirAuth asks for, as the extended login
// names its fields.
const (
	FieldUID      = "UID"
	FieldPassword = "PASSWORD"
)

// redacted stands wherever a credential would be printed.
const redacted = "[redacted]"

// Credentials are what a person entered, by field id. All of it is secret, the
// user id included until it is proven: people type passwords into the wrong
// field. It prints as [redacted] in every format, JSON and log. The zero value
// holds nothing.
type Credentials struct{ fields map[string]string }

// NewCredentials returns credentials of a user id and a password, as the plain
// login gives them.
func NewCredentials(uid, password string) Credentials {
	return Credentials{fields: map[string]string{FieldUID: uid, FieldPassword: password}}
}

// CredentialsFrom returns credentials of the fields of an extended login. The
// map is copied.
func CredentialsFrom(fields map[string]string) Credentials {
	c := Credentials{fields: make(map[string]string, len(fields))}
	for id, value := range fields {
		c.fields[id] = value
	}
	return c
}

// Get returns the value entered for a field, empty when there is none. It is
// secret.
func (c Credentials) Get(id string) string { return c.fields[id] }

// Format writes [redacted] for every verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue keeps credentials out of logs.
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps credentials out of JSON and other encodings.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Password is a secret of the system itself, such as that of the account that
// looks people up. It prints as [redacted] in every format, JSON and log.
type Password string

// Format writes [redacted] for every verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue keeps the password out of logs.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the password out of JSON and other encodings.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }
