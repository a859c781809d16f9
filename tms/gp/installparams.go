package gp

import (
	"encoding/binary"

	"tokenwright/tms/gp/tlv"
)

// Tags inside load and install parameters (GPCS 2.3.1 §11.5.2.3.7).
const (
	TagApplicationParams = 0xC9 // data for the applet's install method
	TagSystemParams      = 0xEF
	TagCodeSize          = 0xC6 // non-volatile code memory, in EF
	TagVolatileSize      = 0xC7 // volatile data memory, in EF
	TagDataSize          = 0xC8 // non-volatile data memory, in EF
)

// InstallParams is the parameter field of INSTALL: data objects in any order, kept as they stand.
// Cards take content they do not understand, so nothing is checked until it is asked for.
type InstallParams []byte

// LoadParams are the parameters of INSTALL [for load] that ask for codeSize bytes of code memory:
// EF 04 C6 02 size. Sizes over 65535 take four bytes, as GPCS allows.
func LoadParams(codeSize uint32) InstallParams {
	return tlv.Append(nil, TagSystemParams, tlv.Append(nil, TagCodeSize, memorySize(codeSize)))
}

// InstanceParams are the parameters of INSTALL [for install] that ask for dataSize bytes of memory
// and hand app to the applet: EF 04 C8 02 size, then C9 app. This is the order a TPS sends.
func InstanceParams(dataSize uint32, app []byte) InstallParams {
	sys := tlv.Append(nil, TagDataSize, memorySize(dataSize))
	return tlv.Append(tlv.Append(nil, TagSystemParams, sys), TagApplicationParams, app)
}

func memorySize(n uint32) []byte {
	if n > 0xFFFF {
		return binary.BigEndian.AppendUint32(nil, n)
	}
	return binary.BigEndian.AppendUint16(nil, uint16(n))
}

// Nodes takes the parameters apart.
func (p InstallParams) Nodes() ([]tlv.Node, error) { return tlv.Parse(p) }

// App returns the data for the applet's install method, the content of C9. ok is false when there
// is none or the parameters are malformed.
func (p InstallParams) App() (data []byte, ok bool) {
	nodes, err := p.Nodes()
	if err != nil {
		return nil, false
	}
	n, ok := tlv.Find(nodes, TagApplicationParams)
	return n.Value, ok
}

// Size returns a memory size among the system parameters: TagCodeSize, TagVolatileSize or
// TagDataSize, two or four bytes wide. ok is false when there is none of this form.
func (p InstallParams) Size(tag uint32) (size uint32, ok bool) {
	nodes, err := p.Nodes()
	if err != nil {
		return 0, false
	}
	n, ok := tlv.Find(nodes, TagSystemParams, tag)
	if !ok {
		return 0, false
	}
	switch len(n.Value) {
	case 2:
		return uint32(binary.BigEndian.Uint16(n.Value)), true
	case 4:
		return binary.BigEndian.Uint32(n.Value), true
	default:
		return 0, false
	}
}
