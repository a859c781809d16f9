package gp

import (
	"fmt"

	"tokenwright/tms/gp/tlv"
)

// FCI is the file control information a security domain answers SELECT with: 6F{84, A5{73, 9F6E,
// 9F65}} (GPCS 2.3.1 §11.9.3.1). MaxData is the value of 9F65, the longest data field in bytes the
// card takes; zero means not given. Management is the content of 73 inside A5. Absent parts are
// nil.
type FCI struct {
	AID        AID
	Management []byte // content of A5.73, security domain management data
	Production []byte // content of A5.9F6E, application production life cycle data
	MaxData    []byte // content of A5.9F65, a big-endian number

	raw []byte
}

const (
	tagFCI         = 0x6F
	tagDFName      = 0x84
	tagProprietary = 0xA5
	tagManagement  = 0x73
	tagProduction  = 0x9F6E
	tagMaxData     = 0x9F65
)

// ParseFCI reads an FCI. Objects it does not know, another order and other length codings are
// taken; Bytes prints them again. Without a name (84) the AID is nil. The error wraps ErrData.
func ParseFCI(b []byte) (FCI, error) {
	n, rest, err := tlv.Read(b)
	if err != nil {
		return FCI{}, fmt.Errorf("%w: fci: %w", ErrData, err)
	}
	if n.Tag != tagFCI || len(rest) > 0 {
		return FCI{}, fmt.Errorf("%w: fci: tag %X, %d bytes behind", ErrData, n.Tag, len(rest))
	}
	var f FCI
	if name, ok := tlv.Find(n.Children, tagDFName); ok {
		if f.AID, err = aidOrNone(name.Value); err != nil {
			return FCI{}, fmt.Errorf("fci: %w", err)
		}
	}
	f.Management = find(n.Children, tagProprietary, tagManagement)
	f.Production = find(n.Children, tagProprietary, tagProduction)
	f.MaxData = find(n.Children, tagProprietary, tagMaxData)
	if string(f.Bytes()) != string(b) {
		f.raw = b
	}
	return f, nil
}

// Bytes prints the FCI; one that was parsed prints as it was read.
func (f FCI) Bytes() []byte {
	if f.raw != nil {
		return f.raw
	}
	var prop, body []byte
	if f.Management != nil {
		prop = tlv.Append(prop, tagManagement, f.Management)
	}
	if f.Production != nil {
		prop = tlv.Append(prop, tagProduction, f.Production)
	}
	if f.MaxData != nil {
		prop = tlv.Append(prop, tagMaxData, f.MaxData)
	}
	if f.AID != nil {
		body = tlv.Append(body, tagDFName, f.AID)
	}
	if prop != nil {
		body = tlv.Append(body, tagProprietary, prop)
	}
	return tlv.Append(nil, tagFCI, body)
}

// find returns the value at path, nil when it is not there.
func find(nodes []tlv.Node, path ...uint32) []byte {
	n, ok := tlv.Find(nodes, path...)
	if !ok {
		return nil
	}
	return n.Value
}
