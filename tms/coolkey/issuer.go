package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Instructions of the issuer field.
const (
	INSSetIssuerInfo = 0xF4
	INSGetIssuerInfo = 0xF6
)

// IssuerInfoLen is the length of the issuer field in bytes. It holds an address in ASCII, padded
// with zero bytes.
const IssuerInfoLen = 224

// GetIssuerInfo is GET ISSUER INFO, B0 F6. The usual Ne is 224.
type GetIssuerInfo struct {
	Ne int
	Form
}

// Command prints the command.
func (g GetIssuerInfo) Command() apdu.Command {
	return g.userCommand(INSGetIssuerInfo, 0, 0, nil, neFor(g.Ne, IssuerInfoLen))
}

// ParseGetIssuerInfo reads the command.
func ParseGetIssuerInfo(c apdu.Command) (GetIssuerInfo, error) {
	f, err := userForm(c, INSGetIssuerInfo)
	if err != nil {
		return GetIssuerInfo{}, err
	}
	return GetIssuerInfo{Ne: neOf(c.Ne, IssuerInfoLen), Form: f}, plain(c)
}

// SetIssuerInfo is SET ISSUER INFO, 84 F4.
type SetIssuerInfo struct {
	Info [IssuerInfoLen]byte
	Ne   int
	Form
}

// Command prints the command.
func (s SetIssuerInfo) Command() apdu.Command {
	return s.secureCommand(INSSetIssuerInfo, 0, 0, s.Info[:], s.Ne)
}

// ParseSetIssuerInfo reads the command.
func ParseSetIssuerInfo(c apdu.Command) (SetIssuerInfo, error) {
	f, err := secureForm(c, INSSetIssuerInfo)
	if err != nil {
		return SetIssuerInfo{}, err
	}
	if err := parameters(c, 0, 0); err != nil {
		return SetIssuerInfo{}, err
	}
	if err := wantLen(c.Data, IssuerInfoLen); err != nil {
		return SetIssuerInfo{}, err
	}
	return SetIssuerInfo{Info: [IssuerInfoLen]byte(c.Data), Ne: c.Ne, Form: f}, nil
}

// IssuerText is the address in an issuer field: what stands before the first zero byte.
func IssuerText(info []byte) string {
	for i, b := range info {
		if b == 0 {
			return string(info[:i])
		}
	}
	return string(info)
}

// DefaultHeap is the size of the object heap in bytes when the install parameters give none.
const DefaultHeap = 5000

// optionACLChange, in the first option byte, allows changes of the built-in access conditions.
const optionACLChange = 0x01

// InstallParams is what the applet's install method takes, the content of C9: issuer field, heap
// size in bytes, options. Memory 0 leaves the size out, and nil Options the options.
type InstallParams struct {
	Issuer  []byte // at most IssuerInfoLen bytes
	Memory  uint16
	Options []byte

	raw []byte
}

// ParseInstallParams reads install parameters as the applet does: the first thing that does not fit
// ends the reading, what was read before holds, and nothing is ever an error.
func ParseInstallParams(b []byte) InstallParams {
	var p InstallParams
	p.read(b)
	if string(p.Bytes()) != string(b) {
		p.raw = append([]byte{}, b...)
	}
	return p
}

func (p *InstallParams) read(b []byte) {
	issuer, b, err := lv(b, "issuer")
	if err != nil || len(issuer) > IssuerInfoLen {
		return
	}
	p.Issuer = issuer
	memory, b, err := lv(b, "memory size")
	if err != nil {
		return
	}
	if len(memory) == 2 {
		p.Memory = binary.BigEndian.Uint16(memory)
	}
	if options, _, err := lv(b, "options"); err == nil {
		p.Options = options
	}
}

// Bytes prints the parameters; what was parsed prints as it was read.
func (p InstallParams) Bytes() []byte {
	if p.raw != nil {
		return p.raw
	}
	b := appendLV(nil, p.Issuer)
	if p.Memory != 0 {
		b = append(b, 2, byte(p.Memory>>8), byte(p.Memory))
	} else {
		b = append(b, 0)
	}
	if p.Options != nil {
		b = appendLV(b, p.Options)
	}
	return b
}

// Heap is the size of the object heap in bytes that the parameters lead to. The applet takes the
// size as a signed number and falls back to DefaultHeap when it is not positive.
func (p InstallParams) Heap() int {
	if p.Memory == 0 || p.Memory > 0x7FFF {
		return DefaultHeap
	}
	return int(p.Memory)
}

// ACLChange reports whether the built-in access conditions may be changed.
func (p InstallParams) ACLChange() bool {
	return len(p.Options) > 0 && p.Options[0]&optionACLChange != 0
}

// String shows the parameters.
func (p InstallParams) String() string {
	return fmt.Sprintf("issuer %q, heap %d, ACL change %t", IssuerText(p.Issuer), p.Heap(),
		p.ACLChange())
}
