package gp

import (
	"bytes"
	"fmt"
	"strings"

	"tokenwright/tms/gp/tlv"
)

// Object identifiers of card recognition data: {globalPlatform} and the arc behind it
// (GPCS 2.3.1 §H.2).
const (
	oidGlobalPlatform = "\x2A\x86\x48\x86\xFC\x6B"

	arcRecognition = 1 // marks card recognition data
	arcVersion     = 2 // card management type and version
	arcScheme      = 3 // card identification scheme
	arcProtocol    = 4 // secure channel protocol and its i parameter

	tagRecognitionBody = 0x73
	tagOID             = 0x06
	tagManagementType  = 0x60
	tagIDScheme        = 0x63
	tagProtocol        = 0x64
	tagConfiguration   = 0x65
	tagChip            = 0x66
)

// Protocol is a secure channel protocol that a card announces, with its i parameter.
type Protocol struct {
	SCP byte
	I   byte
}

// String reads "SCP03 i=70".
func (p Protocol) String() string { return fmt.Sprintf("SCP%02X i=%02X", p.SCP, p.I) }

// CardRecognitionData says which GlobalPlatform version and secure channel protocols a card speaks
// (GPCS 2.3.1 §H.2). Version holds the numbers of the card specification, 2 1 1; it may be missing.
// Configuration and Chip are the contents of 65 and 66, nil when absent.
type CardRecognitionData struct {
	Version       []byte
	Protocols     []Protocol
	Configuration []byte
	Chip          []byte

	raw []byte
}

// ParseCardRecognitionData reads the answer to GET DATA 0066, with or without the outer tag 66.
// Cards differ: objects are looked for at any depth, unknown ones and bytes behind the outer object
// are passed over, and Bytes prints all of it again. An answer that is not BER-TLV, or holds none
// of GlobalPlatform's object identifiers, is an error that wraps ErrData.
func ParseCardRecognitionData(b []byte) (CardRecognitionData, error) {
	n, _, err := tlv.Read(b)
	if err != nil {
		return CardRecognitionData{}, fmt.Errorf("%w: card recognition data: %w", ErrData, err)
	}
	var d CardRecognitionData
	if !d.walk(n, 0) {
		return CardRecognitionData{}, fmt.Errorf("%w: no GlobalPlatform identifier in card "+
			"recognition data", ErrData)
	}
	if !bytes.Equal(d.Bytes(), b) {
		d.raw = b
	}
	return d, nil
}

// walk visits n and everything in it and reports whether an identifier was found. depth counts the
// levels: the content of 66 is chip details only below the body.
func (d *CardRecognitionData) walk(n tlv.Node, depth int) bool {
	switch {
	case n.Tag == tagOID:
		return d.identifier(n.Value)
	case n.Tag == tagConfiguration && d.Configuration == nil:
		d.Configuration = n.Value
		return false
	case n.Tag == tagChip && depth >= 2 && d.Chip == nil && !holdsBody(n):
		d.Chip = n.Value
		return false
	}
	found := false
	for _, child := range n.Children {
		found = d.walk(child, depth+1) || found
	}
	return found
}

// holdsBody tells card recognition data nested in itself, as some cards answer, from chip details.
func holdsBody(n tlv.Node) bool {
	_, ok := tlv.Find(n.Children, tagRecognitionBody)
	return ok
}

func (d *CardRecognitionData) identifier(oid []byte) bool {
	arc, ok := bytes.CutPrefix(oid, []byte(oidGlobalPlatform))
	if !ok || len(arc) == 0 {
		return false
	}
	switch {
	case arc[0] == arcVersion && len(arc) > 1 && d.Version == nil:
		d.Version = arc[1:]
	case arc[0] == arcProtocol && len(arc) == 3:
		d.Protocols = append(d.Protocols, Protocol{SCP: arc[1], I: arc[2]})
	case arc[0] == arcProtocol && len(arc) == 4 && arc[2] == 0x81: // i of 80 to FF
		d.Protocols = append(d.Protocols, Protocol{SCP: arc[1], I: arc[3] | 0x80})
	}
	return true
}

// Bytes prints the data with the outer tag 66; what was parsed prints as it was read.
func (d CardRecognitionData) Bytes() []byte {
	if d.raw != nil {
		return d.raw
	}
	body := tlv.Append(nil, tagOID, identifier(arcRecognition))
	if d.Version != nil {
		body = appendIdentifier(body, tagManagementType, identifier(arcVersion, d.Version...))
	}
	body = appendIdentifier(body, tagIDScheme, identifier(arcScheme))
	for _, p := range d.Protocols {
		i := []byte{arcProtocol, p.SCP, p.I}
		if p.I >= 0x80 {
			i = []byte{arcProtocol, p.SCP, 0x81, p.I & 0x7F}
		}
		body = appendIdentifier(body, tagProtocol, identifier(i[0], i[1:]...))
	}
	if d.Configuration != nil {
		body = tlv.Append(body, tagConfiguration, d.Configuration)
	}
	if d.Chip != nil {
		body = tlv.Append(body, tagChip, d.Chip)
	}
	return tlv.Append(nil, TagRecognitionData, tlv.Append(nil, tagRecognitionBody, body))
}

func identifier(arc byte, rest ...byte) []byte {
	return append(append([]byte(oidGlobalPlatform), arc), rest...)
}

func appendIdentifier(dst []byte, tag uint32, oid []byte) []byte {
	return tlv.Append(dst, tag, tlv.Append(nil, tagOID, oid))
}

// Protocol returns the announcement of the given protocol number.
func (d CardRecognitionData) Protocol(scp byte) (Protocol, bool) {
	for _, p := range d.Protocols {
		if p.SCP == scp {
			return p, true
		}
	}
	return Protocol{}, false
}

// VersionString reads "2.1.1", or "unknown".
func (d CardRecognitionData) VersionString() string {
	if len(d.Version) == 0 {
		return "unknown"
	}
	parts := make([]string, len(d.Version))
	for i, v := range d.Version {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ".")
}
