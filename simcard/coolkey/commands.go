package coolkey

import (
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// handler answers a command: the APDU, P3 as the applet sees it, and the data without nonce.
type handler func(a *instance, cmd apdu.Command, p3 int, data []byte) ([]byte, error)

// command is an entry of a table of instructions. One that reads changes nothing that must be kept.
type command struct {
	run   handler
	reads bool
}

func writing(h handler) command { return command{run: h} }

func reading(h handler) command { return command{run: h, reads: true} }

// Instructions for keys on curves. Which is which, the payload tells.
const (
	insCompute37 = 0x37
	insCompute38 = 0x38
)

// shared are the commands of both classes. In class B0 they bring a nonce.
var shared = [256]command{
	lang.INSImportKey:    writing((*instance).importKey),
	lang.INSComputeCrypt: writing((*instance).computeCrypt),
	insCompute37:         writing((*instance).computeEC),
	insCompute38:         writing((*instance).computeEC),
	lang.INSCreatePIN:    writing((*instance).createPIN),
	lang.INSDeleteObject: writing((*instance).deleteObject),
	lang.INSWriteObject:  writing((*instance).writeObject),
	lang.INSReadObject:   reading((*instance).readObject),
	lang.INSCreateObject: writing((*instance).createObject),
}

// open are the commands of class B0 without a nonce.
var open = [256]command{
	lang.INSListKeys:      writing((*instance).listKeys),
	lang.INSGetStatus:     reading((*instance).getStatus),
	lang.INSVerifyPIN:     writing((*instance).verifyPIN),
	lang.INSChangePIN:     writing((*instance).changePIN),
	lang.INSListPINs:      reading((*instance).listPINs),
	lang.INSGetPINTries:   reading((*instance).pinTries),
	lang.INSListObjects:   writing((*instance).listObjects),
	lang.INSLogout:        reading((*instance).logout),
	lang.INSGetVersion:    reading((*instance).getBuild),
	lang.INSNop:           reading((*instance).nop),
	lang.INSGetRandom:     reading((*instance).getRandom),
	lang.INSSeedRandom:    reading((*instance).nop),
	lang.INSGetLifeCycle:  reading((*instance).getLifeCycle),
	lang.INSGetIssuerInfo: reading((*instance).getIssuerInfo),
	lang.INSGetBuiltinACL: reading((*instance).getBuiltinACL),
}

// secured are the commands of class 84 alone, run as the registration authority.
var secured = [256]command{
	lang.INSSetPIN:             writing((*instance).setPIN),
	lang.INSImportEncryptedKey: writing((*instance).importEncryptedKey),
	lang.INSStartEnrollment:    writing((*instance).startEnrollment),
	lang.INSStartEnrollmentECC: writing((*instance).startEnrollmentEC),
	lang.INSClearKeySlots:      writing((*instance).clearKeySlots),
	lang.INSSetLifeCycle:       writing((*instance).setLifeCycle),
	lang.INSSetIssuerInfo:      writing((*instance).setIssuerInfo),
	lang.INSSetBuiltinACL:      writing((*instance).setBuiltinACL),
}

// knows tells whether this build, as things stand, has an instruction of the tables.
func (a *instance) knows(ins byte) bool {
	switch ins {
	case lang.INSGetPINTries:
		return a.version.hasTries()
	case lang.INSClearKeySlots:
		return a.version.hasClear()
	case insCompute37, insCompute38:
		return a.keys.HasEC()
	case gp.INSBeginRMAC, gp.INSEndRMAC:
		return a.version.is15()
	}
	return true
}
