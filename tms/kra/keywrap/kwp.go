package keywrap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrUnwrap means that data were not wrapped under this key, or are damaged. It says no more.
var ErrUnwrap = errors.New("wrapped data do not open under this key")

// ErrLength means that data are too short or too long to be wrapped, or to be wrapped data.
var ErrLength = errors.New("length of data is not one that can be wrapped")

const (
	semiblock = 8
	rounds    = 6
	// aivHead is the first half of the alternative initial value. // RFC 5649 §3
	aivHead = 0xA65959A6
	// MaxPlain is the most that is wrapped, in bytes; a private key has far less.
	MaxPlain = 1 << 16
)

// WrapKWP wraps 1 to MaxPlain bytes under an AES key of 16, 24 or 32 bytes; the result is 8 to 15
// bytes longer, and a multiple of 8. It keeps neither slice. // RFC 5649 §4.1
func WrapKWP(key, plain []byte) ([]byte, error) {
	if len(plain) == 0 || len(plain) > MaxPlain {
		return nil, fmt.Errorf("key wrap: %w: %d bytes", ErrLength, len(plain))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key wrap: %w", err)
	}
	n := (len(plain) + semiblock - 1) / semiblock
	out := make([]byte, (n+1)*semiblock)
	binary.BigEndian.PutUint32(out, aivHead)
	binary.BigEndian.PutUint32(out[4:], uint32(len(plain)))
	copy(out[semiblock:], plain)
	if n == 1 {
		block.Encrypt(out, out)
		return out, nil
	}
	wrap(block, out, n)
	return out, nil
}

// wrap is the wrapping process W over A | R[1] … R[n] in buf, in place. // RFC 3394 §2.2.1
func wrap(block cipher.Block, buf []byte, n int) {
	var b [aes.BlockSize]byte
	copy(b[:semiblock], buf)
	t := uint64(0)
	for range rounds {
		for i := 1; i <= n; i++ {
			r := buf[i*semiblock : (i+1)*semiblock]
			copy(b[semiblock:], r)
			block.Encrypt(b[:], b[:])
			copy(r, b[semiblock:])
			t++
			binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^t)
		}
	}
	copy(buf, b[:semiblock])
	clear(b[:])
}

// UnwrapKWP gives back what WrapKWP wrapped. Wrong key, damage and wrong padding are one and the
// same ErrUnwrap. // RFC 5649 §4.2
func UnwrapKWP(key, wrapped []byte) ([]byte, error) {
	n := len(wrapped)/semiblock - 1
	if n < 1 || len(wrapped)%semiblock != 0 || len(wrapped) > MaxPlain+semiblock {
		return nil, fmt.Errorf("key unwrap: %w: %d bytes", ErrLength, len(wrapped))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key unwrap: %w", err)
	}
	buf := append([]byte(nil), wrapped...)
	if n == 1 {
		block.Decrypt(buf, buf)
	} else {
		unwrap(block, buf, n)
	}
	return open(buf)
}

// unwrap undoes wrap. // RFC 3394 §2.2.2
func unwrap(block cipher.Block, buf []byte, n int) {
	var b [aes.BlockSize]byte
	copy(b[:semiblock], buf)
	for t := uint64(rounds * n); t > 0; t-- {
		i := int((t-1)%uint64(n)) + 1
		r := buf[i*semiblock : (i+1)*semiblock]
		binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^t)
		copy(b[semiblock:], r)
		block.Decrypt(b[:], b[:])
		copy(r, b[semiblock:])
	}
	copy(buf, b[:semiblock])
	clear(b[:])
}

// open checks the alternative initial value and the padding, all of them whatever it finds.
// // RFC 5649 §3
func open(buf []byte) ([]byte, error) {
	room := len(buf) - semiblock
	length := int(binary.BigEndian.Uint32(buf[4:]))
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], aivHead)
	good := subtle.ConstantTimeCompare(head[:], buf[:4])
	padding := room - length
	if padding < 0 || padding >= semiblock {
		good, padding = 0, 0
	}
	rest := buf[len(buf)-padding:]
	good &= subtle.ConstantTimeCompare(rest, make([]byte, len(rest)))
	if good != 1 {
		clear(buf)
		return nil, ErrUnwrap
	}
	return buf[semiblock : len(buf)-padding], nil
}
