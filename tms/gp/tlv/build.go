package tlv

import (
	"bytes"
	"fmt"
)

// Append appends the data object tag, with the shortest length and the given value, to dst. It
// panics if value holds MaxLength bytes or more: no card object comes near.
func Append(dst []byte, tag uint32, value []byte) []byte {
	dst = appendTag(dst, tag)
	dst = AppendLength(dst, len(value))
	return append(dst, value...)
}

// AppendLength appends the shortest BER length field for n bytes to dst. It panics if n is negative
// or MaxLength or more.
func AppendLength(dst []byte, n int) []byte {
	if n < 0 || n >= MaxLength {
		panic(fmt.Sprintf("tlv: length %d cannot be encoded", n))
	}
	return appendLength(dst, n, shortest(n))
}

// ReadLength reads a BER length field at the start of b and returns the length, the size of the
// field and what follows it. Longer fields than needed are accepted.
func ReadLength(b []byte) (length, size int, rest []byte, err error) {
	return readLength(b)
}

// Encode prints nodes one after the other, as they were parsed. A LengthBytes that is too small for
// the value is ignored.
func Encode(nodes ...Node) []byte {
	var out []byte
	for _, n := range nodes {
		out = n.append(out)
	}
	return out
}

// Bytes prints the node.
func (n Node) Bytes() []byte { return n.append(nil) }

func (n Node) append(dst []byte) []byte {
	value := n.Value
	if len(n.Children) > 0 {
		value = Encode(n.Children...)
	}
	dst = appendTag(dst, n.Tag)
	size := shortest(len(value))
	if n.LengthBytes > size && n.LengthBytes <= 4 {
		size = n.LengthBytes
	}
	dst = appendLength(dst, len(value), size)
	return append(dst, value...)
}

// New returns a primitive node, or a constructed one whose content is value.
func New(tag uint32, value []byte) Node { return Node{Tag: tag, Value: value} }

// Group returns a constructed node with the given children.
func Group(tag uint32, children ...Node) Node { return Node{Tag: tag, Children: children} }

func appendTag(dst []byte, tag uint32) []byte {
	switch {
	case tag > 0xFFFF:
		return append(dst, byte(tag>>16), byte(tag>>8), byte(tag))
	case tag > 0xFF:
		return append(dst, byte(tag>>8), byte(tag))
	default:
		return append(dst, byte(tag))
	}
}

func appendLength(dst []byte, n, size int) []byte {
	switch size {
	case 1:
		return append(dst, byte(n))
	case 2:
		return append(dst, 0x81, byte(n))
	case 3:
		return append(dst, 0x82, byte(n>>8), byte(n))
	default:
		return append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
}

// Find walks down path and returns the first node at its end: Find(nodes, 0x6F, 0x84) is the AID in
// an FCI. Only the first match at each level is followed. An empty path finds nothing.
func Find(nodes []Node, path ...uint32) (Node, bool) {
	if len(path) == 0 {
		return Node{}, false
	}
	for _, n := range nodes {
		if n.Tag != path[0] {
			continue
		}
		if len(path) == 1 {
			return n, true
		}
		return Find(n.Children, path[1:]...)
	}
	return Node{}, false
}

// All returns the nodes with the given tag at this level, in order.
func All(nodes []Node, tag uint32) []Node {
	var out []Node
	for _, n := range nodes {
		if n.Tag == tag {
			out = append(out, n)
		}
	}
	return out
}

// Equal reports whether a and b print as the same bytes.
func Equal(a, b Node) bool { return bytes.Equal(a.Bytes(), b.Bytes()) }
