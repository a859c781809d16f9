package content

import (
	"bytes"
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/keys"
)

// Content is all that a token tells about its certificates and keys. The separate form has no room
// for CUID, version and token name.
type Content struct {
	CUID keys.CUID
	// Version is what readers tell one state of a token from the next by: it must change with every
	// change of the content, or they show what they remember.
	Version   uint16
	TokenName string // UTF-8, at most MaxTokenName bytes
	// Certificates and Keys are in the order in which readers find them.
	Certificates []Certificate
	Keys         []Key
	// Others are objects that are neither; they are kept as they are.
	Others []Object
}

// Certificate is a certificate on a token. DER is in no way verified.
type Certificate struct {
	Container int
	Fixed     Fixed
	Label     string
	DER       []byte
	Extra     []Attribute // explicit attributes beyond these
}

// KeyType is a CKA_KEY_TYPE (PKCS #11 2.40 Base §A).
type KeyType uint32

// Key types.
const (
	RSA KeyType = 0
	EC  KeyType = 3
)

// String names the type.
func (t KeyType) String() string {
	switch t {
	case RSA:
		return "RSA"
	case EC:
		return "EC"
	default:
		return fmt.Sprintf("key type %d", uint32(t))
	}
}

// Key tells about one half of a key pair in a slot of the applet. What it holds is public.
type Key struct {
	Slot  int
	Fixed Fixed
	Type  KeyType
	// ECParams is the curve's object identifier in DER, ECPoint the uncompressed point without
	// anything around it; an EC private key has no point.
	ECParams, ECPoint []byte
	// Modulus and PublicExponent are big endian. A combined object leaves them to the certificate.
	Modulus, PublicExponent []byte
	Extra                   []Attribute // explicit attributes beyond these
}

// Certificate gives the first certificate with this CKA_ID.
func (c Content) Certificate(id int) (Certificate, bool) {
	for _, cert := range c.Certificates {
		if cert.Fixed.ID() == id {
			return cert, true
		}
	}
	return Certificate{}, false
}

// Pairs lists the slots of key pairs of which both halves are there and have a certificate, in the
// order of the certificates: what CLEAR KEY SLOTS is told to keep.
func (c Content) Pairs() []coolkey.SlotPair {
	var out []coolkey.SlotPair
	for _, cert := range c.Certificates {
		private, public := -1, -1
		for _, k := range c.Keys {
			switch {
			case k.Fixed.ID() != cert.Fixed.ID():
			case k.Fixed.Class() == ClassPrivateKey && private < 0:
				private = k.Slot
			case k.Fixed.Class() == ClassPublicKey && public < 0:
				public = k.Slot
			}
		}
		if private >= 0 && public >= 0 {
			out = append(out, coolkey.SlotPair{Private: byte(private), Public: byte(public)})
		}
	}
	return out
}

// check refuses what no form can hold.
func (c Content) check() error {
	if len(c.TokenName) > MaxTokenName {
		return fmt.Errorf("%w: token name of %d bytes, at most %d", ErrTooLarge, len(c.TokenName),
			MaxTokenName)
	}
	for _, cert := range c.Certificates {
		if err := checkContainer(cert.Container); err != nil {
			return err
		}
		if cert.Fixed.Class() != ClassCertificate {
			return fmt.Errorf("%w: container %d: certificate of class %v", ErrValue, cert.Container,
				cert.Fixed.Class())
		}
	}
	for _, k := range c.Keys {
		if err := checkSlot(k.Slot); err != nil {
			return err
		}
		if class := k.Fixed.Class(); class != ClassPublicKey && class != ClassPrivateKey {
			return fmt.Errorf("%w: slot %d: key of class %v", ErrValue, k.Slot, class)
		}
	}
	return nil
}

// sorted gives the keys in the order of the combined form: behind each certificate its public and
// then its private keys; keys without a certificate at the end.
func (c Content) sorted() (of [][]Key, rest []Key) {
	taken := make([]bool, len(c.Keys))
	take := func(want func(Key) bool) (out []Key) {
		for i, k := range c.Keys {
			if !taken[i] && want(k) {
				out, taken[i] = append(out, k), true
			}
		}
		return out
	}
	for _, cert := range c.Certificates {
		var keys []Key
		for _, class := range []Class{ClassPublicKey, ClassPrivateKey} {
			keys = append(keys, take(func(k Key) bool {
				return k.Fixed.ID() == cert.Fixed.ID() && k.Fixed.Class() == class
			})...)
		}
		of = append(of, keys)
	}
	return of, take(func(Key) bool { return true })
}

