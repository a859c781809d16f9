package keyblob

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
)

// Errors that the functions of this package wrap.
var (
	ErrForm  = errors.New("key blob: malformed")
	ErrKey   = errors.New("key blob: key not usable")
	ErrProof = errors.New("key blob: proof of possession is wrong")
)

// Encoding says whether the data of a blob are encrypted.
type Encoding byte

// Encodings.
const (
	Plain     Encoding = 0
	Encrypted Encoding = 1
)

// String names the encoding.
func (e Encoding) String() string {
	switch e {
	case Plain:
		return "plain"
	case Encrypted:
		return "encrypted"
	default:
		return fmt.Sprintf("encoding %02X", byte(e))
	}
}

// headLen is the length of what stands before the data, in bytes.
const headLen = 4

// Blob is a key blob. Data of a private key are secret unless they are encrypted; no output shows
// them.
type Blob struct {
	Encoding Encoding
	Type     coolkey.KeyType
	Bits     uint16
	Data     []byte
}

// Parse reads a blob of 4 bytes or more. Data alias b.
func Parse(b []byte) (Blob, error) {
	if len(b) < headLen {
		return Blob{}, fmt.Errorf("%w: %d bytes, want %d or more", ErrForm, len(b), headLen)
	}
	return Blob{
		Encoding: Encoding(b[0]), Type: coolkey.KeyType(b[1]), Bits: binary.BigEndian.Uint16(b[2:]),
		Data: b[headLen:],
	}, nil
}

// Bytes prints the blob.
func (b Blob) Bytes() []byte {
	out := binary.BigEndian.AppendUint16([]byte{byte(b.Encoding), byte(b.Type)}, b.Bits)
	return append(out, b.Data...)
}

// String tells what the blob is, without its data.
func (b Blob) String() string {
	return fmt.Sprintf("%v, %d bits, %v, %d bytes", b.Type, b.Bits, b.Encoding, len(b.Data))
}

// Format makes every verb print what String prints.
func (b Blob) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(b.String())) }

// number cuts a field behind its length of 2 bytes.
func number(b []byte, what string) (field, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, fmt.Errorf("%w: no length of %s", ErrForm, what)
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return nil, nil, fmt.Errorf("%w: %s of %d bytes goes past the end", ErrForm, what, n)
	}
	return b[2 : 2+n : 2+n], b[2+n:], nil
}

func appendNumber(dst []byte, fields ...[]byte) []byte {
	for _, f := range fields {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(f)))
		dst = append(dst, f...)
	}
	return dst
}
