package coolkey

import (
	"bytes"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/coolkey/heap"
	"tokenwright/simcard/coolkey/slots"
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
	s, mem := newState(m.Version, lang.ParseInstallParams(params))
	tx.Put(stateName, s.bytes())
	for at := 0; at < len(mem); at += heapPage {
		tx.Put(pageName(at), page(mem, at))
	}
	return nil
}

// Start implements applet.Model.
func (m Model) Start(env applet.Env) (applet.Applet, error) {
	s, mem, err := load(env.Memory)
	if err != nil {
		return nil, err
	}
	keys, err := slots.Load(env.Memory)
	if err != nil {
		return nil, err
	}
	v := Version{s.Major, s.Minor, s.Build}
	a := &instance{
		env: env, version: v, st: s, saved: s, savedMem: bytes.Clone(mem), keys: keys,
		io: make([]byte, v.ioSize()),
	}
	a.heap = heap.Heap{Mem: mem, Lists: &a.st.Lists}
	return a, nil
}

// instance is the running applet.
type instance struct {
	env     applet.Env
	version Version

	st       state // persistent, saved at the end of every command
	heap     heap.Heap
	keys     *slots.Table
	saved    state
	savedMem []byte

	// Transient.
	io      []byte
	nonce   lang.Nonce
	logins  [lang.MaxPINs]int
	who     lang.ACL // identities of the command being answered
	ciphers [slots.Count]cipher
}

// Select implements applet.Applet: no data, and nobody is logged out.
func (a *instance) Select() ([]byte, error) { return nil, nil }

// Deselect implements applet.Applet: the I/O buffer and the directions of ciphers are in memory that
// is cleared on deselection, the buffer's size is not.
func (a *instance) Deselect() {
	clear(a.io)
	for n := range a.ciphers {
		a.ciphers[n].direction = 0
	}
}

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
		return a.plain(cmd)
	case 0x80:
		if cmd.INS != insInitializeUpdate {
			return apdu.Response{SW: apdu.SW6D00}, nil
		}
		return a.initializeUpdate(cmd)
	case lang.CLASecure:
		return a.secure(cmd)
	}
	return apdu.Response{SW: apdu.SW6E00}, nil
}

// run answers a command with a handler and commits what it changed, whether it succeeded or not: the
// applet has no transactions.
func (a *instance) run(c command, cmd apdu.Command, p3 int, data []byte) (apdu.Response, error) {
	resp, err := applet.Answer(c.run(a, cmd, p3, data))
	if err != nil || c.reads {
		return resp, err
	}
	return resp, a.flush()
}

func (a *instance) flush() error {
	pages := changedPages(a.savedMem, a.heap.Mem)
	if a.st == a.saved && len(pages) == 0 && !a.keys.Changed() {
		return nil
	}
	err := a.env.Memory.Update(func(tx applet.Tx) error {
		if a.st != a.saved {
			tx.Put(stateName, a.st.bytes())
		}
		for _, at := range pages {
			tx.Put(pageName(at), page(a.heap.Mem, at))
		}
		a.keys.Save(tx)
		return nil
	})
	if err != nil {
		return err
	}
	a.saved = a.st
	for _, at := range pages {
		copy(page(a.savedMem, at), page(a.heap.Mem, at))
	}
	a.keys.Settle()
	return nil
}

// plain answers class B0.
func (a *instance) plain(cmd apdu.Command) (apdu.Response, error) {
	p3, data := int(lang.P3(cmd)), cmd.Data
	c := open[cmd.INS]
	if c.run == nil {
		if c = shared[cmd.INS]; c.run == nil || !a.knows(cmd.INS) {
			return apdu.Response{SW: apdu.SW6D00}, nil
		}
		var err error
		if data, err = a.checkNonce(data, p3); err != nil {
			return applet.Answer(nil, err)
		}
		p3 = len(data)
	} else if !a.knows(cmd.INS) {
		return apdu.Response{SW: apdu.SW6D00}, nil
	}
	return a.run(c, cmd, p3, data)
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
