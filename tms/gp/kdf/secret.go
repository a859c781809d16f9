package kdf

import (
	"errors"
	"fmt"

	"tokenwright/tms/gp/keys"
)

// Secret is a symmetric key known by what it can do. keys.Key is one; a key in a keystore is
// another. Slices passed in are not kept; slices returned belong to the caller.
type Secret interface {
	// Algorithm is the key's cipher.
	Algorithm() keys.Algorithm
	// Len is the key length in bytes.
	Len() int
	// EncryptECB encrypts whole blocks one by one.
	EncryptECB(src []byte) ([]byte, error)
	// EncryptCBC encrypts whole blocks chained from iv; nil is a block of 00.
	EncryptCBC(iv, src []byte) ([]byte, error)
	// CMAC gives the 16-byte AES-CMAC.
	CMAC(msg []byte) ([]byte, error)
	// HMACSHA256 gives the 32-byte HMAC, keyed as the package comment says.
	HMACSHA256(msg []byte) ([]byte, error)
}

var _ Secret = keys.Key{}

// CardKeys are a card's three static keys as Secrets. Masters, one a purpose, travel in it too.
type CardKeys struct {
	ENC, MAC, DEK Secret
}

// FromKeySet gives the set's keys as Secrets.
func FromKeySet(s keys.KeySet) CardKeys { return CardKeys{ENC: s.ENC, MAC: s.MAC, DEK: s.DEK} }

// OneKey gives CardKeys that use one key for all purposes: the Secure Channel base key of an
// SCP02 variant with a single key (GPCS 2.3.1 §E.2), or the master of a diversified set.
func OneKey(s Secret) CardKeys { return CardKeys{ENC: s, MAC: s, DEK: s} }

// Errors that callers can tell apart.
var (
	ErrMethod    = errors.New("unknown diversification method")
	ErrAlgorithm = errors.New("key algorithm does not suit the method")
	ErrLength    = errors.New("length does not suit the method")
	ErrNoKey     = errors.New("no key")
)

// KCV gives the key check value of a Secret through its operations.
func KCV(s Secret) (keys.KCV, error) {
	if s == nil || s.Len() == 0 {
		return keys.KCV{}, fmt.Errorf("key check value: %w", ErrNoKey)
	}
	b, err := s.EncryptECB(keys.CheckBlock(s.Algorithm()))
	if err != nil {
		return keys.KCV{}, fmt.Errorf("key check value: %w", err)
	}
	return keys.KCV(b[:3]), nil
}

// need checks that a key is there and is of the algorithm.
func need(name string, s Secret, alg keys.Algorithm) error {
	if s == nil || s.Len() == 0 {
		return fmt.Errorf("%s: %w", name, ErrNoKey)
	}
	if s.Algorithm() != alg {
		return fmt.Errorf("%s: %v key where %v is needed: %w", name, s.Algorithm(), alg, ErrAlgorithm)
	}
	return nil
}
