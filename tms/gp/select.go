package gp

import "tokenwright/tms/gp/apdu"

// Occurrence and answer bits of P2 in SELECT (ISO/IEC 7816-4 §7.1.1, GPCS 2.3.1 §11.9.2.2).
const (
	SelectFirst = 0x00 // first or only occurrence
	SelectNext  = 0x02 // next occurrence of a partial AID
	SelectNoFCI = 0x0C // no answer data wanted
)

// Select is SELECT by name, 00 A4 04. An empty AID selects the issuer security domain; a partial
// one selects the first application, with P2 SelectNext the following ones (GPCS 2.3.1 §11.9).
type Select struct {
	AID AID
	P2  byte
	Ne  int
	Form
}

// Command prints the command.
func (s Select) Command() apdu.Command {
	return s.command(claISO, INSSelect, 0x04, s.P2, s.AID, s.Ne)
}

// ParseSelect reads a SELECT by name with an AID of 0 or 5 to 16 bytes.
func ParseSelect(c apdu.Command) (Select, error) {
	f, err := formOf(c, claISO, INSSelect)
	if err != nil {
		return Select{}, err
	}
	if c.P1 != 0x04 {
		return Select{}, parameterError(c)
	}
	aid, err := aidOrNone(c.Data)
	if err != nil {
		return Select{}, err
	}
	return Select{AID: aid, P2: c.P2, Ne: c.Ne, Form: f}, nil
}
