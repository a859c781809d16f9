package coolkey

import (
	"bytes"

	"tokenwright/simcard/applet"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// Model is the code of one build of the applet.
type Model struct{ Version Version }

// fixedSize is what an instance takes besides its heap.
const fixedSize = 1024

// Size implements applet.Model.
func (m Model) Size(params []byte) int { return lang.ParseInstallParams(params).Heap() + fixedSize }

// Install implements applet.Model. Parameters that make no sense are ignored from there on, as the
// applet does.
func (m Model) Install(_ applet.Env, tx applet.Tx, params []byte) error {
	s, heap := newState(m.Version, lang.ParseInstallParams(params))
	save(tx, state{}, s, nil, heap)
	return nil
}

// Start implements applet.Model.
func (m Model) Start(env applet.Env) (applet.Applet, error) {
	s, heap, err := load(env.Memory)
	if err != nil {
		return nil, err
	}
	v := Version{s.Major, s.Minor, s.Build}
	return &instance{
		env: env, version: v, st: s, heap: heap, saved: s, savedHeap: bytes.Clone(heap),
		io: make([]byte, v.ioSize()),
	}, nil
}

// instance is the running applet.
type instance struct {
	env     applet.Env
	version Version

	st        state // persistent, saved at the end of every command
	heap      []byte
	saved     state
	savedHeap []byte

	// Transient.
	io     []byte
	nonce  lang.Nonce
	logins [lang.MaxPINs]int
	who    lang.ACL // identities of the command being answered
}

// Select implements applet.Applet: no data, and nobody is logged out.
func (a *instance) Select() ([]byte, error) { return nil, nil }

// Deselect implements applet.Applet: the I/O buffer is in memory that is cleared on deselection,
// its size is not.
func (a *instance) Deselect() { clear(a.io) }

// Process implements applet.Applet. The class byte is compared exactly.
func (a *instance) Process(cmd apdu.Command) (apdu.Response, error) {
	a.who = 0
	if cmd.Extended {
		return apdu.Response{SW: apdu.SW6700}, nil
	}
	switch cmd.CLA {
	case 0x00, 0xA4: // Taken for a SELECT, whatever it is.
		return apdu.Response{SW: apdu.SW9000}, nil
	case lang.CLAUser:
		resp, err := applet.Answer(a.plain(cmd))
		return a.finish(resp, err)
	case 0x80:
		if cmd.INS != insInitializeUpdate {
			return apdu.Response{SW: apdu.SW6D00}, nil
		}
		return a.env.Channel.InitializeUpdate(cmd)
	case lang.CLASecure:
		return a.secure(cmd)
	}
	return apdu.Response{SW: apdu.SW6E00}, nil
}

// finish commits what a command changed, whether it succeeded or not: the applet has no
// transactions.
func (a *instance) finish(resp apdu.Response, err error) (apdu.Response, error) {
	if err != nil {
		return apdu.Response{}, err
	}
	return resp, a.flush()
}

func (a *instance) flush() error {
	if a.st == a.saved && bytes.Equal(a.heap, a.savedHeap) {
		return nil
	}
	err := a.env.Memory.Update(func(tx applet.Tx) error {
		save(tx, a.saved, a.st, a.savedHeap, a.heap)
		return nil
	})
	if err != nil {
		return err
	}
	a.saved = a.st
	copy(a.savedHeap, a.heap)
	return nil
}

// handler answers a command: the APDU, P3 as the applet sees it, and the data without nonce.
type handler func(a *instance, cmd apdu.Command, p3 int, data []byte) ([]byte, error)

// shared are the commands of both classes. In class B0 they bring a nonce.
var shared = map[byte]handler{
	lang.INSComputeCrypt: (*instance).computeCrypt,
	lang.INSCreatePIN:    (*instance).createPIN,
	lang.INSDeleteObject: (*instance).deleteObject,
	lang.INSWriteObject:  (*instance).writeObject,
	lang.INSReadObject:   (*instance).readObject,
	lang.INSCreateObject: (*instance).createObject,
}

// open are the commands of class B0 without a nonce.
var open = map[byte]handler{
	lang.INSListKeys:      (*instance).listKeys,
	lang.INSGetStatus:     (*instance).getStatus,
	lang.INSVerifyPIN:     (*instance).verifyPIN,
	lang.INSChangePIN:     (*instance).changePIN,
	lang.INSListPINs:      (*instance).listPINs,
	lang.INSGetPINTries:   (*instance).pinTries,
	lang.INSListObjects:   (*instance).listObjects,
	lang.INSLogout:        (*instance).logout,
	lang.INSGetVersion:    (*instance).getBuild,
	lang.INSNop:           (*instance).nop,
	lang.INSGetRandom:     (*instance).getRandom,
	lang.INSSeedRandom:    (*instance).nop,
	lang.INSGetLifeCycle:  (*instance).getLifeCycle,
	lang.INSGetIssuerInfo: (*instance).getIssuerInfo,
	lang.INSGetBuiltinACL: (*instance).getBuiltinACL,
}

func (a *instance) plain(cmd apdu.Command) ([]byte, error) {
	p3 := int(lang.P3(cmd))
	if h, ok := shared[cmd.INS]; ok {
		data, err := a.checkNonce(cmd.Data, p3)
		if err != nil {
			return nil, err
		}
		return h(a, cmd, len(data), data)
	}
	h, ok := open[cmd.INS]
	if !ok || cmd.INS == lang.INSGetPINTries && !a.version.hasTries() {
		return nil, apdu.SW6D00
	}
	return h(a, cmd, p3, cmd.Data)
}

// checkNonce takes the nonce off the end of the data and finds out who speaks. It comes before
// every check of the command itself.
func (a *instance) checkNonce(data []byte, p3 int) ([]byte, error) {
	switch {
	case p3 < lang.NonceLen:
		return nil, apdu.SW9C06
	case len(data) != p3:
		return nil, apdu.SW6700
	}
	n := len(data) - lang.NonceLen
	nonce := lang.Nonce(data[n:])
	switch {
	case nonce.IsZero():
		a.who = lang.ACLAnonymous
	case !a.nonce.IsZero() && nonce.Equal(a.nonce):
		a.who = a.loggedIn()
	default:
		return nil, apdu.SW9C06
	}
	return data[:n:n], nil
}

// received gives the data of a command that reads them, apdu.SW6700 when they did not come.
func received(data []byte, p3 int) error {
	if len(data) != p3 {
		return apdu.SW6700
	}
	return nil
}
