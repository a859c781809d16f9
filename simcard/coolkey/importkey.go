package coolkey

import (
	"encoding/binary"

	"tokenwright/simcard/coolkey/keyblob"
	"tokenwright/simcard/coolkey/slots"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// source is where a key blob lies: an object or the I/O object, with whoever may read and write it.
type source struct {
	data        []byte
	read, write lang.ACL
	io          bool
}

// source gives 9C07 for an object that does not exist.
func (a *instance) source(id lang.ObjectID) (source, error) {
	if id.IsIO() {
		return source{data: a.buffered(), read: lang.ACLAnyone, write: lang.ACLAnyone, io: true}, nil
	}
	o, ok := a.heap.Find(id)
	if !ok {
		return source{}, apdu.SW9C07
	}
	return source{data: o.Data(), read: o.Read(), write: o.Write()}, nil
}

// keyACLLen is the length in bytes of a key's access conditions.
const keyACLLen = 6

func keyACL(b []byte) lang.KeyACL {
	return lang.KeyACL{
		Read: lang.ACL(binary.BigEndian.Uint16(b)), Write: lang.ACL(binary.BigEndian.Uint16(b[2:])),
		Use: lang.ACL(binary.BigEndian.Uint16(b[4:])),
	}
}

// importKey takes a plain key from an object. The applet does not check the length of its data: what
// did not come is what its buffer holds behind. Builds that know AES do nothing.
func (a *instance) importKey(cmd apdu.Command, _ int, _ []byte) ([]byte, error) {
	if a.version.hasAES() {
		return nil, nil
	}
	n := cmd.P1
	if n >= slots.Count {
		return nil, apdu.SW9C10
	}
	if err := a.mayReplace(n); err != nil {
		return nil, err
	}
	var buffer [256 + 4 + 2*keyACLLen]byte
	copy(buffer[:], cmd.Data)
	from, err := a.source(lang.ObjectID(binary.BigEndian.Uint32(buffer[:])))
	switch {
	case err != nil:
		return nil, err
	case !from.io && !from.read.Grants(a.who):
		return nil, apdu.SW9C06
	}
	blob, err := keyblob.Parse(from.data)
	if err != nil {
		return nil, err
	}
	if blob.Encoding != keyblob.Plain {
		return nil, apdu.SW9C05
	}
	mate := cmd.P2
	pair := blob.Type == lang.KeyPKCS8Pair
	if pair {
		if mate >= slots.Count {
			return nil, apdu.SW6F00
		}
		if err := a.mayReplace(mate); err != nil {
			return nil, err
		}
		if err := a.keys.Mates(n, mate); err != nil {
			return nil, err
		}
	}
	if err := a.take(blob, n, mate); err != nil {
		return nil, err
	}
	a.keys.Slots[n].ACL = keyACL(buffer[4:])
	if pair {
		a.keys.Slots[mate].ACL = keyACL(buffer[4+keyACLLen:])
	}
	clear(from.data)
	return nil, nil
}

// take puts the key of a plain blob into its slot, and the public half of a pair into that of the
// mate, which become mates of each other.
func (a *instance) take(blob keyblob.Blob, n, mate byte) error {
	if err := keyblob.Supported(blob.Type); err != nil {
		return err
	}
	switch blob.Type {
	case lang.KeyRSAPublic:
		return a.takePublic(blob, n)
	case lang.KeyRSAPrivateCRT:
		return a.takePrivate(blob, n)
	}
	return a.takePair(blob, n, mate)
}

func (a *instance) takePublic(blob keyblob.Blob, n byte) error {
	if err := a.build(n, lang.KeyRSAPublic, blob.Bits, a.legalRSA(blob.Bits)); err != nil {
		return err
	}
	modulus, exponent, err := blob.Public()
	if err != nil {
		return err
	}
	return platform(a.keys.SetPublic(n, modulus, exponent))
}

func (a *instance) takePrivate(blob keyblob.Blob, n byte) error {
	if err := a.build(n, lang.KeyRSAPrivateCRT, blob.Bits, a.legalRSA(blob.Bits)); err != nil {
		return err
	}
	numbers, err := blob.Private()
	if err != nil {
		return err
	}
	return platform(a.keys.SetPrivate(n, numbers))
}

func (a *instance) takePair(blob keyblob.Blob, private, public byte) error {
	legal := a.legalRSA(blob.Bits)
	if err := a.build(private, lang.KeyRSAPrivateCRT, blob.Bits, legal); err != nil {
		return err
	}
	if err := a.build(public, lang.KeyRSAPublic, blob.Bits, legal); err != nil {
		return err
	}
	numbers, err := keyblob.PKCS8(blob.Data)
	if err != nil {
		return err
	}
	if err := platform(a.keys.SetPublic(public, numbers.Modulus, numbers.Exponent)); err != nil {
		return err
	}
	if err := platform(a.keys.SetPrivate(private, numbers)); err != nil {
		return err
	}
	a.setMates(private, public)
	return nil
}

// platform turns numbers that no key object takes into an internal error.
func platform(err error) error {
	if err != nil {
		return apdu.SW6F00
	}
	return nil
}
