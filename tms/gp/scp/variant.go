package scp

import (
	"errors"
	"fmt"

	"tokenwright/tms/gp/keys"
)

// Errors that callers can tell apart. All but ErrTooLong, ErrSequence and ErrVariant leave the
// session ended.
var (
	ErrMAC          = errors.New("message authentication code is wrong")
	ErrCryptogram   = errors.New("cryptogram is wrong")
	ErrSessionEnded = errors.New("secure channel session has ended")
	ErrPadding      = errors.New("padding of decrypted data is wrong")
	ErrLevel        = errors.New("security level does not allow this")
	ErrTooLong      = errors.New("message does not fit a short apdu once protected")
	ErrSequence     = errors.New("call is out of sequence")
	ErrVariant      = errors.New("protocol variant is not supported")
	ErrKeys         = errors.New("session keys do not suit the protocol")
	ErrFormat       = errors.New("command is malformed")
)

// Level is the security level of a session, the P1 of EXTERNAL AUTHENTICATE
// (GPCS 2.3.1 Table E-11, AMD-D Table 7-3).
type Level byte

// Bits of a Level. 00 is authentication alone.
const (
	CMAC Level = 0x01
	CDEC Level = 0x02
	RMAC Level = 0x10
	RENC Level = 0x20
)

// Has tells whether all bits of want are set.
func (l Level) Has(want Level) bool { return l&want == want }

// String gives two hexadecimal digits.
func (l Level) String() string { return fmt.Sprintf("%02X", byte(l)) }

// Variant is a secure channel protocol and its i parameter, as card recognition data and, for
// SCP03, the key information of INITIALIZE UPDATE announce them.
type Variant struct{ SCP, I byte }

// Bits of i (GPCS 2.3.1 Table E-1 for SCP02, GPCS 2.1.1 §D.1.1 for SCP01, AMD-D Table 5-1).
const (
	i02ThreeKeys     = 0x01
	i02UnmodifiedMAC = 0x02
	i02Explicit      = 0x04
	i02ICVEncryption = 0x10
	i02RMAC          = 0x20
	i02PseudoRandom  = 0x40
	i02Known         = 0x7F

	i01ICVEncryption = 0x10

	i03PseudoRandom = 0x10
	i03RMAC         = 0x20
	i03RENC         = 0x40
)

// String gives the form "scp02 i=15".
func (v Variant) String() string { return fmt.Sprintf("scp%02X i=%02X", v.SCP, v.I) }

// Validate gives ErrVariant for what this package cannot do: SCP01 other than i=05 and 15; SCP02
// with implicit initiation, which has no EXTERNAL AUTHENTICATE, or with the reserved bit; SCP03
// with a reserved bit (later amendments put the 16-byte mode there) or R-ENCRYPTION without R-MAC.
//
// Bit 4 of SCP02's i asks for an ICV from the AID, which exists under implicit initiation alone
// (§E.3.3): with explicit initiation the first ICV is zero whatever bit 4 says (§E.3.2).
func (v Variant) Validate() error {
	switch v.SCP {
	case 1:
		if v.I == 0x05 || v.I == 0x15 {
			return nil
		}
	case 2:
		if v.I&^i02Known == 0 && v.I&i02Explicit == 0 {
			return fmt.Errorf("%v: implicit initiation: %w", v, ErrVariant)
		}
		if v.I&^i02Known == 0 {
			return nil
		}
	case 3:
		if v.I&^(i03PseudoRandom|i03RMAC|i03RENC) == 0 && v.I&(i03RMAC|i03RENC) != i03RENC {
			return nil
		}
	}
	return fmt.Errorf("%v: %w", v, ErrVariant)
}

// ThreeKeys tells whether the key set has separate ENC, MAC and DEK keys; without it SCP02 derives
// all session keys from one base key.
func (v Variant) ThreeKeys() bool { return v.SCP != 2 || v.I&i02ThreeKeys != 0 }

// PseudoRandom tells whether the card challenge follows from the sequence counter and the AID.
func (v Variant) PseudoRandom() bool {
	return v.SCP == 2 && v.I&i02PseudoRandom != 0 || v.SCP == 3 && v.I&i03PseudoRandom != 0
}

// RMAC tells whether the card can protect responses by R-MAC.
func (v Variant) RMAC() bool {
	return v.SCP == 2 && v.I&i02RMAC != 0 || v.SCP == 3 && v.I&i03RMAC != 0
}

// RENC tells whether the card can encrypt responses.
func (v Variant) RENC() bool { return v.SCP == 3 && v.I&i03RENC != 0 }

func (v Variant) unmodifiedMAC() bool { return v.SCP == 2 && v.I&i02UnmodifiedMAC != 0 }

func (v Variant) icvEncryption() bool {
	return v.SCP == 1 && v.I&i01ICVEncryption != 0 || v.SCP == 2 && v.I&i02ICVEncryption != 0
}

// CheckLevel gives ErrLevel unless EXTERNAL AUTHENTICATE of this variant may ask for l
// (GPCS 2.1.1 Table D-8, GPCS 2.3.1 Table E-11, AMD-D Table 7-3).
func (v Variant) CheckLevel(l Level) error {
	ok := false
	switch l {
	case 0, CMAC, CMAC | CDEC:
		ok = true
	case RMAC:
		ok = v.SCP == 2 && v.RMAC()
	case RMAC | CMAC, RMAC | CMAC | CDEC:
		ok = v.RMAC()
	case RENC | RMAC | CMAC | CDEC:
		ok = v.RENC()
	}
	if !ok {
		return fmt.Errorf("%v: level %v: %w", v, l, ErrLevel)
	}
	return nil
}

// checkKeys checks that the session keys which the variant can use are there.
func (v Variant) checkKeys(sk keys.SessionKeys) error {
	alg := keys.DES3
	if v.SCP == 3 {
		alg = keys.AES
	}
	need := []struct {
		name string
		key  keys.Key
	}{{"S-ENC", sk.SENC}, {"S-MAC", sk.SMAC}}
	if v.RMAC() {
		need = append(need, struct {
			name string
			key  keys.Key
		}{"S-RMAC", sk.SRMAC})
	}
	for _, k := range need {
		if k.key.Algorithm() != alg {
			return fmt.Errorf("%v: %s: %v, want a %v key: %w", v, k.name, k.key, alg, ErrKeys)
		}
	}
	return nil
}

// MaxData is the most command data in bytes that a session of this variant at level l can carry
// in one short APDU.
func (v Variant) MaxData(l Level) int {
	switch {
	case l.Has(CDEC):
		return 239 // 240 with the length or padding byte, 248 with the MAC
	case l.Has(CMAC):
		return maxShort - macLen
	}
	return maxShort
}
