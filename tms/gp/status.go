package gp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// Scope is P1 of GET STATUS and SET STATUS: the part of the registry meant (GPCS 2.3.1 §11.4.2.1,
// §11.10.2.1). GET STATUS may combine bits.
type Scope byte

// Scopes.
const (
	ScopeISD          Scope = 0x80 // issuer security domain, the card as a whole
	ScopeApplications Scope = 0x40 // applications and security domains
	ScopeLoadFiles    Scope = 0x20 // executable load files
	ScopeModules      Scope = 0x10 // executable load files with their modules
	ScopeSDAndApps    Scope = 0x60 // SET STATUS: a security domain and its applications
)

// String names the scope.
func (s Scope) String() string {
	switch s {
	case ScopeISD:
		return "issuer security domain"
	case ScopeApplications:
		return "applications"
	case ScopeLoadFiles:
		return "load files"
	case ScopeModules:
		return "load files and modules"
	case ScopeSDAndApps:
		return "security domain and its applications"
	default:
		return fmt.Sprintf("scope %02X", byte(s))
	}
}

// GetStatus is GET STATUS, 80 F2 (GPCS 2.3.1 §11.4). Tagged asks for the E3 form of the answer,
// otherwise the form of GPCS 2.1.1; Next continues after 6310. AID filters, nil matches everything.
// TagList is the content of 5C when HasTagList; Tail holds whatever stands behind.
type GetStatus struct {
	Scope      Scope
	Next       bool
	Tagged     bool
	AID        []byte // 0 to 16 bytes, may be partial
	TagList    []byte
	HasTagList bool
	Tail       []byte
	Ne         int
	Form
}

const (
	statusNext   = 0x01
	statusTagged = 0x02
	tagTagList   = 0x5C
)

// Command prints the command.
func (g GetStatus) Command() apdu.Command {
	var p2 byte
	if g.Next {
		p2 |= statusNext
	}
	if g.Tagged {
		p2 |= statusTagged
	}
	data := tlv.Append(nil, tagAID, g.AID)
	if g.HasTagList {
		data = tlv.Append(data, tagTagList, g.TagList)
	}
	data = append(data, g.Tail...)
	return g.command(claGP, INSGetStatus, byte(g.Scope), p2, data, g.Ne)
}

// ParseGetStatus reads the command; its data begin with 4F.
func ParseGetStatus(c apdu.Command) (GetStatus, error) {
	f, err := formOf(c, claGP, INSGetStatus)
	if err != nil {
		return GetStatus{}, err
	}
	if c.P2&^(statusNext|statusTagged) != 0 || c.P1&0xF0 == 0 || c.P1&0x0F != 0 {
		return GetStatus{}, parameterError(c)
	}
	g := GetStatus{
		Scope: Scope(c.P1), Next: c.P2&statusNext != 0, Tagged: c.P2&statusTagged != 0,
		Ne: c.Ne, Form: f,
	}
	n, rest, err := tlv.Split(c.Data)
	if err != nil || n.Tag != tagAID || n.LengthBytes != 0 || len(n.Value) > MaxAID {
		return GetStatus{}, fmt.Errorf("%w: get status without a search qualifier 4F", ErrData)
	}
	if len(n.Value) > 0 {
		g.AID = n.Value
	}
	if n, r, err := tlv.Split(rest); err == nil && n.Tag == tagTagList && n.LengthBytes == 0 {
		g.TagList, g.HasTagList, rest = n.Value, true, r
	}
	if len(rest) > 0 {
		g.Tail = rest
	}
	return g, nil
}

// SetStatus is SET STATUS, 80 F0 (GPCS 2.3.1 §11.10): State is the new life cycle state of the
// card, for ScopeISD, or of the application AID. Data of a ScopeISD command are kept in AID
// whatever they are; the card ignores them.
type SetStatus struct {
	Scope Scope
	State byte
	AID   AID
	Ne    int
	Form
}

// Command prints the command.
func (s SetStatus) Command() apdu.Command {
	return s.command(claGP, INSSetStatus, byte(s.Scope), s.State, s.AID, s.Ne)
}

// ParseSetStatus reads the command with one of the scopes ISD, Applications or SDAndApps.
func ParseSetStatus(c apdu.Command) (SetStatus, error) {
	f, err := formOf(c, claGP, INSSetStatus)
	if err != nil {
		return SetStatus{}, err
	}
	s := SetStatus{Scope: Scope(c.P1), State: c.P2, AID: c.Data, Ne: c.Ne, Form: f}
	switch s.Scope {
	case ScopeISD:
	case ScopeApplications, ScopeSDAndApps:
		if _, err := aidOf(c.Data); err != nil {
			return SetStatus{}, err
		}
	default:
		return SetStatus{}, parameterError(c)
	}
	return s, nil
}
