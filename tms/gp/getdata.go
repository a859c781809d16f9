package gp

import "tokenwright/tms/gp/apdu"

// Tags that GET DATA asks for (GPCS 2.3.1 §11.3.2.1, §H).
const (
	TagIIN             = 0x0042 // issuer identification number
	TagCIN             = 0x0045 // card image number
	TagRecognitionData = 0x0066 // card recognition data
	TagCapabilities    = 0x0067 // card capability information
	TagSequenceCounter = 0x00C1 // sequence counter of the default key version
	TagConfirmations   = 0x00C2 // confirmation counter
	TagKDD             = 0x00CF // key diversification data
	TagKeyInformation  = 0x00E0 // key information template
	TagApplicationList = 0x2F00 // list of applications
	TagCPLC            = 0x9F7F // card production life cycle data
)

// GetData is GET DATA, 80 CA, or 80 CB with a tag list in the data field when List is set
// (GPCS 2.3.1 §11.3). ISO marks the interindustry class, for which a card answers the value
// alone, without tag and length.
type GetData struct {
	Tag  uint16
	List bool   // INS CB
	Data []byte // usually 5C with a tag list; empty otherwise
	ISO  bool
	Ne   int
	Form
}

// Command prints the command.
func (g GetData) Command() apdu.Command {
	ins, usual := byte(INSGetData), byte(claGP)
	if g.List {
		ins = INSGetDataList
	}
	if g.ISO {
		usual = claISO
	}
	return g.command(usual, ins, byte(g.Tag>>8), byte(g.Tag), g.Data, g.Ne)
}

// ParseGetData reads a GET DATA of either class and instruction.
func ParseGetData(c apdu.Command) (GetData, error) {
	g := GetData{
		Tag:  uint16(c.P1)<<8 | uint16(c.P2),
		List: c.INS == INSGetDataList,
		Data: c.Data,
		ISO:  c.CLA&0x80 == 0,
		Ne:   c.Ne,
	}
	ins, usual := byte(INSGetData), byte(claGP)
	if g.List {
		ins = INSGetDataList
	}
	if g.ISO {
		usual = claISO
	}
	var err error
	g.Form, err = formOf(c, usual, ins)
	if err != nil {
		return GetData{}, err
	}
	return g, nil
}
