package gp

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/tlv"
)

const (
	tagKeyInfoElement = 0xC0
	extendedType      = 0xFF // before the type of a component in the extended form
)

// KeyComponent is the type and length in bytes of a key, or of a part of it.
type KeyComponent struct {
	Type KeyType
	Len  uint16
}

// KeyElement describes one key of a security domain (GPCS 2.3.1 §11.3.3.1). Extended selects the
// form with two-byte types and lengths, usage and access; those two are nil when not given.
type KeyElement struct {
	KeyID      keys.KeyID
	KVN        keys.KVN
	Components []KeyComponent
	Extended   bool
	Usage      []byte // 0 or 1 byte
	Access     []byte // 0 or 1 byte
}

// KeyInformationTemplate is the answer to GET DATA 00E0: the keys of a security domain.
type KeyInformationTemplate struct {
	Keys []KeyElement

	raw []byte
}

// ParseKeyInformationTemplate reads E0 with its elements C0, or the elements alone. Basic and
// extended elements may be mixed. Other objects, and elements of an unknown form, are passed over
// and printed again by Bytes. What is not BER-TLV is an error that wraps ErrData.
func ParseKeyInformationTemplate(b []byte) (KeyInformationTemplate, error) {
	nodes, err := tlv.Parse(b)
	if err != nil {
		return KeyInformationTemplate{}, fmt.Errorf("%w: key information: %w", ErrData, err)
	}
	if len(nodes) == 1 && nodes[0].Tag == TagKeyInformation {
		nodes = nodes[0].Children
	}
	var t KeyInformationTemplate
	for _, n := range tlv.All(nodes, tagKeyInfoElement) {
		if e, ok := parseKeyElement(n.Value); ok {
			t.Keys = append(t.Keys, e)
		}
	}
	if !bytes.Equal(t.Bytes(), b) {
		t.raw = b
	}
	return t, nil
}

func parseKeyElement(b []byte) (KeyElement, bool) {
	if len(b) < 4 {
		return KeyElement{}, false
	}
	e := KeyElement{KeyID: keys.KeyID(b[0]), KVN: keys.KVN(b[1]), Extended: b[2] == extendedType}
	b = b[2:]
	if e.Extended {
		return e, e.extended(b)
	}
	for ; len(b) >= 2; b = b[2:] {
		e.Components = append(e.Components, KeyComponent{Type: KeyType(b[0]), Len: uint16(b[1])})
	}
	return e, len(b) == 0
}

// extended reads FF type length(2) for each component, then usage and access with their lengths.
func (e *KeyElement) extended(b []byte) bool {
	for len(b) >= 4 && b[0] == extendedType {
		c := KeyComponent{Type: KeyType(b[1]), Len: binary.BigEndian.Uint16(b[2:])}
		e.Components = append(e.Components, c)
		b = b[4:]
	}
	r := reader{rest: b}
	for _, field := range []*[]byte{&e.Usage, &e.Access} {
		if n := int(r.byte("length")); n == 1 {
			*field = r.take("value", n)
		} else if n != 0 {
			return false
		}
	}
	return r.end() == nil
}

func (e KeyElement) append(dst []byte) []byte {
	v := []byte{byte(e.KeyID), byte(e.KVN)}
	for _, c := range e.Components {
		if e.Extended {
			v = append(v, extendedType, byte(c.Type), byte(c.Len>>8), byte(c.Len))
		} else {
			v = append(v, byte(c.Type), byte(c.Len))
		}
	}
	if e.Extended {
		v = appendLV(v, e.Usage, e.Access)
	}
	return tlv.Append(dst, tagKeyInfoElement, v)
}

// Bytes prints the template with its tag E0; what was parsed prints as it was read.
func (t KeyInformationTemplate) Bytes() []byte {
	if t.raw != nil {
		return t.raw
	}
	var body []byte
	for _, e := range t.Keys {
		body = e.append(body)
	}
	return tlv.Append(nil, TagKeyInformation, body)
}

// Version returns the elements of one key version, in order.
func (t KeyInformationTemplate) Version(kvn keys.KVN) []KeyElement {
	var out []KeyElement
	for _, e := range t.Keys {
		if e.KVN == kvn {
			out = append(out, e)
		}
	}
	return out
}

// IsAES reports whether the key is an AES key.
func (e KeyElement) IsAES() bool {
	return len(e.Components) > 0 && e.Components[0].Type == KeyAES
}
