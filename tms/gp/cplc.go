package gp

import (
	"fmt"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/tlv"
)

// CPLCLen is the length in bytes of CPLC data with tag and length, as GET DATA 9F7F answers them.
const CPLCLen = 45

const cplcBody = 42

// CPLC is card production life cycle data (Open Platform 2.0.1 §6.12.1): who made the chip, its
// system and the card, and when. Dates are BCD, the last digit of the year and the day of the year.
type CPLC struct {
	ICFabricator       [2]byte
	ICType             [2]byte
	OSID               [2]byte
	OSDate             [2]byte
	OSLevel            [2]byte
	FabricationDate    [2]byte
	ICSerial           [4]byte
	ICBatch            [2]byte
	ModuleFabricator   [2]byte
	ModuleDate         [2]byte
	ICManufacturer     [2]byte
	EmbeddingDate      [2]byte
	PrePersonalizer    [2]byte
	PrePersoDate       [2]byte
	PrePersoEquipment  [4]byte
	Personalizer       [2]byte
	PersoDate          [2]byte
	PersoEquipment     [4]byte // what a TPS calls MSN
	WithoutTagAndCount bool    // the answer to the interindustry class: 42 bytes of value alone
}

// fields lists the fields in the order in which they stand.
func (c *CPLC) fields() [][]byte {
	return [][]byte{
		c.ICFabricator[:], c.ICType[:], c.OSID[:], c.OSDate[:], c.OSLevel[:],
		c.FabricationDate[:], c.ICSerial[:], c.ICBatch[:], c.ModuleFabricator[:],
		c.ModuleDate[:], c.ICManufacturer[:], c.EmbeddingDate[:], c.PrePersonalizer[:],
		c.PrePersoDate[:], c.PrePersoEquipment[:], c.Personalizer[:], c.PersoDate[:],
		c.PersoEquipment[:],
	}
}

// ParseCPLC reads 9F7F 2A and 42 bytes, or the 42 bytes alone. Other tags and lengths of this size
// are refused with an error that wraps ErrData.
func ParseCPLC(b []byte) (CPLC, error) {
	var c CPLC
	switch len(b) {
	case CPLCLen:
		n, _, err := tlv.Split(b)
		if err != nil || n.Tag != TagCPLC || len(n.Value) != cplcBody {
			return CPLC{}, fmt.Errorf("%w: cplc begins with %X", ErrData, b[:3])
		}
		b = n.Value
	case cplcBody:
		c.WithoutTagAndCount = true
	default:
		return CPLC{}, fmt.Errorf("%w: cplc of %d bytes, want %d", ErrData, len(b), CPLCLen)
	}
	for _, f := range c.fields() {
		b = b[copy(f, b):]
	}
	return c, nil
}

// Bytes prints 45 bytes, or 42 when WithoutTagAndCount.
func (c CPLC) Bytes() []byte {
	out := make([]byte, 0, CPLCLen)
	if !c.WithoutTagAndCount {
		out = append(out, TagCPLC>>8, TagCPLC&0xFF, cplcBody)
	}
	for _, f := range c.fields() {
		out = append(out, f...)
	}
	return out
}

// CUID is the card unique identifier: fabricator, IC type, batch, serial; bytes 3-6, 19-20 and
// 15-18 of the 45.
func (c CPLC) CUID() keys.CUID {
	var id keys.CUID
	copy(id[0:], c.ICFabricator[:])
	copy(id[2:], c.ICType[:])
	copy(id[4:], c.ICBatch[:])
	copy(id[6:], c.ICSerial[:])
	return id
}

// SetCUID puts the parts of id where CUID finds them.
func (c *CPLC) SetCUID(id keys.CUID) {
	copy(c.ICFabricator[:], id[0:2])
	copy(c.ICType[:], id[2:4])
	copy(c.ICBatch[:], id[4:6])
	copy(c.ICSerial[:], id[6:10])
}

// MSN is the last four bytes, 41-44 of the 45, which a TPS keeps as the token's MSN.
func (c CPLC) MSN() [4]byte { return c.PersoEquipment }

// CPLCField is a named field of CPLC data, for display.
type CPLCField struct {
	Name  string
	Value []byte
}

// Fields returns all fields with their names, in order.
func (c CPLC) Fields() []CPLCField {
	names := []string{
		"IC fabricator", "IC type", "operating system ID", "operating system date",
		"operating system level", "IC fabrication date", "IC serial number", "IC batch",
		"module fabricator", "module packaging date", "IC manufacturer", "IC embedding date",
		"pre-personalizer", "pre-personalization date", "pre-personalization equipment",
		"personalizer", "personalization date", "personalization equipment",
	}
	out := make([]CPLCField, len(names))
	for i, f := range c.fields() {
		out[i] = CPLCField{Name: names[i], Value: f}
	}
	return out
}
