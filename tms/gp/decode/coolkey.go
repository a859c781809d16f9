package decode

import (
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// coolkeySpecs are the commands of the CoolKey applet, class B0, and 84 or 80 inside a channel.
var coolkeySpecs = map[byte]spec{
	coolkey.INSGetStatus:     {name: "GET STATUS (CoolKey)", answer: statusAnswer},
	coolkey.INSGetVersion:    {name: "GET VERSION", answer: versionAnswer},
	coolkey.INSNop:           {name: "NOP", secret: true, secretAnswer: true},
	coolkey.INSGetLifeCycle:  {name: "GET LIFECYCLE", answer: lifeCycleAnswer},
	coolkey.INSSetLifeCycle:  {name: "SET LIFECYCLE", command: setLifeCycle},
	coolkey.INSGetIssuerInfo: {name: "GET ISSUER INFO", answer: issuerAnswer},
	coolkey.INSSetIssuerInfo: {name: "SET ISSUER INFO", command: setIssuerInfo},
	coolkey.INSGetBuiltinACL: {name: "GET BUILTIN ACL", answer: builtinACLAnswer},
	coolkey.INSSetBuiltinACL: {name: "SET BUILTIN ACL", command: setBuiltinACL},

	coolkey.INSCreatePIN:   {name: "CREATE PIN", secret: true, command: createPIN, secretAnswer: true},
	coolkey.INSSetPIN:      {name: "SET PIN", secret: true, command: setPIN, secretAnswer: true},
	coolkey.INSVerifyPIN:   {name: "VERIFY PIN", secret: true, command: verifyPIN, secretAnswer: true},
	coolkey.INSChangePIN:   {name: "CHANGE PIN", secret: true, command: changePIN, secretAnswer: true},
	coolkey.INSListPINs:    {name: "LIST PINS", answer: listPINsAnswer},
	coolkey.INSGetPINTries: {name: "GET PIN TRIES", command: pinNumber, answer: plainAnswer},
	coolkey.INSLogout:      {name: "LOGOUT", secret: true, command: logout},

	coolkey.INSCreateObject: {name: "CREATE OBJECT", secret: true, command: createObject},
	coolkey.INSDeleteObject: {name: "DELETE OBJECT", secret: true, command: deleteObject},
	coolkey.INSReadObject: {
		name: "READ OBJECT", secret: true, command: readObject,
		secretAnswer: true, answer: readObjectAnswer,
	},
	coolkey.INSWriteObject: {name: "WRITE OBJECT", secret: true, command: writeObject},
	coolkey.INSListObjects: {name: "LIST OBJECTS", answer: listObjectsAnswer},
	coolkey.INSReadBuffer:  {name: "READ BUFFER", secretAnswer: true},

	coolkey.INSListKeys: {name: "LIST KEYS", answer: listKeysAnswer},
	coolkey.INSComputeCrypt: {
		name: "COMPUTE CRYPT", secret: true, command: computeCrypt, secretAnswer: true,
	},
	0x37:                  {name: "COMPUTE ECC 37", secret: true, secretAnswer: true},
	0x38:                  {name: "COMPUTE ECC 38", secret: true, secretAnswer: true},
	coolkey.INSImportKey:  {name: "IMPORT KEY", secret: true, command: importKey},
	coolkey.INSGetRandom:  {name: "GET RANDOM", secretAnswer: true},
	coolkey.INSSeedRandom: {name: "SEED RANDOM", secret: true},
	coolkey.INSStartEnrollment: {
		name: "START ENROLLMENT", secret: true, command: startEnrollment, answer: plainAnswer,
	},
	coolkey.INSStartEnrollmentECC: {
		name: "START ENROLLMENT ECC", secret: true, command: startEnrollment, answer: plainAnswer,
	},
	coolkey.INSImportEncryptedKey: {
		name: "IMPORT KEY ENCRYPTED", secret: true, command: importEncryptedKey,
	},
	coolkey.INSClearKeySlots: {name: "CLEAR KEY SLOTS", command: clearKeySlots},
}

func statusAnswer(w *writer, _ apdu.Command, data []byte) error {
	s, err := coolkey.ParseStatus(data)
	if err != nil {
		return err
	}
	w.addf("protocol", "%d.%d", s.ProtocolMajor, s.ProtocolMinor)
	w.addf("applet", "%d.%d", s.AppletMajor, s.AppletMinor)
	w.addf("memory", "%d of %d free", s.FreeMemory, s.TotalMemory)
	w.addf("PINs", "%d", s.PINs)
	w.addf("keys", "%d", s.Keys)
	w.addf("logged in", "%04X", s.LoggedIn)
	return nil
}

func versionAnswer(w *writer, _ apdu.Command, data []byte) error {
	v, err := coolkey.ParseVersion(data)
	if err != nil {
		return err
	}
	w.add("build", v.String())
	return nil
}

func lifeCycleAnswer(w *writer, _ apdu.Command, data []byte) error {
	l, err := coolkey.ParseLifeCycle(data)
	if err != nil {
		return err
	}
	w.add("state", l.State.String())
	if l.Long {
		w.addf("flags", "%02X", l.Flags)
		w.addf("protocol", "%d.%d", l.ProtocolMajor, l.ProtocolMinor)
	}
	return nil
}

func setLifeCycle(w *writer, c apdu.Command) error {
	s, err := coolkey.ParseSetLifeCycle(c)
	if err != nil {
		return err
	}
	w.add("state", s.State.String())
	return nil
}

func issuerAnswer(w *writer, _ apdu.Command, data []byte) error {
	w.addf("issuer", "%q", coolkey.IssuerText(data))
	return nil
}

func setIssuerInfo(w *writer, c apdu.Command) error {
	s, err := coolkey.ParseSetIssuerInfo(c)
	if err != nil {
		return err
	}
	w.addf("issuer", "%q", coolkey.IssuerText(s.Info[:]))
	return nil
}

func (w *writer) builtinACL(a coolkey.BuiltinACL) {
	w.add("create object", a.CreateObject.String())
	w.add("create key", a.CreateKey.String())
	w.add("create PIN", a.CreatePIN.String())
	w.addf("change allowed", "%t", a.Enable != 0)
}

func builtinACLAnswer(w *writer, _ apdu.Command, data []byte) error {
	a, err := coolkey.ParseBuiltinACL(data)
	if err == nil {
		w.builtinACL(a)
	}
	return err
}

func setBuiltinACL(w *writer, c apdu.Command) error {
	s, err := coolkey.ParseSetBuiltinACL(c)
	if err == nil {
		w.builtinACL(s.ACL)
	}
	return err
}

// nonce tells the identity of a command and hides the session's nonce at the end of the data.
func (w *writer) nonce(a coolkey.Auth) {
	switch {
	case a.Class != coolkey.ClassUsual:
	case a.Nonce.IsZero():
		w.add("identity", "anonymous")
	default:
		w.hide("nonce", len(w.data)-coolkey.NonceLen, coolkey.NonceLen)
	}
}

func pinNumber(w *writer, c apdu.Command) error {
	w.addf("number", "%d", c.P1)
	return nil
}

func createPIN(w *writer, c apdu.Command) error {
	p, err := coolkey.ParseCreatePIN(c)
	if err != nil {
		return err
	}
	w.addf("number", "%d", p.Number)
	w.addf("tries", "%d", p.Tries)
	w.hide("PIN", 0, len(p.PIN))
	w.nonce(p.Auth)
	return nil
}

func setPIN(w *writer, c apdu.Command) error {
	w.addf("number", "%d", c.P1)
	w.hide("PIN", 0, len(c.Data))
	return nil
}

func verifyPIN(w *writer, c apdu.Command) error { return setPIN(w, c) }

func changePIN(w *writer, c apdu.Command) error {
	w.addf("number", "%d", c.P1)
	w.hide("old and new PIN", 0, len(c.Data))
	return nil
}

func listPINsAnswer(w *writer, _ apdu.Command, data []byte) error {
	m, err := coolkey.ParsePINMask(data)
	if err != nil {
		return err
	}
	w.addf("PINs", "%016b", uint16(m))
	return nil
}

func logout(w *writer, c apdu.Command) error {
	l, err := coolkey.ParseLogout(c)
	if err != nil {
		return err
	}
	w.addf("number", "%d", l.Number)
	if l.HasNonce {
		w.hide("nonce", 0, coolkey.NonceLen)
	}
	return nil
}

func listKeysAnswer(w *writer, _ apdu.Command, data []byte) error {
	k, err := coolkey.ParseKeyRecord(data)
	if err != nil {
		return err
	}
	w.addf("slot", "%d", k.Slot)
	w.add("type", k.Type.String())
	w.addf("bits", "%d", k.Bits)
	if k.Mate != coolkey.NoMate {
		w.addf("mate", "%d", k.Mate)
	}
	w.add("access", k.ACL.String())
	return nil
}

func clearKeySlots(w *writer, c apdu.Command) error {
	k, err := coolkey.ParseClearKeySlots(c)
	if err != nil {
		return err
	}
	for _, p := range k.Keep {
		w.add("keep", fmt.Sprintf("%d and %d", p.Private, p.Public))
	}
	return nil
}
