package gp

import "tokenwright/tms/gp/apdu"

// StoreData is STORE DATA, 80 E2 (GPCS 2.3.1 §11.11). Flags are the bits of P1 other than "last
// block": encryption (60), structure (18) and case (01). Block is the block number.
type StoreData struct {
	Last  bool
	Flags byte
	Block byte
	Data  []byte
	Ne    int
	Form
}

// Bits of StoreData.Flags.
const (
	StoreEncrypted = 0x60 // mask: 00 no information, 20 application dependent, 60 encrypted
	StoreStructure = 0x18 // mask: 00 no information, 08 DGI, 10 BER-TLV
	StoreDGI       = 0x08
	StoreBERTLV    = 0x10
	StoreCase4     = 0x01 // a response may be expected
)

// Command prints the command.
func (s StoreData) Command() apdu.Command {
	p1 := s.Flags &^ topBit
	if s.Last {
		p1 |= topBit
	}
	return s.command(claGP, INSStoreData, p1, s.Block, s.Data, s.Ne)
}

// ParseStoreData reads the command.
func ParseStoreData(c apdu.Command) (StoreData, error) {
	f, err := formOf(c, claGP, INSStoreData)
	if err != nil {
		return StoreData{}, err
	}
	return StoreData{
		Last: c.P1&topBit != 0, Flags: c.P1 &^ topBit, Block: c.P2, Data: c.Data, Ne: c.Ne, Form: f,
	}, nil
}
