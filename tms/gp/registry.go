package gp

import (
	"bytes"
	"fmt"

	"tokenwright/tms/gp/tlv"
)

const (
	tagRegistry    = 0xE3
	tagLifeCycle   = 0x9F70
	tagPrivileges  = 0xC5
	tagImplicit    = 0xCF
	tagFileOfApp   = 0xC4
	tagFileVersion = 0xCE
	tagOwner       = 0xCC

	maxRegistryEntries = 512
)

// RegistryEntry is one line of a GET STATUS answer. LifeCycle is a CardState for the issuer
// security domain, an AppState for applications and FileLoaded for load files. Empty fields are not
// printed, apart from AID and LifeCycle.
type RegistryEntry struct {
	AID        AID
	LifeCycle  byte
	Privileges Privileges
	Implicit   []byte // implicit selection parameter, CF
	File       AID    // load file the application came from, C4
	Version    []byte // of the load file, CE
	Owner      AID    // associated security domain, CC
	Modules    []AID  // of the load file, 84 each

	raw []byte
}

// Registry is the data of a GET STATUS answer.
type Registry []RegistryEntry

// ParseRegistry reads answers of the tagged form, E3 one after the other (GPCS 2.3.1 §11.4.3.1).
// Other objects inside an entry, and another order, are taken; Bytes prints them again. The error
// wraps ErrData.
func ParseRegistry(b []byte) (Registry, error) {
	nodes, err := tlv.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: get status answer: %w", ErrData, err)
	}
	if len(nodes) > maxRegistryEntries {
		return nil, fmt.Errorf("%w: get status answer of %d entries", ErrData, len(nodes))
	}
	var reg Registry
	for _, n := range nodes {
		if n.Tag != tagRegistry {
			return nil, fmt.Errorf("%w: tag %X in get status answer", ErrData, n.Tag)
		}
		e, err := parseEntry(n)
		if err != nil {
			return nil, err
		}
		reg = append(reg, e)
	}
	return reg, nil
}

func parseEntry(n tlv.Node) (RegistryEntry, error) {
	var e RegistryEntry
	var err error
	if e.AID, err = aidOf(find(n.Children, tagAID)); err != nil {
		return RegistryEntry{}, fmt.Errorf("get status answer: %w", err)
	}
	state := find(n.Children, tagLifeCycle)
	if len(state) > 0 {
		e.LifeCycle = state[0]
	}
	e.Privileges = find(n.Children, tagPrivileges)
	e.Implicit = find(n.Children, tagImplicit)
	e.File = find(n.Children, tagFileOfApp)
	e.Version = find(n.Children, tagFileVersion)
	e.Owner = find(n.Children, tagOwner)
	for _, m := range tlv.All(n.Children, tagDFName) {
		e.Modules = append(e.Modules, m.Value)
	}
	if raw := n.Bytes(); !bytes.Equal(e.bytes(), raw) {
		e.raw = raw
	}
	return e, nil
}

func (e RegistryEntry) bytes() []byte {
	if e.raw != nil {
		return e.raw
	}
	body := tlv.Append(nil, tagAID, e.AID)
	body = tlv.Append(body, tagLifeCycle, []byte{e.LifeCycle})
	for _, f := range []struct {
		tag   uint32
		value []byte
	}{
		{tagPrivileges, e.Privileges}, {tagImplicit, e.Implicit}, {tagFileOfApp, e.File},
		{tagFileVersion, e.Version}, {tagOwner, e.Owner},
	} {
		if len(f.value) > 0 {
			body = tlv.Append(body, f.tag, f.value)
		}
	}
	for _, m := range e.Modules {
		body = tlv.Append(body, tagDFName, m)
	}
	return tlv.Append(nil, tagRegistry, body)
}

// Bytes prints the tagged form; entries that were parsed print as they were read.
func (r Registry) Bytes() []byte {
	var out []byte
	for _, e := range r {
		out = append(out, e.bytes()...)
	}
	return out
}

// ParseRegistryOld reads answers of the form of GPCS 2.1.1 §9.4.3: length and AID, life cycle
// state, one byte of privileges, and with modules (ScopeModules) their number and AIDs. The error
// wraps ErrData.
func ParseRegistryOld(b []byte, modules bool) (Registry, error) {
	var reg Registry
	r := reader{rest: b}
	for r.err == nil && len(r.rest) > 0 {
		if len(reg) == maxRegistryEntries {
			return nil, fmt.Errorf("%w: get status answer of too many entries", ErrData)
		}
		e := RegistryEntry{AID: r.shortAID("aid"), LifeCycle: r.byte("life cycle state")}
		e.Privileges = r.take("privileges", 1)
		if modules {
			for range int(r.byte("module count")) {
				if r.err != nil {
					break
				}
				e.Modules = append(e.Modules, r.shortAID("module aid"))
			}
		}
		reg = append(reg, e)
	}
	if r.err != nil {
		return nil, fmt.Errorf("get status answer: %w", r.err)
	}
	return reg, nil
}

// BytesOld prints the form of GPCS 2.1.1 §9.4.3, with the modules if asked for. Privileges beyond
// the first byte do not fit and are left out.
func (r Registry) BytesOld(modules bool) []byte {
	var out []byte
	for _, e := range r {
		out = append(append(out, byte(len(e.AID))), e.AID...)
		out = append(out, e.LifeCycle, byte(e.Privileges.Mask()>>16))
		if modules {
			out = append(out, byte(len(e.Modules)))
			for _, m := range e.Modules {
				out = append(append(out, byte(len(m))), m...)
			}
		}
	}
	return out
}

// Find returns the entry of aid.
func (r Registry) Find(aid AID) (RegistryEntry, bool) {
	for _, e := range r {
		if e.AID.Equal(aid) {
			return e, true
		}
	}
	return RegistryEntry{}, false
}
