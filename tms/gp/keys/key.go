package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Algorithm is the block cipher that a key is for. The zero value is no algorithm.
type Algorithm uint8

// The block ciphers of card keys.
const (
	DES3 Algorithm = iota + 1 // Triple DES, two or three keys, 8-byte blocks.
	AES                       // AES-128, -192 or -256, 16-byte blocks.
)

// String names the algorithm.
func (a Algorithm) String() string {
	switch a {
	case DES3:
		return "DES3"
	case AES:
		return "AES"
	}
	return fmt.Sprintf("algorithm(%d)", uint8(a))
}

// BlockSize is the block length in bytes: 8 for DES3, 16 for AES, 0 for no algorithm.
func (a Algorithm) BlockSize() int {
	switch a {
	case DES3:
		return des.BlockSize
	case AES:
		return aes.BlockSize
	}
	return 0
}

// Errors of key operations.
var (
	ErrNoKey     = errors.New("no key")
	ErrKeyLength = errors.New("key length does not suit the algorithm")
	ErrAlgorithm = errors.New("operation is not defined for this key's algorithm")
	ErrLength    = errors.New("data is not a whole number of blocks")
)

// Key is one symmetric key. Its bytes show in no print, JSON or log. The zero value is no key:
// every operation on it gives ErrNoKey. A Key is immutable and safe for concurrent use; copying
// it copies a reference. Keys do not compare with ==; use Equal.
type Key struct {
	_ [0]func()
	// Two steps away: fmt follows one pointer out of an unexported field when the verb does not
	// suit it, past every method of the type, and would print the bytes.
	m **material
}

func (k Key) mat() *material { return *k.m }

type material struct {
	alg   Algorithm
	raw   []byte
	block cipher.Block
	first cipher.Block // DES3: single DES under the first 8 bytes.
	k1    [aes.BlockSize]byte
	k2    [aes.BlockSize]byte
}

// New makes a key of 16 or 24 bytes for DES3, 16, 24 or 32 for AES. It copies b and keeps its
// bytes as they are: no parity adjustment (see package kdf for the rule). It sets up the cipher
// once, so keep the Key rather than the bytes.
func New(alg Algorithm, b []byte) (Key, error) {
	m := &material{alg: alg, raw: bytes.Clone(b)}
	var err error
	switch {
	case alg == DES3 && (len(b) == 16 || len(b) == 24):
		full := append(bytes.Clone(b), b[:8]...)[:24]
		m.block, err = des.NewTripleDESCipher(full)
		clear(full)
		if err == nil {
			m.first, err = des.NewCipher(b[:8])
		}
	case alg == AES && (len(b) == 16 || len(b) == 24 || len(b) == 32):
		m.block, err = aes.NewCipher(b)
		if err == nil {
			m.k1, m.k2 = subkeys(m.block)
		}
	case alg != DES3 && alg != AES:
		return Key{}, fmt.Errorf("new key: %v: %w", alg, ErrAlgorithm)
	default:
		return Key{}, fmt.Errorf("new key: %v, %d bytes: %w", alg, len(b), ErrKeyLength)
	}
	if err != nil {
		return Key{}, fmt.Errorf("new key: %v: %w", alg, err)
	}
	return Key{m: &m}, nil
}

// Algorithm is the key's cipher, 0 for no key.
func (k Key) Algorithm() Algorithm {
	if k.IsZero() {
		return 0
	}
	return k.mat().alg
}

// Len is the length in bytes of what New was given, 0 for no key.
func (k Key) Len() int {
	if k.IsZero() {
		return 0
	}
	return len(k.mat().raw)
}

// IsZero tells whether this is no key.
func (k Key) IsZero() bool { return k.m == nil }

// Bytes gives a copy of the key's bytes, which are secret: the caller wraps or wipes them.
func (k Key) Bytes() []byte {
	if k.IsZero() {
		return nil
	}
	return bytes.Clone(k.mat().raw)
}

// Equal tells, in time that depends on the lengths alone, whether both are keys of one algorithm
// with the same bytes. Two zero Keys are equal.
func (k Key) Equal(o Key) bool {
	if k.IsZero() || o.IsZero() {
		return k.IsZero() && o.IsZero()
	}
	return k.mat().alg == o.mat().alg && subtle.ConstantTimeCompare(k.mat().raw, o.mat().raw) == 1
}

// KCV gives the key check value: of eight 00 for DES3, of sixteen 01 for AES
// (GPCS 2.3.1 §B.6, AMD-D §7.2.2). No key has KCV 000000.
func (k Key) KCV() KCV {
	var v KCV
	if k.IsZero() {
		return v
	}
	out := CheckBlock(k.mat().alg)
	k.mat().block.Encrypt(out, out)
	copy(v[:], out)
	return v
}

// CheckBlock gives the block whose encryption begins with the key check value, for keys that can
// only be asked for operations. It is nil for no algorithm.
func CheckBlock(alg Algorithm) []byte {
	switch alg {
	case DES3:
		return make([]byte, des.BlockSize)
	case AES:
		return bytes.Repeat([]byte{0x01}, aes.BlockSize)
	}
	return nil
}

// HMACSHA256 gives the 32-byte HMAC-SHA256 of msg. The HMAC key is the key's bytes as New got
// them, except that a DES3 key of 24 bytes whose last third repeats its first is the same cipher
// as its first 16 bytes and counts as those 16; package kdf states why.
func (k Key) HMACSHA256(msg []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("hmac: %w", ErrNoKey)
	}
	raw := k.mat().raw
	if k.mat().alg == DES3 && len(raw) == 24 && subtle.ConstantTimeCompare(raw[:8], raw[16:]) == 1 {
		raw = raw[:16]
	}
	h := hmac.New(sha256.New, raw)
	h.Write(msg)
	return h.Sum(nil), nil
}
