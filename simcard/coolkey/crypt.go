package coolkey

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"

	"tokenwright/simcard/coolkey/slots"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// cipher is the state of a slot's cipher object.
type cipher struct {
	direction byte
	ready     bool // initialised since the card has power
	key       byte // slot of the key with which it was initialised
}

// maxAPDU is how many bytes the applet answers at most.
const maxAPDU = 255

// Modes of COMPUTE CRYPT. Padding is the host's business.
const (
	modeRaw   = 0
	modePKCS1 = 1
)

// computeCrypt does a raw RSA operation with the key of a slot.
func (a *instance) computeCrypt(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	n, op := cmd.P1, lang.CryptOp(cmd.P2)
	switch {
	case !a.keys.Has(n):
		return nil, apdu.SW9C10
	case !a.keys.Slots[n].ACL.Use.Grants(a.who):
		return nil, apdu.SW9C06
	case op < lang.CryptInit || op > lang.CryptOneStep:
		return nil, apdu.SW9C11
	}
	if op == lang.CryptInit || op == lang.CryptOneStep {
		if err := a.cryptInit(n, op, data); err != nil || op == lang.CryptInit {
			return nil, err
		}
		data = data[2:] // The location byte is read once more.
	}
	return a.cryptFinal(n, op, data)
}

// cryptInit prepares the slot's cipher. The direction is remembered even if it is refused.
func (a *instance) cryptInit(n byte, op lang.CryptOp, data []byte) error {
	if len(data) < 3 {
		return apdu.SW6700
	}
	mode, direction := data[0], data[1]
	size, _, err := a.payload(data[2], data[3:])
	if err != nil {
		return err
	}
	a.ciphers[n].direction = direction
	if err := checkDirection(direction); err != nil {
		return err
	}
	s := &a.keys.Slots[n]
	switch {
	case op == lang.CryptInit && size != 0:
		return apdu.SW9C19
	case int(s.Bits) > a.version.maxRSA():
		return apdu.SW9C1A
	case s.Type != lang.KeyRSAPublic && s.Type != lang.KeyRSAPrivateCRT:
		return apdu.SW9C17
	case mode == modePKCS1:
		return apdu.SW9C1B
	case mode != modeRaw:
		return apdu.SW9C1C
	}
	s.Cipher = 1
	if s.Ready == 0 {
		return apdu.SW6F00
	}
	a.ciphers[n].ready, a.ciphers[n].key = true, n
	return nil
}

func checkDirection(d byte) error {
	switch d {
	case lang.DirectionSign, lang.DirectionVerify:
		return apdu.SW9C13
	case lang.DirectionEncrypt, lang.DirectionDecrypt:
		return nil
	}
	return apdu.SW9C14
}

// cryptFinal takes input and gives the result, back or into the I/O object.
func (a *instance) cryptFinal(n byte, op lang.CryptOp, data []byte) ([]byte, error) {
	s, c := &a.keys.Slots[n], &a.ciphers[n]
	if err := checkDirection(c.direction); err != nil {
		return nil, err
	}
	switch {
	case s.Cipher == 0:
		return nil, apdu.SW9C10
	case len(data) < 1:
		return nil, apdu.SW6700
	}
	location, modulus := data[0], int(s.Bits)/8
	size, input, err := a.payload(location, data[1:])
	if err != nil {
		return nil, err
	}
	room := maxAPDU
	if location == lang.LocationBuffer {
		room = a.room()
	}
	switch {
	case size < 0:
		return nil, apdu.SW9C19
	case op == lang.CryptProcess:
		return nil, apdu.SW9C17
	case int(s.Bits) > a.version.maxRSA():
		return nil, apdu.SW9C1A
	case size != modulus:
		return nil, apdu.SW9C19
	case 2+modulus > room:
		return nil, apdu.SW9C1D
	}
	out := make([]byte, 2+modulus)
	binary.BigEndian.PutUint16(out, uint16(modulus))
	if err := a.raw(n, out[2:], input); err != nil {
		return nil, err
	}
	if location == lang.LocationAPDU {
		return out, nil
	}
	a.putIO(out[2:])
	return nil, nil
}

// room is how long a result in the I/O object may be, with its length: that of RSA-2048, and as long
// as the object itself in builds with larger keys.
func (a *instance) room() int {
	if a.version.hasAES() {
		return len(a.buffered())
	}
	return 2 + 256
}

// raw puts the result of the operation with the cipher's key into out. What a private key makes of
// an input to be encrypted is checked with the mate.
func (a *instance) raw(n byte, out, input []byte) error {
	s, c := &a.keys.Slots[n], &a.ciphers[n]
	if !c.ready || !a.keys.IsReady(c.key) {
		return apdu.SW6F00
	}
	k, ok := a.keys.RSA(c.key)
	if !ok || k.Apply(out, input) != nil {
		return apdu.SW6F00 // The platform's cipher throws.
	}
	checked := s.Type == lang.KeyRSAPrivateCRT && c.direction == lang.DirectionEncrypt &&
		(!a.version.hasAES() || s.Bits <= maxChecked)
	if !checked {
		return nil
	}
	return a.selfCheck(n, out, input)
}

// selfCheck compares what the mate's key makes of a result with the input, by digest, in scratch
// places of the I/O buffer. It leaves the cipher initialised with the mate's key.
func (a *instance) selfCheck(n byte, result, input []byte) error {
	const uninitialised = apdu.SW(0x0002) // CryptoException.UNINITIALIZED_KEY
	mate := a.keys.Slots[n].Mate
	if !a.keys.Has(mate) {
		return apdu.SW6F00
	}
	if !a.keys.IsReady(mate) {
		if a.version.hasAES() {
			return uninitialised
		}
		return apdu.SW6F00
	}
	k, ok := a.publicKey(mate)
	if !ok {
		return apdu.SW6F00
	}
	a.ciphers[n].key = mate
	if int(a.keys.Slots[mate].Bits)/8 != len(result) {
		return apdu.SW9CFF
	}
	at := a.version.scratch()
	check := a.io[at.check : at.check+len(result)]
	first := sha1.Sum(input)
	copy(a.io[at.first:], first[:])
	if k.Apply(check, result) != nil {
		return apdu.SW6F00
	}
	second := sha1.Sum(check)
	copy(a.io[at.second:], second[:])
	if !bytes.Equal(first[:], second[:]) {
		return apdu.SW9C0B
	}
	return nil
}

// publicKey gives the operation of a slot with an RSA public key.
func (a *instance) publicKey(n byte) (slots.Raw, bool) {
	if a.keys.Slots[n].Type != lang.KeyRSAPublic {
		return nil, false
	}
	return a.keys.RSA(n)
}
