package tks

import (
	"encoding/hex"
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// SelfTest derives the session key that an older TKS published for the purpose, the whole way
// from a key set's developer keys, and fails if one bit differs.
func SelfTest() error {
	const want = "d1beb826dc5620258c93e7def0ab4f5b"
	base := Bytes("\x40\x41\x42\x43\x44\x45\x46\x47\x48\x49\x4a\x4b\x4c\x4d\x4e\x4f")
	id := [10]byte{0xA0, 0x01, 0x92, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xC9}
	set, err := newKeySet(KeySetConfig{Name: "selftest", Auth: base, MAC: base, KEK: base,
		SCP03: DefaultSCP03()}, nil, nil)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	ck, err := set.cardKeys(connector.CardID{CUID: id, KDD: id,
		Info: keys.KeyInfo{KVN: 1, SCP: 1}})
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	sk, err := kdf.SessionSCP01(ck, [8]byte{0x77, 0x57, 0x62, 0xE4, 0x5E, 0x23, 0x66, 0x7D},
		[8]byte{0xBD, 0x6D, 0x19, 0x85, 0x6E, 0x54, 0x0F, 0xCD})
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	if hex.EncodeToString(sk.SMAC.Bytes()) != want {
		return errors.New("self-test: the known session key came out wrong")
	}
	return nil
}
