package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Instructions for PINs.
const (
	INSSetPIN      = 0x04
	INSCreatePIN   = 0x40
	INSVerifyPIN   = 0x42
	INSChangePIN   = 0x44
	INSListPINs    = 0x48
	INSGetPINTries = 0x4A
	INSLogout      = 0x61
)

// MaxPINs is the number of PINs an applet can hold; they are numbered from 0.
const MaxPINs = 8

// CreatePIN is CREATE PIN, B0 40 or 84 40: PIN Number comes to exist, with Tries wrong tries before
// it is blocked.
type CreatePIN struct {
	Number byte
	Tries  byte
	PIN    PIN
	Ne     int
	Auth
}

// Command prints the command.
func (p CreatePIN) Command() apdu.Command {
	return p.command(INSCreatePIN, p.Number, p.Tries, p.PIN, p.Ne)
}

// ParseCreatePIN reads the command. Number, tries and length are the applet's to judge.
func ParseCreatePIN(c apdu.Command) (CreatePIN, error) {
	a, data, err := authOf(c, INSCreatePIN)
	if err != nil {
		return CreatePIN{}, err
	}
	return CreatePIN{Number: c.P1, Tries: c.P2, PIN: data, Ne: c.Ne, Auth: a}, nil
}

// SetPIN is SET PIN, 84 04: it sets and unblocks an existing PIN.
type SetPIN struct {
	Number byte
	PIN    PIN
	Ne     int
	Form
}

// Command prints the command.
func (p SetPIN) Command() apdu.Command {
	return p.secureCommand(INSSetPIN, p.Number, 0, p.PIN, p.Ne)
}

// ParseSetPIN reads the command.
func ParseSetPIN(c apdu.Command) (SetPIN, error) {
	f, err := secureForm(c, INSSetPIN)
	if err != nil {
		return SetPIN{}, err
	}
	return SetPIN{Number: c.P1, PIN: c.Data, Ne: c.Ne, Form: f}, parameters(c, c.P1, 0)
}

// VerifyPIN is VERIFY PIN, B0 42. The answer is a Nonce.
type VerifyPIN struct {
	Number byte
	PIN    PIN
	Ne     int
	Form
}

// Command prints the command.
func (p VerifyPIN) Command() apdu.Command {
	return p.userCommand(INSVerifyPIN, p.Number, 0, p.PIN, p.Ne)
}

// ParseVerifyPIN reads the command.
func ParseVerifyPIN(c apdu.Command) (VerifyPIN, error) {
	f, err := userForm(c, INSVerifyPIN)
	if err != nil {
		return VerifyPIN{}, err
	}
	return VerifyPIN{Number: c.P1, PIN: c.Data, Ne: c.Ne, Form: f}, parameters(c, c.P1, 0)
}

// ChangePIN is CHANGE PIN, B0 44: old and new PIN, each behind a one-byte length.
type ChangePIN struct {
	Number   byte
	Old, New PIN
	Ne       int
	Form
}

// Command prints the command.
func (p ChangePIN) Command() apdu.Command {
	return p.userCommand(INSChangePIN, p.Number, 0, appendLV(nil, p.Old, p.New), p.Ne)
}

// ParseChangePIN reads the command; nothing may stand behind the new PIN.
func ParseChangePIN(c apdu.Command) (ChangePIN, error) {
	f, err := userForm(c, INSChangePIN)
	if err != nil {
		return ChangePIN{}, err
	}
	p := ChangePIN{Number: c.P1, Ne: c.Ne, Form: f}
	var rest []byte
	if p.Old, rest, err = lv(c.Data, "old PIN"); err != nil {
		return ChangePIN{}, err
	}
	if p.New, rest, err = lv(rest, "new PIN"); err != nil {
		return ChangePIN{}, err
	}
	if err := wantLen(rest, 0); err != nil {
		return ChangePIN{}, err
	}
	return p, parameters(c, c.P1, 0)
}

// ListPINs is LIST PINS, B0 48. The usual Ne is 2.
type ListPINs struct {
	Ne int
	Form
}

const pinMaskLen = 2

// Command prints the command.
func (l ListPINs) Command() apdu.Command {
	return l.userCommand(INSListPINs, 0, 0, nil, neFor(l.Ne, pinMaskLen))
}

// ParseListPINs reads the command.
func ParseListPINs(c apdu.Command) (ListPINs, error) {
	f, err := userForm(c, INSListPINs)
	if err != nil {
		return ListPINs{}, err
	}
	return ListPINs{Ne: neOf(c.Ne, pinMaskLen), Form: f}, plain(c)
}

// PINMask is the answer to LIST PINS: bit n says that PIN n exists.
type PINMask uint16

// ParsePINMask reads the two bytes of the answer.
func ParsePINMask(b []byte) (PINMask, error) {
	if err := wantLen(b, pinMaskLen); err != nil {
		return 0, fmt.Errorf("pin list: %w", err)
	}
	return PINMask(binary.BigEndian.Uint16(b)), nil
}

// Bytes prints the answer without status word.
func (m PINMask) Bytes() []byte { return binary.BigEndian.AppendUint16(nil, uint16(m)) }

// Has reports whether PIN n exists.
func (m PINMask) Has(n byte) bool { return n < 16 && m>>n&1 == 1 }

// GetPINTries is GET PIN TRIES, B0 4A: the answer is one byte, the tries left. The usual Ne is 1.
type GetPINTries struct {
	Number byte
	Ne     int
	Form
}

// Command prints the command.
func (g GetPINTries) Command() apdu.Command {
	return g.userCommand(INSGetPINTries, g.Number, 0, nil, neFor(g.Ne, 1))
}

// ParseGetPINTries reads the command.
func ParseGetPINTries(c apdu.Command) (GetPINTries, error) {
	f, err := userForm(c, INSGetPINTries)
	if err != nil {
		return GetPINTries{}, err
	}
	if err := parameters(c, c.P1, 0); err != nil {
		return GetPINTries{}, err
	}
	return GetPINTries{Number: c.P1, Ne: neOf(c.Ne, 1), Form: f}, noData(c)
}

// Logout is LOGOUT, B0 61. The applet ignores the data; clients put the nonce there, which
// HasNonce tells.
type Logout struct {
	Number   byte
	Nonce    Nonce
	HasNonce bool
	Ne       int
	Form
}

// Command prints the command.
func (l Logout) Command() apdu.Command {
	var data []byte
	if l.HasNonce {
		data = l.Nonce[:]
	}
	return l.userCommand(INSLogout, l.Number, 0, data, l.Ne)
}

// ParseLogout reads the command, with a nonce or without data.
func ParseLogout(c apdu.Command) (Logout, error) {
	f, err := userForm(c, INSLogout)
	if err != nil {
		return Logout{}, err
	}
	l := Logout{Number: c.P1, Ne: c.Ne, Form: f}
	if len(c.Data) > 0 {
		if l.Nonce, err = ParseNonce(c.Data); err != nil {
			return Logout{}, err
		}
		l.HasNonce = true
	}
	return l, parameters(c, c.P1, 0)
}
