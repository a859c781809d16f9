package keys

import (
	"fmt"
	"log/slog"
)

// describe says what a key is without saying anything that depends on its bytes.
func (k Key) describe() string {
	if k.IsZero() {
		return "[no key]"
	}
	return fmt.Sprintf("[%v key, %d bytes, redacted]", k.mat().alg, len(k.mat().raw))
}

// String says which kind of key this is, never its bytes.
func (k Key) String() string { return k.describe() }

// Format prints the same as String for every verb and flag.
func (k Key) Format(f fmt.State, _ rune) { writeString(f, k.describe()) }

// MarshalText gives the form of String, so that JSON, XML and flag output hold no key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.describe()), nil }

// LogValue gives the form of String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.describe()) }

// KeySet is the three static keys of a card under one key version. It redacts its keys in every
// fmt verb, in JSON and in slog. The zero value holds no keys.
type KeySet struct {
	KVN           KVN
	ENC, MAC, DEK Key
}

func (s KeySet) describe() string {
	return fmt.Sprintf("{KVN %v ENC %s MAC %s DEK %s}",
		s.KVN, s.ENC.describe(), s.MAC.describe(), s.DEK.describe())
}

// String names the key version and the kinds of the keys.
func (s KeySet) String() string { return s.describe() }

// Format prints the same as String for every verb and flag.
func (s KeySet) Format(f fmt.State, _ rune) { writeString(f, s.describe()) }

// MarshalText gives the form of String.
func (s KeySet) MarshalText() ([]byte, error) { return []byte(s.describe()), nil }

// LogValue gives the form of String.
func (s KeySet) LogValue() slog.Value { return slog.StringValue(s.describe()) }

// SessionKeys are the keys of one secure channel session. SRMAC is absent in SCP01. SDEK is the
// data encryption session key of SCP02; SCP01 and SCP03 use the static DEK instead and leave it
// absent. It redacts its keys in every fmt verb, in JSON and in slog.
type SessionKeys struct {
	SENC, SMAC, SRMAC, SDEK Key
}

func (s SessionKeys) describe() string {
	return fmt.Sprintf("{SENC %s SMAC %s SRMAC %s SDEK %s}",
		s.SENC.describe(), s.SMAC.describe(), s.SRMAC.describe(), s.SDEK.describe())
}

// String names the kinds of the keys.
func (s SessionKeys) String() string { return s.describe() }

// Format prints the same as String for every verb and flag.
func (s SessionKeys) Format(f fmt.State, _ rune) { writeString(f, s.describe()) }

// MarshalText gives the form of String.
func (s SessionKeys) MarshalText() ([]byte, error) { return []byte(s.describe()), nil }

// LogValue gives the form of String.
func (s SessionKeys) LogValue() slog.Value { return slog.StringValue(s.describe()) }

func writeString(f fmt.State, s string) {
	_, _ = f.Write([]byte(s)) // fmt keeps write errors to itself
}
