package keyblob

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// kwpMagic starts the alternative initial value of AES key wrap with padding (RFC 5649 §3).
var kwpMagic = [4]byte{0xA6, 0x59, 0x59, 0xA6}

// UnwrapKWP removes AES key wrap with padding (RFC 5649 §4.2) under the AES cipher c. data is
// overwritten; the result aliases it. It gives false for data that were not wrapped with this key.
func UnwrapKWP(c cipher.Block, data []byte) ([]byte, bool) {
	const half = 8
	n := len(data)/half - 1
	if n < 1 || len(data)%half != 0 {
		return nil, false
	}
	var block [2 * half]byte
	a, text := data[:half], data[half:]
	if n == 1 {
		c.Decrypt(data, data)
	} else {
		for t := 6 * n; t > 0; t-- {
			r := text[(t-1)%n*half:][:half]
			binary.BigEndian.PutUint64(block[:], binary.BigEndian.Uint64(a)^uint64(t))
			copy(block[half:], r)
			c.Decrypt(block[:], block[:])
			copy(a, block[:half])
			copy(r, block[half:])
		}
	}
	size := binary.BigEndian.Uint32(a[4:])
	good := subtle.ConstantTimeCompare(a[:4], kwpMagic[:])
	pad := int64(len(text)) - int64(size)
	if good != 1 || pad < 0 || pad >= half {
		return nil, false
	}
	var zeros [half]byte
	if subtle.ConstantTimeCompare(text[size:], zeros[:pad]) != 1 {
		return nil, false
	}
	return text[:size], true
}

// Unpad removes PKCS#7 padding of blocks of size bytes (RFC 5652 §6.3).
func Unpad(data []byte, size int) ([]byte, bool) {
	if len(data) == 0 || len(data)%size != 0 {
		return nil, false
	}
	n := int(data[len(data)-1])
	if n < 1 || n > size {
		return nil, false
	}
	bad := 0
	for _, b := range data[len(data)-n:] {
		bad |= int(b) ^ n
	}
	return data[:len(data)-n], bad == 0
}
