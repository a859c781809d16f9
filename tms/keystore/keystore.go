// Package keystore owns the contract of a home for long-lived keys: master keys, shared secrets and
// asymmetric keys, by name and by operation, never by key bytes, so that a hardware module can be
// a home as well as an encrypted file (package soft).
//
// It must not know what the keys are for: which card, key set, protocol or certificate. Keys that
// live for one session or one card are keys.Key values and have no home here.
package keystore

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"tokenwright/tms/gp/keys"
)

// Errors that every home gives.
var (
	ErrNotFound = errors.New("no such key")
	ErrExists   = errors.New("a key of that name exists")
	ErrKind     = errors.New("key is of another kind")
	ErrName     = errors.New("key name is not usable")
	ErrSpec     = errors.New("unknown key specification")
	ErrMode     = errors.New("unknown wrapping mode")
	ErrLength   = errors.New("length does not suit the wrapping mode")
	ErrClosed   = errors.New("keystore is closed")
)

// Cipher encrypts and decrypts whole blocks. A nil iv is a block of 00. Results belong to the
// caller.
type Cipher interface {
	EncryptECB(src []byte) ([]byte, error)
	DecryptECB(src []byte) ([]byte, error)
	EncryptCBC(iv, src []byte) ([]byte, error)
	DecryptCBC(iv, src []byte) ([]byte, error)
}

// PRF computes message authentication codes: 16 bytes of AES-CMAC, 32 bytes of HMAC-SHA256. A
// DES3 key of 24 bytes whose last third repeats its first keys the HMAC with its first 16 bytes.
type PRF interface {
	CMAC(msg []byte) ([]byte, error)
	HMACSHA256(msg []byte) ([]byte, error)
}

// Wrapper is a key under which another can be wrapped. Every Key and every keys.Key is one.
type Wrapper interface {
	Algorithm() keys.Algorithm
	EncryptECB(src []byte) ([]byte, error)
	EncryptCBC(iv, src []byte) ([]byte, error)
}

// Mode is how wrapped key bytes are encrypted. Neither mode pads, except that CBC under AES fills
// the 24 bytes of an AES-192 or three-key DES key with eight 00 (AMD-D §6.2.8).
type Mode uint8

// The modes.
const (
	ECB Mode = iota + 1 // PUT KEY of SCP01 and SCP02, shared secrets of the DES3 kind.
	CBC                 // PUT KEY of SCP03, AES shared secrets; the initial vector is zero.
)

// Wrapping moves keys in and out under other keys.
type Wrapping interface {
	// WrapUnder encrypts this key's bytes under w.
	WrapUnder(w Wrapper, m Mode) ([]byte, error)
	// Unwrap decrypts a key that was wrapped under this one. The key that comes out is the
	// caller's; length is its length in bytes.
	Unwrap(m Mode, alg keys.Algorithm, length int, wrapped []byte) (keys.Key, error)
	// DeriveECB makes a key of data encrypted under this one, block by block.
	DeriveECB(alg keys.Algorithm, data []byte) (keys.Key, error)
}

// Key is one symmetric key in its home. It satisfies kdf.Secret. It prints as its name and kind.
type Key interface {
	Name() string
	Algorithm() keys.Algorithm
	// Len is the key length in bytes.
	Len() int
	Cipher
	PRF
	Wrapping
}

// Info says what a key is, without anything secret. KCV is zero for asymmetric keys.
type Info struct {
	Name string
	Spec Spec
	KCV  keys.KCV
}

// Reader gives keys by name. A missing name gives ErrNotFound, a key of the other kind ErrKind.
type Reader interface {
	Key(ctx context.Context, name string) (Key, error)
	// Signer gives an asymmetric key. RSA signers are crypto.Decrypters too.
	Signer(ctx context.Context, name string) (crypto.Signer, error)
	// List gives all keys in the order of their names.
	List(ctx context.Context) ([]Info, error)
}

// Store is a home of keys. Changes are durable when the call returns. A name that is taken gives
// ErrExists and changes nothing: keys are never overwritten.
type Store interface {
	Reader
	// Generate makes a symmetric key inside the home.
	Generate(ctx context.Context, name string, spec Spec) (Key, error)
	// GenerateSigner makes an asymmetric key inside the home.
	GenerateSigner(ctx context.Context, name string, spec Spec) (crypto.Signer, error)
	// Import brings a symmetric key in.
	Import(ctx context.Context, name string, k keys.Key) (Key, error)
	// Delete removes a key for good.
	Delete(ctx context.Context, name string) error
}

// Spec is the kind and size of a key.
type Spec string

// The specifications.
const (
	DES2    Spec = "des2" // Two-key triple DES, 16 bytes.
	DES3    Spec = "des3" // Three-key triple DES, 24 bytes.
	AES128  Spec = "aes128"
	AES192  Spec = "aes192"
	AES256  Spec = "aes256"
	RSA2048 Spec = "rsa2048"
	RSA3072 Spec = "rsa3072"
	RSA4096 Spec = "rsa4096"
	P256    Spec = "p256"
	P384    Spec = "p384"
)

// Symmetric gives the algorithm and length in bytes of a symmetric specification.
func (s Spec) Symmetric() (alg keys.Algorithm, length int, ok bool) {
	switch s {
	case DES2:
		return keys.DES3, 16, true
	case DES3:
		return keys.DES3, 24, true
	case AES128:
		return keys.AES, 16, true
	case AES192:
		return keys.AES, 24, true
	case AES256:
		return keys.AES, 32, true
	}
	return 0, 0, false
}

// SpecOf gives the specification of a symmetric key, or "" for no key.
func SpecOf(alg keys.Algorithm, length int) Spec {
	for _, s := range []Spec{DES2, DES3, AES128, AES192, AES256} {
		if a, n, _ := s.Symmetric(); a == alg && n == length {
			return s
		}
	}
	return ""
}

// CheckName gives ErrName unless name has 1 to 128 bytes of printable characters and no spaces at
// its ends.
func CheckName(name string) error {
	bad := name == "" || len(name) > 128 || !utf8.ValidString(name) ||
		name[0] == ' ' || name[len(name)-1] == ' '
	for _, r := range name {
		bad = bad || !unicode.IsPrint(r)
	}
	if bad {
		return fmt.Errorf("%w: %.140q", ErrName, name)
	}
	return nil
}
