package gp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Bits of P1 in INSTALL (GPCS 2.3.1 §11.5.2.1).
const (
	InstallLoad            = 0x02
	InstallInstall         = 0x04
	InstallMakeSelectable  = 0x08
	InstallExtradition     = 0x10
	InstallPersonalization = 0x20
	InstallRegistryUpdate  = 0x40
)

// InstallForLoad is INSTALL [for load], 80 E6 02: it announces the load file File, to be owned by
// the security domain SD (nil: the selected one) (GPCS 2.3.1 §11.5.2.3.1).
type InstallForLoad struct {
	File   AID
	SD     AID
	Hash   []byte // load file data block hash
	Params InstallParams
	Token  []byte // load token
	More   bool   // P1 bit 8: another command continues this one
	P2     byte
	Ne     int
	Form
}

// Command prints the command.
func (i InstallForLoad) Command() apdu.Command {
	data := appendLV(nil, i.File, i.SD, i.Hash, i.Params, i.Token)
	return i.command(claGP, INSInstall, withMore(InstallLoad, i.More), i.P2, data, i.Ne)
}

// ParseInstallForLoad reads the command: five fields that fill the data.
func ParseInstallForLoad(c apdu.Command) (InstallForLoad, error) {
	f, err := formOf(c, claGP, INSInstall)
	if err != nil {
		return InstallForLoad{}, err
	}
	if c.P1&^topBit != InstallLoad {
		return InstallForLoad{}, parameterError(c)
	}
	r := reader{rest: c.Data}
	i := InstallForLoad{More: c.P1&topBit != 0, P2: c.P2, Ne: c.Ne, Form: f}
	i.File = r.aid("load file aid")
	i.SD = r.aid("security domain aid")
	i.Hash = r.lv("load file hash")
	i.Params = r.lv("load parameters")
	i.Token = r.lv("load token")
	if err := r.end(); err != nil {
		return InstallForLoad{}, fmt.Errorf("install for load: %w", err)
	}
	if i.File == nil {
		return InstallForLoad{}, fmt.Errorf("%w: install for load without a load file aid", ErrData)
	}
	return i, nil
}

// InstallForInstall is INSTALL with any combination of [for load], [for install] and [for make
// selectable] that holds [for install], 80 E6 04, 0C, 06 or 0E (GPCS 2.3.1 §11.5.2.3.2). The zero
// flags mean [for install] alone.
type InstallForInstall struct {
	Load           bool
	MakeSelectable bool
	File           AID // load file the module is in
	Module         AID
	Instance       AID // nil: as the module
	Privileges     Privileges
	Params         InstallParams
	Token          []byte // install token
	More           bool
	P2             byte
	Ne             int
	Form
}

// Command prints the command.
func (i InstallForInstall) Command() apdu.Command {
	p1 := byte(InstallInstall)
	if i.Load {
		p1 |= InstallLoad
	}
	if i.MakeSelectable {
		p1 |= InstallMakeSelectable
	}
	data := appendLV(nil, i.File, i.Module, i.Instance, i.Privileges, i.Params, i.Token)
	return i.command(claGP, INSInstall, withMore(p1, i.More), i.P2, data, i.Ne)
}

// ParseInstallForInstall reads the command: six fields that fill the data. Privileges are 0, 1 or
// 3 bytes.
func ParseInstallForInstall(c apdu.Command) (InstallForInstall, error) {
	f, err := formOf(c, claGP, INSInstall)
	if err != nil {
		return InstallForInstall{}, err
	}
	const flags = InstallLoad | InstallMakeSelectable
	if c.P1&^(topBit|flags) != InstallInstall {
		return InstallForInstall{}, parameterError(c)
	}
	r := reader{rest: c.Data}
	i := InstallForInstall{
		Load: c.P1&InstallLoad != 0, MakeSelectable: c.P1&InstallMakeSelectable != 0,
		More: c.P1&topBit != 0, P2: c.P2, Ne: c.Ne, Form: f,
	}
	i.File = r.aid("load file aid")
	i.Module = r.aid("module aid")
	i.Instance = r.aid("instance aid")
	i.Privileges = r.privileges()
	i.Params = r.lv("install parameters")
	i.Token = r.lv("install token")
	if err := r.end(); err != nil {
		return InstallForInstall{}, fmt.Errorf("install for install: %w", err)
	}
	return i, nil
}

// InstallFor is one of the INSTALL commands that name an existing application: [for make
// selectable] 08, [for extradition] 10, [for personalization] 20, [for registry update] 40
// (GPCS 2.3.1 §11.5.2.3.3 to §11.5.2.3.6). Purpose is P1 without its top bit. SD is the new
// security domain of an extradition or registry update and nil otherwise.
type InstallFor struct {
	Purpose    byte
	SD         AID
	App        AID
	Privileges Privileges
	Params     InstallParams
	Token      []byte
	More       bool
	P2         byte
	Ne         int
	Form
}

// Command prints the command.
func (i InstallFor) Command() apdu.Command {
	data := appendLV(nil, i.SD, nil, i.App, i.Privileges, i.Params, i.Token)
	return i.command(claGP, INSInstall, withMore(i.Purpose, i.More), i.P2, data, i.Ne)
}

// ParseInstallFor reads the command: six fields, the second of them empty, that fill the data.
func ParseInstallFor(c apdu.Command) (InstallFor, error) {
	f, err := formOf(c, claGP, INSInstall)
	if err != nil {
		return InstallFor{}, err
	}
	i := InstallFor{Purpose: c.P1 &^ topBit, More: c.P1&topBit != 0, P2: c.P2, Ne: c.Ne, Form: f}
	switch i.Purpose {
	case InstallMakeSelectable, InstallExtradition, InstallPersonalization, InstallRegistryUpdate:
	default:
		return InstallFor{}, parameterError(c)
	}
	r := reader{rest: c.Data}
	i.SD = r.aid("security domain aid")
	r.none("second field")
	i.App = r.aid("application aid")
	i.Privileges = r.privileges()
	i.Params = r.lv("parameters")
	i.Token = r.lv("token")
	if err := r.end(); err != nil {
		return InstallFor{}, fmt.Errorf("install: %w", err)
	}
	if i.SD != nil && i.Purpose&(InstallMakeSelectable|InstallPersonalization) != 0 {
		return InstallFor{}, fmt.Errorf("%w: install names a security domain", ErrData)
	}
	return i, nil
}

// MakeSelectable is INSTALL [for make selectable] of an installed application.
func MakeSelectable(app AID, p Privileges) InstallFor {
	return InstallFor{Purpose: InstallMakeSelectable, App: app, Privileges: p}
}

func withMore(p1 byte, more bool) byte {
	if more {
		return p1 | topBit
	}
	return p1
}
