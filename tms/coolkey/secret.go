package coolkey

import (
	"crypto/subtle"
	"fmt"
)

// NonceLen is the length of a nonce in bytes.
const NonceLen = 8

// Nonce stands for everybody who is logged in; the applet hands it out at VERIFY PIN. The zero
// value is nobody, the anonymous identity. Whoever holds another one may act for the user, so it is
// secret and shows no bytes in any output.
type Nonce [NonceLen]byte

// IsZero reports whether this is the anonymous identity.
func (n Nonce) IsZero() bool { return n == Nonce{} }

// Equal compares in constant time.
func (n Nonce) Equal(o Nonce) bool { return subtle.ConstantTimeCompare(n[:], o[:]) == 1 }

// String tells only whether anybody is logged in.
func (n Nonce) String() string {
	if n.IsZero() {
		return "no nonce"
	}
	return "nonce"
}

// Format makes every verb print what String prints.
func (n Nonce) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n.String())) }

// MarshalText gives the form of String.
func (n Nonce) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// ParseNonce reads the answer to VERIFY PIN, 8 bytes.
func ParseNonce(b []byte) (Nonce, error) {
	if err := wantLen(b, NonceLen); err != nil {
		return Nonce{}, fmt.Errorf("nonce: %w", err)
	}
	return Nonce(b), nil
}

// Lengths of a PIN in bytes. The applet takes any byte values.
const (
	MinPIN = 4
	MaxPIN = 16
)

// PIN is a PIN, or what was sent as one. It shows its length only, in every output.
type PIN []byte

// Valid reports whether the length is one that the applet takes.
func (p PIN) Valid() bool { return len(p) >= MinPIN && len(p) <= MaxPIN }

// Equal compares in constant time for PINs of the same length.
func (p PIN) Equal(o PIN) bool { return subtle.ConstantTimeCompare(p, o) == 1 }

// String shows the length.
func (p PIN) String() string { return fmt.Sprintf("PIN of %d bytes", len(p)) }

// Format makes every verb print what String prints.
func (p PIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.String())) }

// MarshalText gives the form of String.
func (p PIN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
