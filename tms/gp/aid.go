package gp

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// Lengths of an application identifier in bytes (ISO/IEC 7816-5).
const (
	MinAID = 5
	MaxAID = 16
)

// AID is an application identifier of 5 to 16 bytes. A nil AID stands for "none".
type AID []byte

// Issuer security domain AIDs: Open Platform's, the one cards before GlobalPlatform 2.2 ship, and
// the one of GPCS 2.3.1 §H.1.3.
var (
	AIDOpenPlatform  = AID{0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00}
	AIDISDVisa       = AID{0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00}
	AIDISDGlobal     = AID{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00}
	AIDISDGlobalCard = AID{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00}
)

// ParseAID reads 10 to 32 hexadecimal digits of either case.
func ParseAID(s string) (AID, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("aid: %w", err)
	}
	a := AID(b)
	if !a.Valid() {
		return nil, fmt.Errorf("aid: %d bytes, want 5 to 16", len(b))
	}
	return a, nil
}

// Valid reports whether the length is 5 to 16.
func (a AID) Valid() bool { return len(a) >= MinAID && len(a) <= MaxAID }

// String gives upper-case hexadecimal digits.
func (a AID) String() string { return hexBytes(a) }

// Equal reports whether a and b are the same identifier.
func (a AID) Equal(b AID) bool { return bytes.Equal(a, b) }

// HasPrefix reports whether p is the beginning of a, as partial selection compares.
func (a AID) HasPrefix(p AID) bool { return bytes.HasPrefix(a, p) }

// Clone returns a copy that shares no memory with a.
func (a AID) Clone() AID { return bytes.Clone(a) }

// MarshalText gives the form of String.
func (a AID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the form of ParseAID; empty text is no AID.
func (a *AID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*a = nil
		return nil
	}
	v, err := ParseAID(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// aidOrNone checks a length of 0 or 5 to 16 and gives nil for none.
func aidOrNone(b []byte) (AID, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return aidOf(b)
}

func aidOf(b []byte) (AID, error) {
	if a := AID(b); a.Valid() {
		return a, nil
	}
	return nil, fmt.Errorf("%w: aid of %d bytes", ErrData, len(b))
}
