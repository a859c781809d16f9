package stock

import "encoding/binary"

// CPLCLen is the length of the card production life cycle data without their tag.
const CPLCLen = 42

// CPLC is the card production life cycle data that all cards of a stock share (Open Platform 2.0.1
// §6.12.1). Dates are year digit and day of the year, in BCD.
type CPLC struct {
	Fabricator, ICType                uint16
	OS, OSDate, OSLevel               uint16
	FabricationDate                   uint16
	ModuleFabricator, ModuleDate      uint16
	ICManufacturer, EmbeddingDate     uint16
	PrePersonaliser, PrePersoDate     uint16
	PrePersoEquipment                 uint32
	Personaliser, PersonalisationDate uint16
}

// bytes gives the 42 bytes for one card. The last field is the card's serial number as its
// personaliser counts it.
func (c CPLC) bytes(serial uint32, batch uint16, msn uint32) [CPLCLen]byte {
	b := make([]byte, 0, CPLCLen)
	u16 := func(vs ...uint16) {
		for _, v := range vs {
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	u16(c.Fabricator, c.ICType, c.OS, c.OSDate, c.OSLevel, c.FabricationDate)
	b = binary.BigEndian.AppendUint32(b, serial)
	u16(batch, c.ModuleFabricator, c.ModuleDate, c.ICManufacturer, c.EmbeddingDate)
	u16(c.PrePersonaliser, c.PrePersoDate)
	b = binary.BigEndian.AppendUint32(b, c.PrePersoEquipment)
	u16(c.Personaliser, c.PersonalisationDate)
	b = binary.BigEndian.AppendUint32(b, msn)
	return [CPLCLen]byte(b)
}
