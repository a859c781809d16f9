// Package tlv reads and writes BER-TLV data objects as smart cards use them (ISO/IEC 7816-4
// §5.2.2): tags of one to three bytes, definite lengths in the short form or with one to three
// length bytes.
//
// It is exact and strict: whatever Parse accepts, Encode prints back byte for byte, and anything
// else (indefinite lengths, truncated values, excessive nesting) is an error. It knows no tag by
// name; meanings live in the packages above. It imports the standard library only.
package tlv

import (
	"errors"
	"fmt"
)

// Bounds on hostile input.
const (
	MaxTagBytes = 3
	MaxDepth    = 16      // nesting of constructed objects
	MaxNodes    = 4096    // objects in one Parse, at all levels together
	MaxLength   = 1 << 24 // first value length that cannot be encoded
)

// Errors that the functions of this package wrap.
var (
	ErrTruncated = errors.New("tlv: truncated")
	ErrTag       = errors.New("tlv: invalid tag")
	ErrLength    = errors.New("tlv: invalid length")
	ErrDepth     = errors.New("tlv: nested too deeply")
	ErrTooMany   = errors.New("tlv: too many objects")
)

// Node is one data object.
//
// Tag holds the tag bytes as they stand, big-endian: 6F, 9F7F, DF8101. Value is the content; of a
// constructed object (bit 6 of the first tag byte) Children is the same content taken apart, and
// Encode prints Children unless there are none. LengthBytes is the size of the length field when it
// is longer than needed (81 05 has 2); zero means the shortest form. Value and Children alias what
// was parsed.
type Node struct {
	Tag         uint32
	Value       []byte
	Children    []Node
	LengthBytes int
}

// Constructed reports whether the tag says that the content is itself a list of data objects.
func (n Node) Constructed() bool { return Constructed(n.Tag) }

// Constructed reports whether tag is that of a constructed object.
func Constructed(tag uint32) bool { return firstByte(tag)&0x20 != 0 }

func firstByte(tag uint32) byte {
	switch {
	case tag > 0xFFFF:
		return byte(tag >> 16)
	case tag > 0xFF:
		return byte(tag >> 8)
	default:
		return byte(tag)
	}
}

// Parse reads a list of data objects that fills b. An empty b is an empty list. Constructed objects
// are taken apart to MaxDepth. The result aliases b.
func Parse(b []byte) ([]Node, error) {
	budget := MaxNodes
	return parse(b, 0, &budget)
}

func parse(b []byte, depth int, budget *int) ([]Node, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: more than %d levels", ErrDepth, MaxDepth)
	}
	var nodes []Node
	for len(b) > 0 {
		n, rest, err := read(b, depth, budget)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		b = rest
	}
	return nodes, nil
}

// Read takes the first data object off b, with its children, and returns what follows it.
func Read(b []byte) (n Node, rest []byte, err error) {
	budget := MaxNodes
	return read(b, 0, &budget)
}

func read(b []byte, depth int, budget *int) (Node, []byte, error) {
	if *budget--; *budget < 0 {
		return Node{}, nil, fmt.Errorf("%w: more than %d", ErrTooMany, MaxNodes)
	}
	n, rest, err := Split(b)
	if err != nil {
		return Node{}, nil, err
	}
	if n.Constructed() {
		n.Children, err = parse(n.Value, depth+1, budget)
		if err != nil {
			return Node{}, nil, fmt.Errorf("in %X: %w", n.Tag, err)
		}
	}
	return n, rest, nil
}

// Split takes the first data object off b without looking into its value, even if it is
// constructed: for content that only claims to be BER-TLV.
func Split(b []byte) (n Node, rest []byte, err error) {
	tag, b, err := readTag(b)
	if err != nil {
		return Node{}, nil, err
	}
	length, lengthBytes, b, err := readLength(b)
	if err != nil {
		return Node{}, nil, fmt.Errorf("length of %X: %w", tag, err)
	}
	if length > len(b) {
		return Node{}, nil, fmt.Errorf("%w: %X of %d bytes, %d left", ErrTruncated, tag, length,
			len(b))
	}
	n = Node{Tag: tag, Value: b[:length:length]}
	if lengthBytes > shortest(length) {
		n.LengthBytes = lengthBytes
	}
	return n, b[length:], nil
}

func readTag(b []byte) (tag uint32, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, fmt.Errorf("%w: no tag", ErrTruncated)
	}
	if b[0] == 0 {
		return 0, nil, fmt.Errorf("%w: 00", ErrTag)
	}
	tag = uint32(b[0])
	if b[0]&0x1F != 0x1F {
		return tag, b[1:], nil
	}
	for i := 1; i < MaxTagBytes; i++ {
		if i >= len(b) {
			return 0, nil, fmt.Errorf("%w: tag %X goes on", ErrTruncated, tag)
		}
		if i == 1 && b[i] == 0x80 {
			return 0, nil, fmt.Errorf("%w: %X80 has a leading zero", ErrTag, tag)
		}
		tag = tag<<8 | uint32(b[i])
		if b[i]&0x80 == 0 {
			return tag, b[i+1:], nil
		}
	}
	return 0, nil, fmt.Errorf("%w: %X is longer than %d bytes", ErrTag, tag, MaxTagBytes)
}

func readLength(b []byte) (length, lengthBytes int, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, ErrTruncated
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, b[1:], nil
	}
	n := int(b[0] & 0x7F)
	if n == 0 || n > 3 {
		return 0, 0, nil, fmt.Errorf("%w: starts with %02X", ErrLength, b[0])
	}
	if len(b) < 1+n {
		return 0, 0, nil, ErrTruncated
	}
	for _, x := range b[1 : 1+n] {
		length = length<<8 | int(x)
	}
	return length, 1 + n, b[1+n:], nil
}

// shortest is the number of bytes in the shortest length field for n, 5 when there is none.
func shortest(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n <= 0xFF:
		return 2
	case n <= 0xFFFF:
		return 3
	case n < MaxLength:
		return 4
	default:
		return 5
	}
}
