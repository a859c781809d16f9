package gp

import (
	"fmt"
	"strings"
)

// Privileges are the privileges of an application: 1 byte, or 3 bytes since GlobalPlatform 2.2. No
// byte at all occurs on the wire and means none. Bits are numbered as in GPCS 2.3.1 §11.1.2: a
// Privilege is the bit in a 24-bit number whose top byte is the first byte.
type Privileges []byte

// Privilege is one bit of Privileges.
type Privilege uint32

// Privileges (GPCS 2.3.1 §6.6.1, §11.1.2).
const (
	PrivSecurityDomain       Privilege = 0x800000
	PrivDAPVerification      Privilege = 0x400000
	PrivDelegatedManagement  Privilege = 0x200000
	PrivCardLock             Privilege = 0x100000
	PrivCardTerminate        Privilege = 0x080000
	PrivCardReset            Privilege = 0x040000 // "default selected" in GPCS 2.1.1
	PrivCVMManagement        Privilege = 0x020000
	PrivMandatedDAP          Privilege = 0x010000
	PrivTrustedPath          Privilege = 0x008000
	PrivAuthorizedManagement Privilege = 0x004000
	PrivTokenVerification    Privilege = 0x002000
	PrivGlobalDelete         Privilege = 0x001000
	PrivGlobalLock           Privilege = 0x000800
	PrivGlobalRegistry       Privilege = 0x000400
	PrivFinalApplication     Privilege = 0x000200
	PrivGlobalService        Privilege = 0x000100
	PrivReceiptGeneration    Privilege = 0x000080
	PrivCipheredLoadFile     Privilege = 0x000040
	PrivContactlessActivate  Privilege = 0x000020
	PrivContactlessSelf      Privilege = 0x000010
)

var privilegeNames = []struct {
	bit  Privilege
	name string
}{
	{PrivSecurityDomain, "security domain"},
	{PrivDAPVerification, "DAP verification"},
	{PrivDelegatedManagement, "delegated management"},
	{PrivCardLock, "card lock"},
	{PrivCardTerminate, "card terminate"},
	{PrivCardReset, "card reset"},
	{PrivCVMManagement, "CVM management"},
	{PrivMandatedDAP, "mandated DAP verification"},
	{PrivTrustedPath, "trusted path"},
	{PrivAuthorizedManagement, "authorized management"},
	{PrivTokenVerification, "token management"},
	{PrivGlobalDelete, "global delete"},
	{PrivGlobalLock, "global lock"},
	{PrivGlobalRegistry, "global registry"},
	{PrivFinalApplication, "final application"},
	{PrivGlobalService, "global service"},
	{PrivReceiptGeneration, "receipt generation"},
	{PrivCipheredLoadFile, "ciphered load file data block"},
	{PrivContactlessActivate, "contactless activation"},
	{PrivContactlessSelf, "contactless self-activation"},
}

// Mask returns the privileges as a 24-bit number; missing bytes are 00.
func (p Privileges) Mask() Privilege {
	var m Privilege
	for i := range 3 {
		m <<= 8
		if i < len(p) {
			m |= Privilege(p[i])
		}
	}
	return m
}

// Has reports whether all bits of q are set. Mandated DAP verification implies DAP verification's
// bit on the wire, so its pattern C1 is not the single bit 01.
func (p Privileges) Has(q Privilege) bool { return p.Mask()&q == q }

// NewPrivileges prints m in 1 byte if the rest is zero, otherwise in 3.
func NewPrivileges(m Privilege) Privileges {
	if m&0xFFFF == 0 {
		return Privileges{byte(m >> 16)}
	}
	return Privileges{byte(m >> 16), byte(m >> 8), byte(m)}
}

// String lists the privileges by name.
func (p Privileges) String() string {
	m := p.Mask()
	if m == 0 {
		return "none"
	}
	var names []string
	for _, n := range privilegeNames {
		if m&n.bit != 0 {
			names = append(names, n.name)
			m &^= n.bit
		}
	}
	if m != 0 {
		names = append(names, fmt.Sprintf("%06X", uint32(m)))
	}
	return strings.Join(names, ", ")
}

// privileges reads a field of 0, 1 or 3 bytes.
func (r *reader) privileges() Privileges {
	v := r.lv("privileges")
	if r.err == nil && len(v) != 0 && len(v) != 1 && len(v) != 3 {
		r.err = fmt.Errorf("%w: privileges of %d bytes", ErrData, len(v))
	}
	return v
}
