package content

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"tokenwright/tms/coolkey"
)

const attrToken AttributeType = 0x001

// integerLen is the length of an integer in records, in bytes.
const integerLen = 4

// ParseSeparate reads separate objects. Objects with other names than the form has are passed over,
// but for data objects, d<n>, which go to Others. A key belongs to the certificate that has its
// CKA_ID; where none has, to the container that its slot stands for. Slices of the result alias the
// objects' data.
func ParseSeparate(stored []Stored) (Content, error) {
	if len(stored) > MaxObjects {
		return Content{}, fmt.Errorf("%w: %d objects, at most %d", ErrTooLarge, len(stored), MaxObjects)
	}
	r := reader{raw: map[int][]byte{}, ids: map[int][]byte{}}
	seen := map[coolkey.ObjectID]bool{}
	for _, s := range stored {
		if seen[s.ID] {
			return Content{}, fmt.Errorf("%w: object %v twice", ErrForm, s.ID)
		}
		seen[s.ID] = true
		if err := r.take(s); err != nil {
			return Content{}, fmt.Errorf("object %v: %w", s.ID, err)
		}
	}
	return r.content()
}

// reader collects separate objects until those that belong together can be joined.
type reader struct {
	raw          map[int][]byte // bare certificates by container
	ids          map[int][]byte // CKA_ID by container
	certificates []Object
	keys         []Object
	others       []Object
}

func (r *reader) take(s Stored) error {
	letter, index, ok := parseName(s.ID)
	if !ok {
		return nil
	}
	switch letter {
	case letterRaw:
		r.raw[index] = s.Data
		return nil
	case letterCertificate, letterKey, 'd':
	default:
		return nil
	}
	o, err := readRecord(s)
	switch {
	case err != nil:
		return err
	case letter == letterCertificate:
		r.certificates = append(r.certificates, o)
		return checkContainer(index)
	case letter == letterKey:
		r.keys = append(r.keys, o)
		return checkSlot(index)
	}
	r.others = append(r.others, o)
	return nil
}

func (r *reader) content() (Content, error) {
	var c Content
	for _, o := range r.certificates {
		_, index, _ := parseName(o.ID)
		var id []byte
		o, id = o.settle(ClassCertificate, index)
		if id != nil {
			r.ids[index] = id
		}
		cert, whole := certificateOf(o, index)
		if raw, ok := r.raw[index]; ok && !whole {
			cert.DER, whole = raw, true
		}
		if !whole {
			return Content{}, fmt.Errorf("%w: object %v: no certificate goes with it", ErrForm, o.ID)
		}
		if cert.Fixed.Class() != ClassCertificate {
			return Content{}, fmt.Errorf("%w: object %v of class %v", ErrForm, o.ID, cert.Fixed.Class())
		}
		c.Certificates = append(c.Certificates, cert)
	}
	for _, o := range r.keys {
		_, index, _ := parseName(o.ID)
		o, id := o.settle(ClassPublicKey, index/2)
		if cert, ok := r.owner(c, id, index/2); ok {
			o.Fixed = NewFixed(o.Fixed.Class(), cert.Fixed.ID(), o.Fixed.Flags())
		}
		k := keyOf(o, index)
		if class := k.Fixed.Class(); class != ClassPublicKey && class != ClassPrivateKey {
			return Content{}, fmt.Errorf("%w: object %v of class %v", ErrForm, o.ID, class)
		}
		c.Keys = append(c.Keys, k)
	}
	c.Others = r.others
	return c, nil
}

// owner finds the certificate with a CKA_ID, first in the usual container: several certificates may
// be for one key.
func (r *reader) owner(c Content, id []byte, usual int) (found Certificate, ok bool) {
	for _, cert := range c.Certificates {
		if id != nil && bytes.Equal(r.ids[cert.Container], id) && (!ok || cert.Container == usual) {
			found, ok = cert, true
		}
	}
	return found, ok
}

// readRecord reads a record of either version.
func readRecord(s Stored) (Object, error) {
	if len(s.Data) == 0 {
		return Object{}, fmt.Errorf("%w: empty", ErrForm)
	}
	switch s.Data[0] {
	case recordNew:
		o, rest, err := readObject(s.Data[1:])
		if err == nil && (len(rest) != 0 || o.ID != s.ID) {
			err = fmt.Errorf("%w: record of %v, %d bytes behind it", ErrForm, o.ID, len(rest))
		}
		return o, err
	case recordOld:
		return readOld(s)
	default:
		return Object{}, fmt.Errorf("%w: record version %d", ErrForm, s.Data[0])
	}
}

func readOld(s Stored) (Object, error) {
	b := s.Data
	if len(b) < recordHead {
		return Object{}, fmt.Errorf("%w: record of %d bytes", ErrForm, len(b))
	}
	o := Object{ID: coolkey.ObjectID(binary.BigEndian.Uint32(b[1:]))}
	n := int(binary.BigEndian.Uint16(b[5:]))
	b = b[recordHead:]
	if o.ID != s.ID || n != len(b) {
		return Object{}, fmt.Errorf("%w: record of %v states %d bytes of attributes and has %d", ErrForm,
			o.ID, n, len(b))
	}
	for len(b) > 0 {
		if len(b) < 4 {
			return Object{}, fmt.Errorf("%w: attribute cut short", ErrForm)
		}
		a := Attribute{Type: AttributeType(binary.BigEndian.Uint32(b))}
		var err error
		if a.Value, b, err = field(b[4:]); err != nil {
			return Object{}, err
		}
		o.Attributes = append(o.Attributes, typed(a))
	}
	return o, nil
}

// typed gives an attribute of an old record its kind. Integers are little endian as TPSs write them;
// one that makes sense in the other order alone is taken in that.
func typed(a Attribute) Attribute {
	switch a.Type {
	case AttrClass, AttrKeyType, AttrCertificateType:
		if len(a.Value) != integerLen {
			return a
		}
		const largest = 0xFF // of the values that there are
		n := binary.LittleEndian.Uint32(a.Value)
		if big := binary.BigEndian.Uint32(a.Value); n > largest && big <= largest {
			n = big
		}
		return integer(a.Type, n)
	}
	for _, b := range booleans {
		if b.cka == a.Type && len(a.Value) == 1 && a.Value[0] <= 1 {
			return boolean(a.Type, a.Value[0] == 1)
		}
	}
	return a
}

// settle moves the attributes that the combined form keeps in the word of fixed attributes there,
// and takes the CKA_ID out. An object that states no class gets the usual one, or what its word
// says.
func (o Object) settle(usual Class, id int) (Object, []byte) {
	class, flags := o.Fixed.Class(), o.Fixed.Flags()
	if class == ClassData {
		class = usual
	}
	var cka []byte
	rest := o.Attributes[:0:0]
	for _, a := range o.Attributes {
		flag := flagOf(a.Type)
		switch {
		case a.Type == AttrClass && a.Kind == KindInteger && a.Integer <= uint32(ClassSecretKey):
			class = Class(a.Integer)
		case a.Type == AttrID && a.Kind == KindString:
			cka = a.Value
		case a.Type == AttrCertificateType && a.Kind == KindInteger && a.Integer == 0:
		case flag != 0 && a.Kind == KindTrue:
			flags |= flag
		case flag != 0 && a.Kind == KindFalse:
			flags &^= flag
		default:
			rest = append(rest, a)
		}
	}
	o.Fixed, o.Attributes = NewFixed(class, id, flags), rest
	return o, cka
}

func flagOf(t AttributeType) Fixed {
	for _, b := range booleans {
		if b.cka == t {
			return b.flag
		}
	}
	return 0
}
