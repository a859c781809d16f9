package decode

import (
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// isoSpecs are commands of the interindustry class (ISO/IEC 7816-4 and 7816-8). Of those that
// belong to other applications only the name is shown: their data may be a PIN.
var isoSpecs = map[byte]spec{
	gp.INSSelect: {name: "SELECT", command: selectCommand, answer: selectAnswer},
	gp.INSGetData: {
		name: "GET DATA", variant: tagName, command: getData,
		secretAnswer: true, answer: getDataAnswer,
	},
	gp.INSGetDataList: {name: "GET DATA", secretAnswer: true},
	gp.INSGetResponse: {name: "GET RESPONSE", secretAnswer: true},
	gp.INSManageChannel: {
		name: "MANAGE CHANNEL", answer: plainAnswer, command: func(w *writer, c apdu.Command) error {
			w.addf("P1 P2", "%02X %02X", c.P1, c.P2)
			return nil
		},
	},
	0x20: {name: "VERIFY", secret: true, secretAnswer: true},
	0x21: {name: "VERIFY", secret: true, secretAnswer: true},
	0x22: {name: "MANAGE SECURITY ENVIRONMENT", secret: true, secretAnswer: true},
	0x24: {name: "CHANGE REFERENCE DATA", secret: true, secretAnswer: true},
	0x2A: {name: "PERFORM SECURITY OPERATION", secret: true, secretAnswer: true},
	0x2C: {name: "RESET RETRY COUNTER", secret: true, secretAnswer: true},
	0x46: {name: "GENERATE KEY PAIR", secret: true, secretAnswer: true},
	0x47: {name: "GENERATE KEY PAIR", secret: true, secretAnswer: true},
	0x82: {name: "EXTERNAL AUTHENTICATE", secret: true, secretAnswer: true},
	0x84: {name: "GET CHALLENGE", secret: true, secretAnswer: true},
	0x86: {name: "GENERAL AUTHENTICATE", secret: true, secretAnswer: true},
	0x87: {name: "GENERAL AUTHENTICATE", secret: true, secretAnswer: true},
	0x88: {name: "INTERNAL AUTHENTICATE", secret: true, secretAnswer: true},
	0xB0: {name: "READ BINARY", secret: true, secretAnswer: true},
	0xB2: {name: "READ RECORD", secret: true, secretAnswer: true},
	0xD6: {name: "UPDATE BINARY", secret: true, secretAnswer: true},
	0xDA: {name: "PUT DATA", secret: true, secretAnswer: true},
	0xDB: {name: "PUT DATA", secret: true, secretAnswer: true},
	0xDC: {name: "UPDATE RECORD", secret: true, secretAnswer: true},
}
