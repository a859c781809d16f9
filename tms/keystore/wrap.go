package keystore

import (
	"fmt"

	"tokenwright/tms/gp/keys"
)

// Secret is a key that can be wrapped whatever its home: a Key, or a keys.Key that lives for one
// card or session.
type Secret interface {
	Algorithm() keys.Algorithm
	Len() int
}

// Wrap encrypts the bytes of k under w: by k's own home if it has one. ErrKind tells that k is
// neither a Key nor a keys.Key.
func Wrap(k Secret, w Wrapper, m Mode) ([]byte, error) {
	switch k := k.(type) {
	case interface {
		WrapUnder(Wrapper, Mode) ([]byte, error)
	}:
		return k.WrapUnder(w, m)
	case keys.Key:
		b := k.Bytes()
		defer clear(b)
		return WrapBytes(b, w, m)
	}
	return nil, fmt.Errorf("wrapping a key: %w", ErrKind)
}

// WrapBytes encrypts key bytes under w, for homes that hold them. It does not change b.
func WrapBytes(b []byte, w Wrapper, m Mode) ([]byte, error) {
	if len(b) == 0 || w == nil {
		return nil, fmt.Errorf("wrapping a key: %w", keys.ErrNoKey)
	}
	n := w.Algorithm().BlockSize()
	if n == 0 {
		return nil, fmt.Errorf("wrapping a key: %w", keys.ErrNoKey)
	}
	switch {
	case m != ECB && m != CBC:
		return nil, fmt.Errorf("wrapping a key: %w %d", ErrMode, m)
	case len(b)%n != 0 && (m != CBC || len(b) != 24):
		return nil, fmt.Errorf("wrapping a key of %d bytes in blocks of %d: %w", len(b), n, ErrLength)
	case len(b)%n != 0:
		full := make([]byte, 32)
		copy(full, b)
		defer clear(full)
		b = full
	}
	if m == ECB {
		return w.EncryptECB(b)
	}
	return w.EncryptCBC(nil, b)
}

// UnwrapBytes decrypts a key of length bytes that WrapBytes, or another system, wrapped under c,
// whose algorithm is under.
func UnwrapBytes(c Cipher, under keys.Algorithm, m Mode, alg keys.Algorithm, length int,
	wrapped []byte,
) (keys.Key, error) {
	n := under.BlockSize()
	want := length
	if m == CBC && n > 0 && length == 24 && length%n != 0 {
		want = 32
	}
	if length == 0 || len(wrapped) != want {
		return keys.Key{}, fmt.Errorf("unwrapping a key of %d bytes from %d: %w",
			length, len(wrapped), ErrLength)
	}
	var b []byte
	var err error
	switch m {
	case ECB:
		b, err = c.DecryptECB(wrapped)
	case CBC:
		b, err = c.DecryptCBC(nil, wrapped)
	default:
		err = fmt.Errorf("%w %d", ErrMode, m)
	}
	if err != nil {
		return keys.Key{}, fmt.Errorf("unwrapping a key: %w", err)
	}
	defer clear(b)
	k, err := keys.New(alg, b[:length])
	if err != nil {
		return keys.Key{}, fmt.Errorf("unwrapping a key: %w", err)
	}
	return k, nil
}
