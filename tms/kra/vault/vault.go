// Package vault seals private keys for the archive and opens them again, under a storage key that
// stays in its key store.
//
// It owns the form of a sealed key. It must not know where sealed keys are kept or who may have
// them opened: its caller says to what a sealed key is bound, and a key opens only together with
// exactly that.
//
// # The form
//
// One byte 01, 32 random bytes of salt, then the PKCS #8 key under AES-256-GCM with its tag of 16
// bytes. The key of the encryption is used for this one alone: it is derived from the storage key
// and the salt by SP 800-108 in counter mode with AES-CMAC, two blocks, so that the storage key
// gives two operations a record and never its bytes. Hence the nonce is zero. The version byte,
// the storage key's name and the binding are authenticated with the key.
package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

const (
	version  = 0x01
	saltLen  = 32
	tagLen   = 16
	overhead = 1 + saltLen + tagLen
	// MaxPlain is the longest private key in bytes. PKCS #8 of RSA-4096 takes less than 2,400.
	MaxPlain = 8 << 10
	// MaxBinding is the longest binding in bytes.
	MaxBinding = 16 << 10
	label      = "tokenwright archived key"
)

// ErrDamaged means that a sealed key is not what was sealed: it, or what it is bound to, was
// changed, or the storage key of that name is another one.
var ErrDamaged = errors.New("sealed key does not open: it or its record was changed")

// ErrForm means that bytes are no sealed key.
var ErrForm = errors.New("no sealed key")

// Keys gives storage keys by name, as a keystore.Store does.
type Keys interface {
	Key(ctx context.Context, name string) (keystore.Key, error)
}

// Vault seals under one storage key and opens under any. It is safe for concurrent use if its
// randomness is.
type Vault struct {
	keys    Keys
	current keystore.Key
	random  io.Reader
}

// New gives a vault that seals under the storage key of a name, an AES key. Sealed keys that name
// another open as long as the key store has it.
func New(ctx context.Context, k Keys, current string, random io.Reader) (*Vault, error) {
	key, err := storageKey(ctx, k, current)
	if err != nil {
		return nil, err
	}
	return &Vault{keys: k, current: key, random: random}, nil
}

func storageKey(ctx context.Context, k Keys, name string) (keystore.Key, error) {
	key, err := k.Key(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("storage key %.140q: %w", name, err)
	}
	if key.Algorithm() != keys.AES {
		return nil, fmt.Errorf("storage key %.140q is no AES key: %w", name, keystore.ErrKind)
	}
	return key, nil
}

// Current is the name of the storage key that Seal uses.
func (v *Vault) Current() string { return v.current.Name() }

// Seal seals a private key, 1 to MaxPlain bytes, which stays the caller's to wipe. The same binding
// must be given to Open.
func (v *Vault) Seal(plain, binding []byte) ([]byte, error) {
	if len(plain) == 0 || len(plain) > MaxPlain || len(binding) > MaxBinding {
		return nil, fmt.Errorf("sealing a key: %w: %d bytes bound to %d", ErrForm, len(plain),
			len(binding))
	}
	out := make([]byte, 1+saltLen, overhead+len(plain))
	out[0] = version
	if _, err := io.ReadFull(v.random, out[1:]); err != nil {
		return nil, fmt.Errorf("sealing a key: salt: %w", err)
	}
	aead, err := derive(v.current, out[1:])
	if err != nil {
		return nil, fmt.Errorf("sealing a key: %w", err)
	}
	return aead.Seal(out, make([]byte, aead.NonceSize()), plain, bound(v.current, binding)), nil
}

// Open gives the private key, which is secret and the caller's to wipe. ErrForm and ErrDamaged tell
// that the archive is at fault, other errors that the key store is.
func (v *Vault) Open(ctx context.Context, name string, sealed, binding []byte) ([]byte, error) {
	salt, body, err := split(sealed)
	if err != nil {
		return nil, err
	}
	if len(binding) > MaxBinding {
		return nil, fmt.Errorf("%w: bound to %d bytes", ErrForm, len(binding))
	}
	key := v.current
	if name != v.current.Name() {
		if key, err = storageKey(ctx, v.keys, name); err != nil {
			return nil, err
		}
	}
	aead, err := derive(key, salt)
	if err != nil {
		return nil, fmt.Errorf("opening a sealed key: %w", err)
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), body, bound(key, binding))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// split takes a sealed key apart.
func split(sealed []byte) (salt, body []byte, err error) {
	if len(sealed) <= overhead || len(sealed) > overhead+MaxPlain {
		return nil, nil, fmt.Errorf("%w: %d bytes", ErrForm, len(sealed))
	}
	if sealed[0] != version {
		return nil, nil, fmt.Errorf("%w: version %02X", ErrForm, sealed[0])
	}
	return sealed[1 : 1+saltLen], sealed[1+saltLen:], nil
}

// derive makes the key of one record: K(i) = CMAC(i ‖ label ‖ 00 ‖ salt ‖ 0100).
// // SP 800-108r1 §4.1
func derive(key keystore.Key, salt []byte) (cipher.AEAD, error) {
	var out [2 * aes.BlockSize]byte
	defer clear(out[:])
	for i := range 2 {
		msg := append([]byte{byte(i + 1)}, label...)
		msg = append(append(msg, 0), salt...)
		msg = binary.BigEndian.AppendUint16(msg, 8*uint16(len(out)))
		mac, err := key.CMAC(msg)
		if err != nil {
			return nil, err
		}
		copy(out[i*aes.BlockSize:], mac)
		clear(mac)
	}
	block, err := aes.NewCipher(out[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// bound is the additional data: version, name of the storage key, binding.
func bound(key keystore.Key, binding []byte) []byte {
	out := append([]byte{version}, key.Name()...)
	return append(append(out, 0), binding...)
}
