package slots

import (
	"encoding/binary"
	"fmt"

	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
)

// Raw is a raw RSA operation: what it makes of src goes to dst, which has the length of the modulus.
type Raw interface {
	Apply(dst, src []byte) error
}

// RSA gives the operation of a ready RSA slot: raising to the public or the private exponent.
func (t *Table) RSA(n byte) (Raw, bool) {
	switch k := t.keys[n]; {
	case k.private != nil:
		return k.private, true
	case k.public != nil:
		return k.public, true
	}
	return nil, false
}

// EC gives the private key of a ready slot that holds one on a curve.
func (t *Table) EC(n byte) (*pubkey.EC, bool) {
	k := t.keys[n].ec
	return k, k != nil
}

// SetPublic puts an RSA public key into a built slot. It gives pubkey.ErrNumber, and leaves the slot
// as it is, for numbers that no platform takes.
func (t *Table) SetPublic(n byte, modulus, exponent []byte) error {
	return t.set(n, lang.KeyRSAPublic, modulus, exponent)
}

// SetPrivate puts an RSA private key into a built slot, as SetPublic does.
func (t *Table) SetPrivate(n byte, k pubkey.RSANumbers) error {
	return t.set(n, lang.KeyRSAPrivateCRT, k.P, k.Q, k.QInv, k.DP, k.DQ)
}

// SetECPublic puts a point into a built slot, as SetPublic does.
func (t *Table) SetECPublic(n byte, point []byte) error { return t.set(n, lang.KeyECCPublic, point) }

// SetECPrivate puts a scalar into a built slot, as SetPublic does.
func (t *Table) SetECPrivate(n byte, scalar []byte) error {
	return t.set(n, KeyECCPrivate, scalar)
}

func (t *Table) set(n byte, kind lang.KeyType, numbers ...[]byte) error {
	var b []byte
	for _, v := range numbers {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
	}
	s := &t.Slots[n]
	k, err := parse(kind, int(s.Bits), b)
	if err != nil {
		return err
	}
	s.Ready, s.Type = 1, kind
	t.numbers[n], t.changed[n], t.keys[n] = b, true, k
	return nil
}

// parts is how many numbers a key of each type has.
var parts = map[lang.KeyType]int{
	lang.KeyRSAPublic: 2, lang.KeyRSAPrivateCRT: 5, lang.KeyECCPublic: 1, KeyECCPrivate: 1,
}

// parse makes a key of its numbers, each behind a length in two bytes.
func parse(kind lang.KeyType, bits int, b []byte) (k key, err error) {
	var v [5][]byte
	count := parts[kind]
	for i := range count {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return key{}, fmt.Errorf("key cut short: %w", pubkey.ErrNumber)
		}
		size := int(binary.BigEndian.Uint16(b))
		v[i], b = b[2:2+size], b[2+size:]
	}
	if len(b) > 0 || count == 0 {
		return key{}, fmt.Errorf("%v: %w", kind, pubkey.ErrNumber)
	}
	switch kind {
	case lang.KeyRSAPublic:
		k.public, err = pubkey.NewRSAPublic(v[0], v[1])
	case lang.KeyRSAPrivateCRT:
		k.private, err = pubkey.NewRSAPrivate(pubkey.RSANumbers{
			P: v[0], Q: v[1], QInv: v[2], DP: v[3], DQ: v[4],
		})
	case lang.KeyECCPublic:
		err = pubkey.CheckPoint(bits, v[0])
	case KeyECCPrivate:
		k.ec, err = pubkey.NewEC(bits, v[0])
	}
	return k, err
}
