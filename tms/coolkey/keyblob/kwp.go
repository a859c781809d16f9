package keyblob

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp/keys"
)

// kwpIV is the constant half of the alternative initial value (RFC 5649 §3).
const kwpIV = 0xA65959A6

// semiblock is the unit of key wrapping in bytes.
const semiblock = 8

// kwpWrap wraps 1 byte or more under an AES key (RFC 5649 §4.1).
func kwpWrap(key keys.Key, data []byte) ([]byte, error) {
	n := (len(data) + semiblock - 1) / semiblock
	out := make([]byte, semiblock*(n+1))
	binary.BigEndian.PutUint32(out, kwpIV)
	binary.BigEndian.PutUint32(out[4:], uint32(len(data)))
	copy(out[semiblock:], data)
	if n == 1 {
		return key.EncryptECB(out)
	}
	var block [2 * semiblock]byte
	copy(block[:semiblock], out)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(block[semiblock:], out[semiblock*i:])
			b, err := key.EncryptECB(block[:])
			if err != nil {
				return nil, err
			}
			copy(out[semiblock*i:], b[semiblock:])
			copy(block[:semiblock], b)
			kwpCount(&block, n*j+i)
		}
	}
	copy(out, block[:semiblock])
	return out, nil
}

// kwpUnwrap undoes kwpWrap (RFC 5649 §4.2).
func kwpUnwrap(key keys.Key, wrapped []byte) ([]byte, error) {
	n := len(wrapped)/semiblock - 1
	if n < 1 || len(wrapped)%semiblock != 0 || len(wrapped) > maxPair+2*semiblock {
		return nil, fmt.Errorf("%w: %d bytes", ErrWrap, len(wrapped))
	}
	out := append([]byte(nil), wrapped...)
	if n == 1 {
		b, err := key.DecryptECB(out)
		if err != nil {
			return nil, err
		}
		return kwpOpen(b)
	}
	var block [2 * semiblock]byte
	copy(block[:semiblock], out)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			kwpCount(&block, n*j+i)
			copy(block[semiblock:], out[semiblock*i:])
			b, err := key.DecryptECB(block[:])
			if err != nil {
				return nil, err
			}
			copy(out[semiblock*i:], b[semiblock:])
			copy(block[:semiblock], b)
		}
	}
	copy(out, block[:semiblock])
	return kwpOpen(out)
}

// kwpCount mixes the step number into the first half.
func kwpCount(block *[2 * semiblock]byte, t int) {
	a := binary.BigEndian.Uint64(block[:]) ^ uint64(t)
	binary.BigEndian.PutUint64(block[:], a)
}

// kwpOpen checks initial value, length and padding (RFC 5649 §3), and gives the data.
func kwpOpen(b []byte) ([]byte, error) {
	room := len(b) - semiblock
	n := int64(binary.BigEndian.Uint32(b[4:]))
	if binary.BigEndian.Uint32(b) != kwpIV || n > int64(room) || n <= int64(room-semiblock) {
		return nil, ErrWrap
	}
	data, padding := b[semiblock:semiblock+n], b[semiblock+n:]
	if subtle.ConstantTimeCompare(padding, make([]byte, len(padding))) != 1 {
		return nil, ErrWrap
	}
	return data, nil
}
