package coolkey

import (
	"encoding/binary"
	"fmt"
	"strings"

	"tokenwright/tms/gp/apdu"
)

// Instructions for the built-in access conditions.
const (
	INSSetBuiltinACL = 0xF8
	INSGetBuiltinACL = 0xFA
)

// ACL is an access condition: the set of identities to which something is granted. Bit n is PIN n
// for n up to 7.
type ACL uint16

// Access conditions.
const (
	ACLNobody    ACL = 0x0000
	ACLPIN0      ACL = 0x0001
	ACLRA        ACL = 0x4000 // registration authority: whoever holds the secure channel
	ACLAnonymous ACL = 0x8000 // the zero nonce, and nobody who is logged in
	ACLAnyone    ACL = 0xFFFF
)

// Grants reports whether one of the given identities is granted.
func (a ACL) Grants(who ACL) bool { return a&who != 0 }

// String lists the identities.
func (a ACL) String() string {
	switch a {
	case ACLNobody:
		return "nobody"
	case ACLAnyone:
		return "anyone"
	}
	var names []string
	for n := range MaxPINs {
		if a>>n&1 == 1 {
			names = append(names, fmt.Sprintf("PIN %d", n))
		}
	}
	if a&ACLRA != 0 {
		names = append(names, "RA")
	}
	if a&ACLAnonymous != 0 {
		names = append(names, "anonymous")
	}
	if rest := a & 0x3F00; rest != 0 {
		names = append(names, fmt.Sprintf("%04X", uint16(rest)))
	}
	return strings.Join(names, ", ")
}

// aclLen is the length of an ObjectACL or KeyACL in bytes.
const aclLen = 6

// ObjectACL are the access conditions of an object.
type ObjectACL struct {
	Read, Write, Delete ACL
}

// RAOnly grants everything to the registration authority alone.
var RAOnly = ObjectACL{Read: ACLRA, Write: ACLRA, Delete: ACLRA}

// KeyACL are the access conditions of a key. Read is stored and never looked at.
type KeyACL struct {
	Read, Write, Use ACL
}

func (o ObjectACL) append(dst []byte) []byte { return appendACLs(dst, o.Read, o.Write, o.Delete) }

func (k KeyACL) append(dst []byte) []byte { return appendACLs(dst, k.Read, k.Write, k.Use) }

// String shows the conditions.
func (o ObjectACL) String() string {
	return fmt.Sprintf("read %v; write %v; delete %v", o.Read, o.Write, o.Delete)
}

// String shows the conditions.
func (k KeyACL) String() string {
	return fmt.Sprintf("read %v; write %v; use %v", k.Read, k.Write, k.Use)
}

func appendACLs(dst []byte, acls ...ACL) []byte {
	for _, a := range acls {
		dst = binary.BigEndian.AppendUint16(dst, uint16(a))
	}
	return dst
}

// acls reads three conditions from at least aclLen bytes.
func acls(b []byte) [3]ACL {
	return [3]ACL{
		ACL(binary.BigEndian.Uint16(b)), ACL(binary.BigEndian.Uint16(b[2:])),
		ACL(binary.BigEndian.Uint16(b[4:])),
	}
}

func objectACL(b []byte) ObjectACL {
	a := acls(b)
	return ObjectACL{Read: a[0], Write: a[1], Delete: a[2]}
}

func keyACL(b []byte) KeyACL {
	a := acls(b)
	return KeyACL{Read: a[0], Write: a[1], Use: a[2]}
}

// BuiltinACL says who may create objects, keys and PINs, and whether this may be changed. Enable
// is kept as sent; zero means that it may not.
type BuiltinACL struct {
	CreateObject, CreateKey, CreatePIN ACL
	Enable                             byte
}

// DefaultBuiltinACL is that of a fresh applet.
var DefaultBuiltinACL = BuiltinACL{CreateObject: ACLRA, CreateKey: ACLRA, CreatePIN: ACLRA}

const builtinACLLen = 7

// ParseBuiltinACL reads seven bytes.
func ParseBuiltinACL(b []byte) (BuiltinACL, error) {
	if err := wantLen(b, builtinACLLen); err != nil {
		return BuiltinACL{}, fmt.Errorf("built-in acl: %w", err)
	}
	a := acls(b)
	return BuiltinACL{CreateObject: a[0], CreateKey: a[1], CreatePIN: a[2], Enable: b[6]}, nil
}

// Bytes prints seven bytes.
func (b BuiltinACL) Bytes() []byte {
	return append(appendACLs(nil, b.CreateObject, b.CreateKey, b.CreatePIN), b.Enable)
}

// GetBuiltinACL is GET BUILTIN ACL, B0 FA. The usual Ne is 7.
type GetBuiltinACL struct {
	Ne int
	Form
}

// Command prints the command.
func (g GetBuiltinACL) Command() apdu.Command {
	return g.userCommand(INSGetBuiltinACL, 0, 0, nil, neFor(g.Ne, builtinACLLen))
}

// ParseGetBuiltinACL reads the command.
func ParseGetBuiltinACL(c apdu.Command) (GetBuiltinACL, error) {
	f, err := userForm(c, INSGetBuiltinACL)
	if err != nil {
		return GetBuiltinACL{}, err
	}
	return GetBuiltinACL{Ne: neOf(c.Ne, builtinACLLen), Form: f}, plain(c)
}

// SetBuiltinACL is SET BUILTIN ACL, 84 F8.
type SetBuiltinACL struct {
	ACL BuiltinACL
	Ne  int
	Form
}

// Command prints the command.
func (s SetBuiltinACL) Command() apdu.Command {
	return s.secureCommand(INSSetBuiltinACL, 0, 0, s.ACL.Bytes(), s.Ne)
}

// ParseSetBuiltinACL reads the command.
func ParseSetBuiltinACL(c apdu.Command) (SetBuiltinACL, error) {
	f, err := secureForm(c, INSSetBuiltinACL)
	if err != nil {
		return SetBuiltinACL{}, err
	}
	acl, err := ParseBuiltinACL(c.Data)
	if err != nil {
		return SetBuiltinACL{}, err
	}
	return SetBuiltinACL{ACL: acl, Ne: c.Ne, Form: f}, parameters(c, 0, 0)
}
