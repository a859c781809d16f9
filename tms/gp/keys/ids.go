package keys

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// CUID is the card unique identifier, 10 bytes cut from CPLC: fabricator, IC type, batch and
// serial number. The zero value names no card.
type CUID [10]byte

// KDD is the key diversification data, the first 10 bytes of an INITIALIZE UPDATE response
// (GPCS 2.3.1 §E.5.1.6). It often equals the CUID, but is not the same thing.
type KDD [10]byte

// String gives 20 upper-case hexadecimal digits.
func (c CUID) String() string { return upperHex(c[:]) }

// IsZero tells whether the CUID names no card.
func (c CUID) IsZero() bool { return c == CUID{} }

// String gives 20 upper-case hexadecimal digits.
func (k KDD) String() string { return upperHex(k[:]) }

// IsZero tells whether all bytes are 00.
func (k KDD) IsZero() bool { return k == KDD{} }

// ParseCUID reads 20 hexadecimal digits of either case.
func ParseCUID(s string) (CUID, error) {
	var c CUID
	if err := parseHex(c[:], s); err != nil {
		return CUID{}, fmt.Errorf("cuid: %w", err)
	}
	return c, nil
}

// ParseKDD reads 20 hexadecimal digits of either case.
func ParseKDD(s string) (KDD, error) {
	var k KDD
	if err := parseHex(k[:], s); err != nil {
		return KDD{}, fmt.Errorf("key diversification data: %w", err)
	}
	return k, nil
}

// MarshalText gives the form of String.
func (c CUID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the form of ParseCUID.
func (c *CUID) UnmarshalText(b []byte) error {
	v, err := ParseCUID(string(b))
	if err != nil {
		return err
	}
	*c = v
	return nil
}

// MarshalText gives the form of String.
func (k KDD) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the form of ParseKDD.
func (k *KDD) UnmarshalText(b []byte) error {
	v, err := ParseKDD(string(b))
	if err != nil {
		return err
	}
	*k = v
	return nil
}

// KVN is a key version number: 01..7F on a card, FF the initial keys of many stocks, 00 in a
// command "whichever comes first" (GPCS 2.3.1 §11.8.2.1).
type KVN byte

// String gives two upper-case hexadecimal digits.
func (v KVN) String() string { return upperHex([]byte{byte(v)}) }

// KeyID is a key identifier inside a key version (GPCS 2.3.1 §11.8.2.2).
type KeyID byte

// String gives two upper-case hexadecimal digits.
func (k KeyID) String() string { return upperHex([]byte{byte(k)}) }

// KCV is a key check value: the first three bytes of a known block encrypted under the key
// (GPCS 2.3.1 §B.6). It is sent beside the key and is not secret.
type KCV [3]byte

// String gives six upper-case hexadecimal digits.
func (k KCV) String() string { return upperHex(k[:]) }

// KeyInfo is the key information of an INITIALIZE UPDATE response: two bytes for SCP01 and
// SCP02, three for SCP03, where the i parameter follows (GPCS 2.3.1 §E.5.1.6, AMD-D §7.1.1.6).
type KeyInfo struct {
	KVN  KVN
	SCP  byte // Protocol identifier: 01, 02, 03.
	I    byte // The i parameter; meaningful when HasI.
	HasI bool
}

// Bytes gives the two or three bytes as a card sends them.
func (k KeyInfo) Bytes() []byte {
	b := []byte{byte(k.KVN), k.SCP}
	if k.HasI {
		b = append(b, k.I)
	}
	return b
}

// String gives the bytes as upper-case hexadecimal digits, the form in which token records and
// configuration hold them: "0101", "010370".
func (k KeyInfo) String() string { return upperHex(k.Bytes()) }

// ParseKeyInfo reads the form of String, four or six hexadecimal digits of either case.
func ParseKeyInfo(s string) (KeyInfo, error) {
	if len(s) != 4 && len(s) != 6 {
		return KeyInfo{}, fmt.Errorf("key information: %d hexadecimal digits, want 4 or 6", len(s))
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return KeyInfo{}, fmt.Errorf("key information: %w", err)
	}
	return KeyInfoFromBytes(b)
}

// KeyInfoFromBytes reads two or three bytes.
func KeyInfoFromBytes(b []byte) (KeyInfo, error) {
	if len(b) != 2 && len(b) != 3 {
		return KeyInfo{}, fmt.Errorf("key information: %d bytes, want 2 or 3", len(b))
	}
	k := KeyInfo{KVN: KVN(b[0]), SCP: b[1]}
	if len(b) == 3 {
		k.I, k.HasI = b[2], true
	}
	return k, nil
}

// MarshalText gives the form of String.
func (k KeyInfo) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the form of ParseKeyInfo.
func (k *KeyInfo) UnmarshalText(b []byte) error {
	v, err := ParseKeyInfo(string(b))
	if err != nil {
		return err
	}
	*k = v
	return nil
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func parseHex(dst []byte, s string) error {
	if len(s) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("%d hexadecimal digits, want %d", len(s), hex.EncodedLen(len(dst)))
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}