// objects gives the objects of the combined form, without a filler.
func (c Content) objects() []Object {
	var out []Object
	of, rest := c.sorted()
	for i, cert := range c.Certificates {
		out = append(out, cert.object())
		for _, k := range of[i] {
			out = append(out, k.object())
		}
	}
	for _, k := range rest {
		out = append(out, k.object())
	}
	return append(out, c.Others...)
}

func text(t AttributeType, v []byte) Attribute { return Attribute{Type: t, Value: v} }

func (c Certificate) object() Object {
	return Object{ID: name(letterCertificate, c.Container), Fixed: c.Fixed, Attributes: append(
		[]Attribute{text(AttrLabel, []byte(c.Label)), text(AttrValue, c.DER)}, c.Extra...)}
}

func (k Key) object() Object {
	attrs := []Attribute{{Type: AttrKeyType, Kind: KindInteger, Integer: uint32(k.Type)}}
	for _, a := range []Attribute{
		text(AttrECParams, k.ECParams), text(AttrECPoint, k.ECPoint),
		text(AttrModulus, k.Modulus), text(AttrPublicExponent, k.PublicExponent),
	} {
		if len(a.Value) > 0 {
			attrs = append(attrs, a)
		}
	}
	return Object{
		ID: name(letterKey, k.Slot), Fixed: k.Fixed, Attributes: append(attrs, k.Extra...),
	}
}

// take puts an object where it belongs. What looks like a certificate or key and is none goes to
// Others.
func (c *Content) take(o Object) {
	letter, index, ok := parseName(o.ID)
	switch {
	case !ok:
	case letter == letterCertificate && index < MaxContainers && o.Fixed.Class() == ClassCertificate:
		if cert, ok := certificateOf(o, index); ok {
			c.Certificates = append(c.Certificates, cert)
			return
		}
	case letter == letterKey && index < coolkey.MaxKeys &&
		(o.Fixed.Class() == ClassPublicKey || o.Fixed.Class() == ClassPrivateKey):
		c.Keys = append(c.Keys, keyOf(o, index))
		return
	case o.isFiller():
		return
	}
	c.Others = append(c.Others, o)
}

// certificateOf reads the attributes of a certificate, which must have a value.
func certificateOf(o Object, index int) (Certificate, bool) {
	cert := Certificate{Container: index, Fixed: o.Fixed}
	label, value := false, false
	for _, a := range o.Attributes {
		switch {
		case a.Type == AttrLabel && a.Kind == KindString && !label:
			cert.Label, label = string(a.Value), true
		case a.Type == AttrValue && a.Kind == KindString && !value:
			cert.DER, value = a.Value, true
		default:
			cert.Extra = append(cert.Extra, a)
		}
	}
	return cert, value
}

// keyOf reads the attributes of a key. Old writers leave the type out when it is RSA.
func keyOf(o Object, index int) Key {
	k := Key{Slot: index, Fixed: o.Fixed}
	typed := false
	for _, a := range o.Attributes {
		if a.Type == AttrKeyType && a.Kind == KindInteger && !typed {
			k.Type, typed = KeyType(a.Integer), true
			continue
		}
		if p := k.part(a.Type); p != nil && a.Kind == KindString && len(a.Value) > 0 && len(*p) == 0 {
			*p = a.Value
			continue
		}
		k.Extra = append(k.Extra, a)
	}
	return k
}

// part gives the field that an attribute fills.
func (k *Key) part(t AttributeType) *[]byte {
	switch t {
	case AttrECParams:
		return &k.ECParams
	case AttrECPoint:
		return &k.ECPoint
	case AttrModulus:
		return &k.Modulus
	case AttrPublicExponent:
		return &k.PublicExponent
	default:
		return nil
	}
}

// filler is an object that makes a content as long as readers want it; none of them shows it, since
// none knows its letter. Its value are zero bytes.
func filler(index, n int) Object {
	return Object{
		ID: name(letterFiller, index), Fixed: NewFixed(ClassData, 0, Token),
		Attributes: []Attribute{text(AttrValue, make([]byte, n))},
	}
}

func (o Object) isFiller() bool {
	letter, index, ok := parseName(o.ID)
	return ok && letter == letterFiller && o.Fixed == filler(index, 0).Fixed &&
		len(o.Attributes) == 1 && o.Attributes[0].Type == AttrValue &&
		o.Attributes[0].Kind == KindString && len(bytes.Trim(o.Attributes[0].Value, "\x00")) == 0
}

// addFiller adds a filler that makes up for missing bytes, under a name that is free.
func addFiller(objects []Object, missing int) []Object {
	taken := map[coolkey.ObjectID]bool{}
	for _, o := range objects {
		taken[o.ID] = true
	}
	index := 0
	for index < len(indexes)-1 && taken[name(letterFiller, index)] {
		index++
	}
	return append(objects, filler(index, max(0, missing-len(filler(index, 0).append(nil)))))
}
