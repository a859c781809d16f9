package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// Instructions that ask for the applet's state.
const (
	INSGetStatus    = 0x3C
	INSGetVersion   = 0x70
	INSNop          = 0x71
	INSSetLifeCycle = 0xF0
	INSGetLifeCycle = 0xF2
)

// StatusLen is the length of the GET STATUS answer in bytes.
const StatusLen = 16

// GetStatus is GET STATUS, B0 3C. The usual Ne is 16.
type GetStatus struct {
	Ne int
	Form
}

// Command prints the command.
func (g GetStatus) Command() apdu.Command {
	return g.userCommand(INSGetStatus, 0, 0, nil, neFor(g.Ne, StatusLen))
}

// ParseGetStatus reads the command.
func ParseGetStatus(c apdu.Command) (GetStatus, error) {
	f, err := userForm(c, INSGetStatus)
	if err != nil {
		return GetStatus{}, err
	}
	return GetStatus{Ne: neOf(c.Ne, StatusLen), Form: f}, plain(c)
}

// Status is the answer to GET STATUS. Keys counts key objects ever built, also cleared ones. Bit n
// of LoggedIn says that PIN n is logged in.
type Status struct {
	ProtocolMajor, ProtocolMinor byte
	AppletMajor, AppletMinor     byte
	TotalMemory, FreeMemory      uint32 // bytes of the object heap
	PINs, Keys                   byte
	LoggedIn                     uint16
}

// ParseStatus reads the 16 bytes of the answer.
func ParseStatus(b []byte) (Status, error) {
	if err := wantLen(b, StatusLen); err != nil {
		return Status{}, fmt.Errorf("applet status: %w", err)
	}
	return Status{
		ProtocolMajor: b[0], ProtocolMinor: b[1], AppletMajor: b[2], AppletMinor: b[3],
		TotalMemory: binary.BigEndian.Uint32(b[4:]), FreeMemory: binary.BigEndian.Uint32(b[8:]),
		PINs: b[12], Keys: b[13], LoggedIn: binary.BigEndian.Uint16(b[14:]),
	}, nil
}

// Bytes prints the answer without status word.
func (s Status) Bytes() []byte {
	b := []byte{s.ProtocolMajor, s.ProtocolMinor, s.AppletMajor, s.AppletMinor}
	b = binary.BigEndian.AppendUint32(b, s.TotalMemory)
	b = binary.BigEndian.AppendUint32(b, s.FreeMemory)
	b = append(b, s.PINs, s.Keys)
	return binary.BigEndian.AppendUint16(b, s.LoggedIn)
}

// VersionText is how a TPS writes an applet's version: "1.4.58768072", major and minor version and
// the build id in lower case. It is compared as text.
func (s Status) VersionText(v Version) string {
	return fmt.Sprintf("%d.%d.%s", s.AppletMajor, s.AppletMinor, v)
}

// versionLen is the length of the GET VERSION answer in bytes.
const versionLen = 4

// GetVersion is GET VERSION, also called GET BUILD ID, B0 70. The usual Ne is 4.
type GetVersion struct {
	Ne int
	Form
}

// Command prints the command.
func (g GetVersion) Command() apdu.Command {
	return g.userCommand(INSGetVersion, 0, 0, nil, neFor(g.Ne, versionLen))
}

// ParseGetVersion reads the command.
func ParseGetVersion(c apdu.Command) (GetVersion, error) {
	f, err := userForm(c, INSGetVersion)
	if err != nil {
		return GetVersion{}, err
	}
	return GetVersion{Ne: neOf(c.Ne, versionLen), Form: f}, plain(c)
}

// Version is the applet's build id, the Unix time at which it was built.
type Version uint32

// ParseVersion reads the four bytes of the answer to GET VERSION.
func ParseVersion(b []byte) (Version, error) {
	if err := wantLen(b, versionLen); err != nil {
		return 0, fmt.Errorf("applet version: %w", err)
	}
	return Version(binary.BigEndian.Uint32(b)), nil
}

// Bytes prints the answer without status word.
func (v Version) Bytes() []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

