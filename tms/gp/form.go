package gp

import (
	"errors"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Errors that the Parse functions wrap. A card answers them with 6E00, 6D00, 6A86, 6700 and 6A80.
var (
	ErrClass       = errors.New("gp: unexpected class byte")
	ErrInstruction = errors.New("gp: unexpected instruction")
	ErrParameter   = errors.New("gp: unexpected P1 or P2")
	ErrLength      = errors.New("gp: wrong length")
	ErrData        = errors.New("gp: malformed data field")
)

// Instruction bytes (GPCS 2.3.1 §11.1.1, §E.5, ISO/IEC 7816-4).
const (
	INSManageChannel        = 0x70
	INSEndRMAC              = 0x78
	INSBeginRMAC            = 0x7A
	INSExternalAuthenticate = 0x82
	INSInitializeUpdate     = 0x50
	INSSelect               = 0xA4
	INSGetResponse          = 0xC0
	INSGetData              = 0xCA
	INSGetDataList          = 0xCB
	INSPutKey               = 0xD8
	INSStoreData            = 0xE2
	INSDelete               = 0xE4
	INSInstall              = 0xE6
	INSLoad                 = 0xE8
	INSSetStatus            = 0xF0
	INSGetStatus            = 0xF2
)

// Usual class bytes.
const (
	claISO    = 0x00
	claGP     = 0x80
	claSecure = 0x84
)

// topBit of P1 or P2 is a flag in many commands: more commands follow (GPCS 2.3.1 §11.1.5.1), last
// block, several keys, related objects.
const topBit = 0x80

// Form keeps what a command may vary without meaning anything else. The zero value is the usual
// form.
type Form struct {
	CLA      byte // class byte; zero is the usual one of the command
	Extended bool // extended length fields
}

// command builds the APDU around a command's own fields.
func (f Form) command(usual, ins, p1, p2 byte, data []byte, ne int) apdu.Command {
	cla := f.CLA
	if cla == 0 {
		cla = usual
	}
	return apdu.Command{CLA: cla, INS: ins, P1: p1, P2: p2, Data: data, Ne: ne, Extended: f.Extended}
}

// formOf checks class and instruction and returns the form of c.
func formOf(c apdu.Command, usual, ins byte) (Form, error) {
	if c.INS != ins {
		return Form{}, fmt.Errorf("%w: %02X, want %02X", ErrInstruction, c.INS, ins)
	}
	if !classFits(c.CLA, usual) {
		return Form{}, fmt.Errorf("%w: %02X", ErrClass, c.CLA)
	}
	f := Form{CLA: c.CLA, Extended: c.Extended}
	if c.CLA == usual {
		f.CLA = 0
	}
	return f, nil
}

// classFits accepts every logical channel, with or without secure messaging, of the usual class:
// 00..0F and 40..4F, 60..6F, or 80..8F and C0..CF, E0..EF (GPCS 2.3.1 §11.1.4). Chaining by class
// byte is not part of GlobalPlatform.
func classFits(cla, usual byte) bool {
	if apdu.Chaining(cla) || (cla^usual)&0x80 != 0 {
		return false
	}
	return cla&0x40 != 0 || cla&0x20 == 0
}

func parameterError(c apdu.Command) error {
	return fmt.Errorf("%w: %02X %02X", ErrParameter, c.P1, c.P2)
}

func lengthError(c apdu.Command, want int) error {
	return fmt.Errorf("%w: %d bytes of data, want %d", ErrLength, len(c.Data), want)
}

// hexBytes is what the %X verb of errors and String methods prints of short public values.
func hexBytes(b []byte) string { return fmt.Sprintf("%X", b) }
