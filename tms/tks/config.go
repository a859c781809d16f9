package tks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// Slot names a master key as mk_mappings do: key version and second byte of key information.
type Slot struct {
	KVN   keys.KVN
	Index byte
}

// String gives the form of mk_mappings, "#02#01".
func (s Slot) String() string { return fmt.Sprintf("#%02X#%02X", byte(s.KVN), s.Index) }

// ParseSlot reads "#VV#II", digits of either case.
func ParseSlot(text string) (Slot, error) {
	b, err := connector.DecodeHex(text, 2)
	if err != nil || len(b) != 2 || !strings.HasPrefix(text, "#") {
		return Slot{}, fmt.Errorf("%q is no #VV#II", text)
	}
	return Slot{KVN: keys.KVN(b[0]), Index: b[1]}, nil
}

// MarshalText gives the form of String.
func (s Slot) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the form of ParseSlot.
func (s *Slot) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSlot(string(b))
	return err
}

// Mapping says where a master key is: "<store>:<name>" in configuration.
type Mapping struct {
	Store string // "" is the default store
	Name  string
}

// developer tells whether the mapping names the developer set instead of a key.
func (m Mapping) developer() bool {
	return strings.HasPrefix(m.Name, "#01#") || strings.HasPrefix(m.Name, "#FF#") ||
		strings.HasPrefix(m.Name, "#ff#")
}

// KeySetConfig is one named key set. The zero value has no keys at all.
type KeySetConfig struct {
	Name string
	// Auth, MAC and KEK are the developer keys' bytes: all empty, or 16, 24 or 32 bytes each and
	// of one length. They become DES3 keys (16 bytes) in SCP01 and SCP02. Secret, unless published.
	Auth, MAC, KEK Bytes
	Mappings       map[Slot]Mapping
	NIST           NISTConfig
	SCP03          SCP03Config
}

// NISTConfig says which of a key set's master keys are diversified by NIST SP 800-108 in SCP01
// and SCP02. The zero value is: none.
type NISTConfig struct {
	Enabled  bool
	From     keys.KVN // first key version, compared without sign
	UsesCUID bool     // the context is the CUID, not the KDD
}

// covers tells whether master keys of version v are diversified by NIST SP 800-108.
func (n NISTConfig) covers(v keys.KVN) bool { return n.Enabled && v >= n.From }

// SCP03Config is how a key set makes the keys of SCP03 cards.
type SCP03Config struct {
	Master, Developer         kdf.Method
	MasterType, DeveloperType keys.Algorithm
}

// DefaultSCP03 is what a key set does when it says nothing about SCP03.
func DefaultSCP03() SCP03Config {
	return SCP03Config{Master: kdf.EMV, Developer: kdf.EMV, MasterType: keys.DES3,
		DeveloperType: keys.DES3}
}

// Bytes are a key's bytes in configuration. They print as their length only.
type Bytes []byte

// String gives the length.
func (b Bytes) String() string { return fmt.Sprintf("[%d bytes]", len(b)) }

// GoString gives the length.
func (b Bytes) GoString() string { return b.String() }

// Format gives the length, whatever the verb.
func (b Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(b.String())) }

// MarshalText gives the length.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Config is the whole configuration of a token key service.
type Config struct {
	KeySets []KeySetConfig
	// MasterKeyPrefix is put before the names of mk_mappings.
	MasterKeyPrefix string
	// PKCS1v15 makes the KRA's transport keys travel in RSAES-PKCS1-v1_5 instead of OAEP/SHA-256.
	PKCS1v15 bool
	// StaticKEK answers SCP03's session key request with the card's static DEK as well, which
	// an old TPS insists on. It never should leave the TKS otherwise.
	StaticKEK bool
}

// methods that master and developer keys of SCP03 cards may take, and the keys they need.
var scp03Methods = map[kdf.Method]keys.Algorithm{
	kdf.EMV: keys.DES3, kdf.VISA2: keys.DES3,
	kdf.GPKMC: keys.AES, kdf.KDF3: keys.AES, kdf.None: keys.AES,
}

// validate reports everything that is wrong with a key set on its own, by configuration key.
func (k *KeySetConfig) validate() error {
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("tks.%s.%s: %w", k.Name, key, fmt.Errorf(format, args...)))
	}
	if k.Name == "" || len(k.Name) > connector.MaxKeySetName {
		return fmt.Errorf("key set name %q: want 1 to %d characters", k.Name,
			connector.MaxKeySetName)
	}
	for _, d := range k.developer() {
		switch len(d.bytes) {
		case 16, 24, 32:
			if len(d.bytes) != len(k.Auth) {
				fail(d.name, "%d bytes, but auth_key has %d", len(d.bytes), len(k.Auth))
			}
		case 0:
			if k.hasDeveloper() {
				fail(d.name, "missing, while other developer keys are there")
			}
		default:
			fail(d.name, "%d bytes, want 16, 24 or 32", len(d.bytes))
		}
	}
	for _, m := range []struct {
		key    string
		method kdf.Method
		typ    string
		alg    keys.Algorithm
	}{
		{"prot3.divers", k.SCP03.Master, "prot3.masterKeyType", k.SCP03.MasterType},
		{"prot3.diversVer1Keys", k.SCP03.Developer, "prot3.devKeyType", k.SCP03.DeveloperType},
	} {
		switch need, ok := scp03Methods[m.method]; {
		case !ok:
			fail(m.key, "method %v is none of emv, visa2, gpkmc, kdf3, none", m.method)
		case need != m.alg:
			fail(m.key, "%v needs %v keys, but %s is %v", m.method, need, m.typ, m.alg)
		}
	}
	if k.SCP03.DeveloperType == keys.DES3 && len(k.Auth) == 32 {
		fail("prot3.devKeyType", "DES3, but developer keys have 32 bytes")
	}
	for _, s := range sortedSlots(k.Mappings) {
		if k.Mappings[s].Name == "" {
			fail("mk_mappings."+s.String(), "names no key")
		}
	}
	return errors.Join(errs...)
}

type developerKey struct {
	name  string
	bytes Bytes
}

func (k *KeySetConfig) developer() []developerKey {
	return []developerKey{{"auth_key", k.Auth}, {"mac_key", k.MAC}, {"kek_key", k.KEK}}
}

func (k *KeySetConfig) hasDeveloper() bool {
	return len(k.Auth)+len(k.MAC)+len(k.KEK) > 0
}

func sortedSlots[V any](m map[Slot]V) []Slot {
	return slices.SortedFunc(maps.Keys(m), func(a, b Slot) int {
		return (int(a.KVN)<<8 | int(a.Index)) - (int(b.KVN)<<8 | int(b.Index))
	})
}