// String gives eight lower-case hexadecimal digits.
func (v Version) String() string { return fmt.Sprintf("%08x", uint32(v)) }

// LifeCycleState is the applet's state: SELECTABLE after installation, PERSONALIZED when the token
// is usable.
type LifeCycleState = gp.AppState

// States that clients look at.
const (
	StateSelectable   = gp.AppSelectable
	StatePersonalized = gp.AppPersonalized
)

// Lengths of the GET LIFECYCLE answer in bytes, and the Ne that ask for them.
const (
	LifeCycleShort = 1
	LifeCycleLong  = 4
)

// GetLifeCycle is GET LIFECYCLE, B0 F2. The usual Ne, 1, asks for the state alone; any other, also
// none, for the long answer.
type GetLifeCycle struct {
	Ne int
	Form
}

// Command prints the command.
func (g GetLifeCycle) Command() apdu.Command {
	return g.userCommand(INSGetLifeCycle, 0, 0, nil, neFor(g.Ne, LifeCycleShort))
}

// ParseGetLifeCycle reads the command.
func ParseGetLifeCycle(c apdu.Command) (GetLifeCycle, error) {
	f, err := userForm(c, INSGetLifeCycle)
	if err != nil {
		return GetLifeCycle{}, err
	}
	return GetLifeCycle{Ne: neOf(c.Ne, LifeCycleShort), Form: f}, plain(c)
}

// Bits of LifeCycle.Flags.
const (
	FlagPIN        = 0x01 // a PIN was created once
	FlagACLForPINs = 0x02 // PIN users may create objects and keys
)

// LifeCycle is the answer to GET LIFECYCLE. The fields behind State are there only in the long one.
type LifeCycle struct {
	State                        LifeCycleState
	Flags                        byte
	ProtocolMajor, ProtocolMinor byte
	Long                         bool
}

// ParseLifeCycle reads an answer of 1 or 4 bytes.
func ParseLifeCycle(b []byte) (LifeCycle, error) {
	switch len(b) {
	case LifeCycleShort:
		return LifeCycle{State: LifeCycleState(b[0])}, nil
	case LifeCycleLong:
		return LifeCycle{
			State: LifeCycleState(b[0]), Flags: b[1], ProtocolMajor: b[2], ProtocolMinor: b[3],
			Long: true,
		}, nil
	default:
		return LifeCycle{}, fmt.Errorf("applet life cycle: %w: %d bytes, want 1 or 4", ErrLength,
			len(b))
	}
}

// Bytes prints the answer without status word.
func (l LifeCycle) Bytes() []byte {
	if !l.Long {
		return []byte{byte(l.State)}
	}
	return []byte{byte(l.State), l.Flags, l.ProtocolMajor, l.ProtocolMinor}
}

// SetLifeCycle is SET LIFECYCLE, 84 F0: State becomes the applet's state.
type SetLifeCycle struct {
	State LifeCycleState
	Ne    int
	Form
}

// Command prints the command.
func (s SetLifeCycle) Command() apdu.Command {
	return s.secureCommand(INSSetLifeCycle, byte(s.State), 0, nil, s.Ne)
}

// ParseSetLifeCycle reads the command.
func ParseSetLifeCycle(c apdu.Command) (SetLifeCycle, error) {
	f, err := secureForm(c, INSSetLifeCycle)
	if err != nil {
		return SetLifeCycle{}, err
	}
	if err := parameters(c, c.P1, 0); err != nil {
		return SetLifeCycle{}, err
	}
	return SetLifeCycle{State: LifeCycleState(c.P1), Ne: c.Ne, Form: f}, noData(c)
}

// Nop is NOP, B0 71; it does nothing. It usually has no Le.
type Nop struct {
	Ne int
	Form
}

// Command prints the command.
func (n Nop) Command() apdu.Command { return n.userCommand(INSNop, 0, 0, nil, n.Ne) }

// ParseNop reads the command.
func ParseNop(c apdu.Command) (Nop, error) {
	f, err := userForm(c, INSNop)
	if err != nil {
		return Nop{}, err
	}
	return Nop{Ne: c.Ne, Form: f}, plain(c)
}
