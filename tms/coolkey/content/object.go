package content

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/coolkey"
)

// AttributeType is a CKA code (PKCS #11 2.40 Base §A).
type AttributeType uint32

// Attributes that this package knows.
const (
	AttrClass           AttributeType = 0x000
	AttrLabel           AttributeType = 0x003
	AttrValue           AttributeType = 0x011
	AttrCertificateType AttributeType = 0x080
	AttrKeyType         AttributeType = 0x100
	AttrID              AttributeType = 0x102
	AttrModulus         AttributeType = 0x120
	AttrPublicExponent  AttributeType = 0x122
	AttrECParams        AttributeType = 0x180
	AttrECPoint         AttributeType = 0x181
)

// Kind says how an attribute's value is written.
type Kind byte

// Kinds.
const (
	KindString  Kind = 0 // bytes behind a length of 2 bytes
	KindInteger Kind = 1 // 4 bytes
	KindFalse   Kind = 2 // nothing
	KindTrue    Kind = 3 // nothing
)

// Attribute is one explicit attribute of an object. Value is that of KindString, Integer that of
// KindInteger.
type Attribute struct {
	Type    AttributeType
	Kind    Kind
	Value   []byte
	Integer uint32
}

// Object is an object of the combined form.
type Object struct {
	ID         coolkey.ObjectID
	Fixed      Fixed
	Attributes []Attribute
}

const (
	objectHead    = 4 + 4 + 2
	attributeHead = 4 + 1
)

// append prints the object behind dst.
func (o Object) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.ID))
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.Fixed))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(o.Attributes)))
	for _, a := range o.Attributes {
		dst = binary.BigEndian.AppendUint32(dst, uint32(a.Type))
		dst = append(dst, byte(a.Kind))
		switch a.Kind {
		case KindString:
			dst = binary.BigEndian.AppendUint16(dst, uint16(len(a.Value)))
			dst = append(dst, a.Value...)
		case KindInteger:
			dst = binary.BigEndian.AppendUint32(dst, a.Integer)
		}
	}
	return dst
}

// check refuses what append could not print.
func (o Object) check() error {
	if len(o.Attributes) > 0xFFFF {
		return fmt.Errorf("%w: object %v has %d attributes", ErrTooLarge, o.ID, len(o.Attributes))
	}
	for _, a := range o.Attributes {
		switch {
		case a.Kind > KindTrue:
			return fmt.Errorf("%w: object %v: attribute %X of kind %d", ErrValue, o.ID, uint32(a.Type),
				a.Kind)
		case len(a.Value) > 0xFFFF:
			return fmt.Errorf("%w: object %v: attribute %X of %d bytes", ErrTooLarge, o.ID,
				uint32(a.Type), len(a.Value))
		}
	}
	return nil
}

// readObject reads one object; values alias b.
func readObject(b []byte) (o Object, rest []byte, err error) {
	if len(b) < objectHead {
		return Object{}, nil, fmt.Errorf("%w: object cut short", ErrForm)
	}
	o.ID = coolkey.ObjectID(binary.BigEndian.Uint32(b))
	o.Fixed = Fixed(binary.BigEndian.Uint32(b[4:]))
	count := int(binary.BigEndian.Uint16(b[8:]))
	b = b[objectHead:]
	if count > len(b)/attributeHead {
		return Object{}, nil, fmt.Errorf("%w: object %v announces %d attributes", ErrForm, o.ID, count)
	}
	for range count {
		var a Attribute
		if a, b, err = readAttribute(b); err != nil {
			return Object{}, nil, fmt.Errorf("object %v: %w", o.ID, err)
		}
		o.Attributes = append(o.Attributes, a)
	}
	return o, b, nil
}

func readAttribute(b []byte) (a Attribute, rest []byte, err error) {
	if len(b) < attributeHead {
		return Attribute{}, nil, fmt.Errorf("%w: attribute cut short", ErrForm)
	}
	a.Type, a.Kind = AttributeType(binary.BigEndian.Uint32(b)), Kind(b[4])
	b = b[attributeHead:]
	switch a.Kind {
	case KindString:
		a.Value, b, err = field(b)
	case KindInteger:
		if len(b) < 4 {
			return Attribute{}, nil, fmt.Errorf("%w: integer cut short", ErrForm)
		}
		a.Integer, b = binary.BigEndian.Uint32(b), b[4:]
	case KindFalse, KindTrue:
	default:
		err = fmt.Errorf("%w: attribute %X of kind %d", ErrForm, uint32(a.Type), a.Kind)
	}
	return a, b, err
}

// field reads bytes behind a length of 2 bytes.
func field(b []byte) (value, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, fmt.Errorf("%w: length cut short", ErrForm)
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return nil, nil, fmt.Errorf("%w: value of %d bytes goes past the end", ErrForm, n)
	}
	return b[2 : 2+n : 2+n], b[2+n:], nil
}

// readObjects reads objects to the end. No id may occur twice.
func readObjects(b []byte) ([]Object, error) {
	var out []Object
	seen := map[coolkey.ObjectID]bool{}
	for len(b) > 0 {
		if len(out) == MaxObjects {
			return nil, fmt.Errorf("%w: more than %d objects", ErrTooLarge, MaxObjects)
		}
		o, rest, err := readObject(b)
		if err != nil {
			return nil, err
		}
		if seen[o.ID] {
			return nil, fmt.Errorf("%w: object %v twice", ErrForm, o.ID)
		}
		seen[o.ID] = true
		out, b = append(out, o), rest
	}
	return out, nil
}
