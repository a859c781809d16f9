package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// Instructions that bring a key pair onto the token.
const (
	INSImportEncryptedKey = 0x0A
	INSStartEnrollment    = 0x0C
	INSStartEnrollmentECC = 0x0D
)

// Owner is the upper half of P1: who may use the private key. 0 to 7 are PINs.
type Owner byte

// OwnerAnyone lets anybody use the private key.
const OwnerAnyone Owner = 0x0F

// PairAddress is P1 and P2 of the commands that bring a key pair onto the token: owner and private
// slot, usage and public slot, four bits each. All zero stands for slots 0 and 1, usable by anyone.
type PairAddress struct {
	Owner   Owner
	Private byte
	Usage   byte
	Public  byte
}

func (a PairAddress) params() (p1, p2 byte) {
	return byte(a.Owner)<<4 | a.Private&0x0F, a.Usage<<4 | a.Public&0x0F
}

func pairAddress(c apdu.Command) PairAddress {
	return PairAddress{
		Owner: Owner(c.P1 >> 4), Private: c.P1 & 0x0F, Usage: c.P2 >> 4, Public: c.P2 & 0x0F,
	}
}

// Algorithms of StartEnrollment and ImportEncryptedKey.
const (
	AlgorithmDES    = 0x80
	AlgorithmDESKCV = 0x81 // with a key check value
	AlgorithmAESKWP = 0x88 // the private key in RFC 5649 wrapping
	AlgorithmAESCBC = 0x89
)

// StartEnrollment is START ENROLLMENT, 84 0C, or 84 0D with ECC: the applet makes a key pair of
// Bits bits. Challenge, under the DEK, is signed together with the public key to prove that the key
// was made on the token. The answer is the length of what then stands in the buffer, two bytes.
type StartEnrollment struct {
	Pair        PairAddress
	ECC         bool
	Algorithm   byte
	Bits        uint16
	Option      byte
	WrappedType byte
	Challenge   gp.WrappedKey
	Check       []byte
	Ne          int
	Form
}

const enrollHead = 5

// Command prints the command.
func (s StartEnrollment) Command() apdu.Command {
	data := binary.BigEndian.AppendUint16([]byte{s.Algorithm}, s.Bits)
	data = append(data, s.Option, s.WrappedType)
	data = appendLV(data, s.Challenge, s.Check)
	p1, p2 := s.Pair.params()
	return s.secureCommand(enrollINS(s.ECC), p1, p2, data, s.Ne)
}

func enrollINS(ecc bool) byte {
	if ecc {
		return INSStartEnrollmentECC
	}
	return INSStartEnrollment
}

// ParseStartEnrollment reads the command of either instruction.
func ParseStartEnrollment(c apdu.Command) (StartEnrollment, error) {
	s := StartEnrollment{Pair: pairAddress(c), ECC: c.INS == INSStartEnrollmentECC, Ne: c.Ne}
	var err error
	if s.Form, err = secureForm(c, enrollINS(s.ECC)); err != nil {
		return StartEnrollment{}, err
	}
	d := c.Data
	if len(d) < enrollHead {
		return StartEnrollment{}, fmt.Errorf("%w: %d bytes, want 5 or more", ErrLength, len(d))
	}
	s.Algorithm, s.Bits = d[0], binary.BigEndian.Uint16(d[1:])
	s.Option, s.WrappedType = d[3], d[4]
	d = d[enrollHead:]
	if s.Challenge, d, err = lv(d, "challenge"); err != nil {
		return StartEnrollment{}, err
	}
	if s.Check, d, err = lv(d, "check value"); err != nil {
		return StartEnrollment{}, err
	}
	return s, wantLen(d, 0)
}

// ImportEncryptedKey is IMPORT KEY ENCRYPTED, 84 0A: the private key in object Source is encrypted
// under a session key, which comes here wrapped under the DEK.
type ImportEncryptedKey struct {
	Pair       PairAddress
	Source     ObjectID
	Algorithm  byte
	WrappedKey gp.WrappedKey
	Check      []byte // key check value, 0 or 3 bytes
	IV         []byte
	Ne         int
	Form
}

// Command prints the command.
func (k ImportEncryptedKey) Command() apdu.Command {
	data := append(k.Source.append(nil), k.Algorithm)
	data = appendLV(data, k.WrappedKey, k.Check, k.IV)
	p1, p2 := k.Pair.params()
	return k.secureCommand(INSImportEncryptedKey, p1, p2, data, k.Ne)
}

// ParseImportEncryptedKey reads the command.
func ParseImportEncryptedKey(c apdu.Command) (ImportEncryptedKey, error) {
	f, err := secureForm(c, INSImportEncryptedKey)
	if err != nil {
		return ImportEncryptedKey{}, err
	}
	d := c.Data
	if len(d) < 5 {
		return ImportEncryptedKey{}, fmt.Errorf("%w: %d bytes, want 5 or more", ErrLength, len(d))
	}
	k := ImportEncryptedKey{
		Pair: pairAddress(c), Source: objectID(d), Algorithm: d[4], Ne: c.Ne, Form: f,
	}
	d = d[5:]
	if k.WrappedKey, d, err = lv(d, "wrapped key"); err != nil {
		return ImportEncryptedKey{}, err
	}
	if k.Check, d, err = lv(d, "check value"); err != nil {
		return ImportEncryptedKey{}, err
	}
	if k.IV, d, err = lv(d, "iv"); err != nil {
		return ImportEncryptedKey{}, err
	}
	return k, wantLen(d, 0)
}
