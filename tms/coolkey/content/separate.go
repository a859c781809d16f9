package content

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"fmt"

	"tokenwright/tms/coolkey"
)

// Stored is an object on a token and what is in it.
type Stored struct {
	ID   coolkey.ObjectID
	Data []byte
}

// Records of the separate form begin with one of these.
const (
	recordOld = 0 // attributes without kinds, integers little endian
	recordNew = 1 // an object as in the combined form
)

// recordHead is the length of what stands before the attributes of an old record.
const recordHead = 1 + 4 + 2

// Separate prints the content as separate objects: for each certificate a bare one, C<n>, and its
// attributes, c<n>; for each key its attributes, k<n>. CKA_ID becomes the SHA-1 hash of the subject's
// public key, so every key must have a certificate in its container, in DER that parses. CUID,
// version and token name are lost, and so is whatever an Extra or Others holds that is in this form
// an attribute of its own.
func (c Content) Separate() ([]Stored, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if n := 2*len(c.Certificates) + len(c.Keys) + len(c.Others); n > MaxObjects {
		return nil, fmt.Errorf("%w: %d objects, at most %d", ErrTooLarge, n, MaxObjects)
	}
	out, err := c.separateCertificates()
	if err != nil {
		return nil, err
	}
	for _, o := range c.Others {
		s, err := record(o.ID, o.Attributes)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// separateCertificates prints certificates, each with its keys.
func (c Content) separateCertificates() ([]Stored, error) {
	var out []Stored
	of, rest := c.sorted()
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: the key in slot %d has no certificate", ErrValue, rest[0].Slot)
	}
	for i, cert := range c.Certificates {
		parsed, err := x509.ParseCertificate(cert.DER)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrValue, cert.Container, err)
		}
		id := sha1.Sum(parsed.RawSubjectPublicKeyInfo)
		s, err := record(name(letterCertificate, cert.Container), cert.separate(id[:]))
		if err != nil {
			return nil, err
		}
		out = append(out, Stored{ID: name(letterRaw, cert.Container), Data: cert.DER}, s)
		for _, k := range of[i] {
			if err := k.fill(parsed.PublicKey); err != nil {
				return nil, fmt.Errorf("key slot %d: %w", k.Slot, err)
			}
			if s, err = record(name(letterKey, k.Slot), k.separate(id[:])); err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// record prints an old record.
func record(id coolkey.ObjectID, attributes []Attribute) (Stored, error) {
	var b []byte
	for _, a := range attributes {
		v := a.Value
		switch a.Kind {
		case KindInteger:
			v = binary.LittleEndian.AppendUint32(nil, a.Integer)
		case KindFalse:
			v = []byte{0}
		case KindTrue:
			v = []byte{1}
		}
		if len(v) > 0xFFFF {
			return Stored{}, fmt.Errorf("%w: object %v: attribute %X of %d bytes", ErrTooLarge, id,
				uint32(a.Type), len(v))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(a.Type))
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
	}
	if recordHead+len(b) > MaxCombined {
		return Stored{}, fmt.Errorf("%w: object %v of %d bytes, at most %d", ErrTooLarge, id,
			recordHead+len(b), MaxCombined)
	}
	head := binary.BigEndian.AppendUint32([]byte{recordOld}, uint32(id))
	head = binary.BigEndian.AppendUint16(head, uint16(len(b)))
	return Stored{ID: id, Data: append(head, b...)}, nil
}

func integer(t AttributeType, n uint32) Attribute {
	return Attribute{Type: t, Kind: KindInteger, Integer: n}
}

func boolean(t AttributeType, set bool) Attribute {
	if set {
		return Attribute{Type: t, Kind: KindTrue}
	}
	return Attribute{Type: t, Kind: KindFalse}
}

func (c Certificate) separate(id []byte) []Attribute {
	const x509Certificate = 0 // CKC_X_509
	return append([]Attribute{
		text(AttrLabel, []byte(c.Label)), text(AttrID, id),
		integer(AttrCertificateType, x509Certificate), integer(AttrClass, uint32(ClassCertificate)),
		boolean(attrToken, c.Fixed&Token != 0),
	}, c.Extra...)
}

// separate gives the attributes of a key in the order in which TPSs write them.
func (k Key) separate(id []byte) []Attribute {
	var out []Attribute
	private := k.Fixed.Class() == ClassPrivateKey
	if k.Type == RSA {
		if !private {
			out = append(out, text(AttrPublicExponent, k.PublicExponent))
		}
		out = append(out, text(AttrModulus, k.Modulus))
	}
	if private || k.Type != RSA {
		out = append(out, integer(AttrKeyType, uint32(k.Type)))
	}
	if k.Type == EC {
		out = append(out, text(AttrECParams, k.ECParams))
		if !private {
			out = append(out, text(AttrECPoint, k.ECPoint))
		}
	}
	if private {
		out = append(out, integer(AttrClass, uint32(ClassPrivateKey)), text(AttrID, id))
	} else {
		out = append(out, text(AttrID, id), integer(AttrClass, uint32(ClassPublicKey)))
	}
	for _, b := range booleans[:separateBooleans] {
		out = append(out, boolean(b.cka, k.Fixed&b.flag != 0))
	}
	return append(out, k.Extra...)
}
