package coolkey

import (
	"errors"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// AIDs of the applet: its load file, and its class and usual instance.
var (
	PackageAID = gp.AID{0x62, 0x76, 0x01, 0xFF, 0x00, 0x00}
	AppletAID  = gp.AID{0x62, 0x76, 0x01, 0xFF, 0x00, 0x00, 0x00}
)

// Class bytes.
const (
	CLAUser      = 0xB0 // outside a secure channel, with a nonce where one is needed
	CLASecure    = 0x84 // inside a secure channel, as the registration authority
	CLAUnwrapped = 0x80 // what is left of CLASecure when secure messaging has been removed
)

// Errors that the Parse functions wrap. The applet answers them with 6E00, 6D00, 9C10 or 9C11, and
// 6700 or 9C0F.
var (
	ErrClass       = errors.New("coolkey: unexpected class byte")
	ErrInstruction = errors.New("coolkey: unexpected instruction")
	ErrParameter   = errors.New("coolkey: unexpected P1 or P2")
	ErrLength      = errors.New("coolkey: wrong length")
	ErrData        = errors.New("coolkey: malformed data")
)

// NoLe leaves the Le field out, as the Ne of a command without data.
const NoLe = -1

// Class says with which class byte a command goes.
type Class uint8

// Classes. ClassUsual is CLAUser, or CLASecure for commands that exist inside a secure channel
// only.
const (
	ClassUsual Class = iota
	ClassSecure
	ClassUnwrapped
)

// Form is the class of a command that needs no nonce. The zero value is the usual one.
type Form struct {
	Class Class
}

// userCommand prints a command that may go over CLAUser.
func (f Form) userCommand(ins, p1, p2 byte, data []byte, ne int) apdu.Command {
	c := apdu.Command{CLA: CLAUser, INS: ins, P1: p1, P2: p2, Data: data, Ne: ne}
	switch f.Class {
	case ClassSecure:
		c.CLA = CLASecure
	case ClassUnwrapped:
		c.CLA = CLAUnwrapped
	}
	return c
}

// secureCommand prints a command that exists inside a secure channel only.
func (f Form) secureCommand(ins, p1, p2 byte, data []byte, ne int) apdu.Command {
	c := f.userCommand(ins, p1, p2, data, ne)
	if f.Class == ClassUsual {
		c.CLA = CLASecure
	}
	return c
}

// userForm checks class, instruction and short form of c.
func userForm(c apdu.Command, ins byte) (Form, error) {
	if err := checkFrame(c, ins); err != nil {
		return Form{}, err
	}
	switch c.CLA {
	case CLAUser:
		return Form{}, nil
	case CLASecure:
		return Form{Class: ClassSecure}, nil
	case CLAUnwrapped:
		return Form{Class: ClassUnwrapped}, nil
	default:
		return Form{}, fmt.Errorf("%w: %02X", ErrClass, c.CLA)
	}
}

// secureForm is userForm for commands that CLAUser does not carry.
func secureForm(c apdu.Command, ins byte) (Form, error) {
	f, err := userForm(c, ins)
	switch {
	case err != nil:
		return Form{}, err
	case c.CLA == CLAUser:
		return Form{}, fmt.Errorf("%w: %02X outside a secure channel", ErrClass, c.CLA)
	case c.CLA == CLASecure:
		return Form{}, nil
	default:
		return f, nil
	}
}

func checkFrame(c apdu.Command, ins byte) error {
	if c.INS != ins {
		return fmt.Errorf("%w: %02X, want %02X", ErrInstruction, c.INS, ins)
	}
	if c.Extended {
		return fmt.Errorf("%w: extended length", ErrLength)
	}
	return nil
}

// Auth is the class of a command that needs an identity. Over CLAUser a nonce follows the data: the
// session's, from VERIFY PIN, or the zero value for the anonymous identity. Over the other classes
// the identity is the registration authority's and there is no nonce.
type Auth struct {
	Class Class
	Nonce Nonce
}

func (a Auth) command(ins, p1, p2 byte, data []byte, ne int) apdu.Command {
	if a.Class == ClassUsual {
		data = append(data[:len(data):len(data)], a.Nonce[:]...)
	}
	return Form{Class: a.Class}.userCommand(ins, p1, p2, data, ne)
}

// authOf checks the frame and cuts the nonce off the data.
func authOf(c apdu.Command, ins byte) (a Auth, data []byte, err error) {
	f, err := userForm(c, ins)
	if err != nil {
		return Auth{}, nil, err
	}
	a.Class, data = f.Class, c.Data
	if f.Class != ClassUsual {
		return a, data, nil
	}
	n := len(data) - NonceLen
	if n < 0 {
		return Auth{}, nil, fmt.Errorf("%w: %d bytes of data, no nonce", ErrLength, len(data))
	}
	a.Nonce = Nonce(data[n:])
	return a, data[:n:n], nil
}

// P3 is the fifth byte of a short command, the only length the applet looks at: Lc when there are
// data, Le otherwise, 00 when there is neither.
func P3(c apdu.Command) byte {
	if len(c.Data) > 0 {
		return byte(len(c.Data))
	}
	return byte(c.Ne)
}

// neFor turns the Ne field of a command without data into that of an APDU, and neOf turns it back.
func neFor(ne, usual int) int {
	switch ne {
	case 0:
		return usual
	case NoLe:
		return 0
	default:
		return ne
	}
}

func neOf(ne, usual int) int {
	switch ne {
	case usual:
		return 0
	case 0:
		return NoLe
	default:
		return ne
	}
}

// plain checks a command that has neither parameters nor data.
func plain(c apdu.Command) error {
	if err := parameters(c, 0, 0); err != nil {
		return err
	}
	return noData(c)
}

func parameters(c apdu.Command, p1, p2 byte) error {
	if c.P1 != p1 || c.P2 != p2 {
		return fmt.Errorf("%w: %02X %02X", ErrParameter, c.P1, c.P2)
	}
	return nil
}

func noData(c apdu.Command) error { return wantLen(c.Data, 0) }

func wantLen(b []byte, n int) error {
	if len(b) != n {
		return fmt.Errorf("%w: %d bytes, want %d", ErrLength, len(b), n)
	}
	return nil
}

// next reads P1 of the list commands: 0 begins, 1 goes on.
func next(c apdu.Command) (bool, error) {
	if c.P1 > 1 || c.P2 != 0 {
		return false, fmt.Errorf("%w: %02X %02X", ErrParameter, c.P1, c.P2)
	}
	return c.P1 == 1, nil
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// lv reads a field behind a one-byte length; nil when it is empty.
func lv(b []byte, what string) (field, rest []byte, err error) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, fmt.Errorf("%w: %s goes past the end", ErrData, what)
	}
	n := int(b[0])
	if n == 0 {
		return nil, b[1:], nil
	}
	return b[1 : 1+n : 1+n], b[1+n:], nil
}

func appendLV(dst []byte, fields ...[]byte) []byte {
	for _, f := range fields {
		dst = append(append(dst, byte(len(f))), f...)
	}
	return dst
}
