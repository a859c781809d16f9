// Package applet is the contract between a virtual card and the applications on it: what an applet
// model answers, and what the card's runtime gives to it (memory, randomness, its life cycle, the
// secure channel of its security domain).
//
// It must not know any applet, nor how the card selects, loads or registers one.
package applet

import (
	"errors"
	"io"

	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// Applet is a running instance. Its fields are what a real applet keeps in transient memory: the
// card makes a new Applet from a Model after every reset. Methods are called one at a time.
//
// An error of Process that is (or wraps) an apdu.SW is that answer; any other error means that the
// card stopped working, as at a loss of power, and nothing is answered.
type Applet interface {
	// Select is called when the instance becomes the selected one; it gives the answer data.
	Select() ([]byte, error)
	// Deselect is called when another selection, or the same one again, ends this one.
	Deselect()
	// Process answers a command that is not a SELECT by name. The command belongs to the applet
	// until it returns.
	Process(apdu.Command) (apdu.Response, error)
}

// Model is the code of an applet.
type Model interface {
	// Install makes the persistent state of a new instance inside the transaction that registers
	// it. params is the content of tag C9, nil without one.
	Install(env Env, tx Tx, params []byte) error
	// Start makes the running instance.
	Start(env Env) (Applet, error)
	// Size is the persistent memory in bytes that an instance takes, given the same params.
	Size(params []byte) int
}

// Env is what the runtime offers to one instance.
type Env struct {
	AID    gp.AID
	Memory Memory
	Random io.Reader
	// Channel is the secure channel of the security domain that the instance belongs to.
	Channel Channel
	// Life is the instance's life cycle state in the registry.
	Life Life
	// Nonce, when not nil, is what the applet uses wherever it would make a random 8-byte value
	// that it hands out, so that a recorded exchange can be replayed.
	Nonce []byte
}

// Life is the life cycle state of an instance (GPCS 2.3.1 §5.3.1).
type Life interface {
	State() gp.AppState
	// SetState changes it. It gives ErrState when the card's rules forbid the change.
	SetState(gp.AppState) error
}

// ErrState is given for a life cycle transition that the card refuses.
var ErrState = errors.New("life cycle transition refused")

// Channel is the secure channel service of a security domain (GPCS 2.3.1 §7.3.1): an applet hands
// on the commands that open a session and lets the domain unwrap the others.
type Channel interface {
	// InitializeUpdate and ExternalAuthenticate answer the commands of this name. Errors are
	// those of Applet.Process.
	InitializeUpdate(apdu.Command) (apdu.Response, error)
	ExternalAuthenticate(apdu.Command) (apdu.Response, error)
	// Unwrap checks and decrypts a command of the session and gives it plain, its class byte
	// without the secure messaging bit. The error is an apdu.SW.
	Unwrap(apdu.Command) (apdu.Command, error)
	// Wrap protects the answer to the last unwrapped command as the session's level asks.
	Wrap(apdu.Response) (apdu.Response, error)
	// RMAC answers BEGIN and END R-MAC SESSION, unwrapped; the answer goes through Wrap. Other
	// commands, and those of a protocol without R-MAC, are not its own.
	RMAC(apdu.Command) (resp apdu.Response, own bool)
	// Authenticated tells whether a session is open, and Level its security level (01 C-MAC,
	// 02 C-DECRYPTION, 10 R-MAC, 20 R-ENCRYPTION).
	Authenticated() bool
	Level() byte
	// Decrypt decrypts data under the data encryption key of the session, with the algorithm of
	// its protocol (3DES-ECB, or AES-CBC with zero IV). It fails with apdu.SW6985 without one.
	Decrypt(data []byte) ([]byte, error)
}

// Memory is the persistent memory of one instance: the records of a card memory under a prefix.
type Memory struct {
	mem    *nvm.Memory
	prefix string
}

// NewMemory gives the part of mem whose records start with prefix.
func NewMemory(mem *nvm.Memory, prefix string) Memory { return Memory{mem: mem, prefix: prefix} }

// Get gives a record. The slice must not be changed.
func (m Memory) Get(name string) ([]byte, bool) { return m.mem.Get(m.prefix + name) }

// Update commits what fn puts and deletes, all or nothing.
func (m Memory) Update(fn func(Tx) error) error {
	return m.mem.Update(func(tx *nvm.Tx) error { return fn(m.In(tx)) })
}

// In gives the part of a transaction that Memory covers.
func (m Memory) In(tx *nvm.Tx) Tx { return Tx{tx: tx, prefix: m.prefix} }

// Tx collects changes of one instance's memory.
type Tx struct {
	tx     *nvm.Tx
	prefix string
}

// Put sets a record to a copy of value.
func (t Tx) Put(name string, value []byte) { t.tx.Put(t.prefix+name, value) }

// Delete removes a record.
func (t Tx) Delete(name string) { t.tx.Delete(t.prefix + name) }

// Answer turns what a handler gives into a response: an apdu.SW among err is the answer, another
// error is handed on.
func Answer(data []byte, err error) (apdu.Response, error) {
	if err == nil {
		return apdu.Response{Data: data, SW: apdu.SW9000}, nil
	}
	var sw apdu.SW
	if errors.As(err, &sw) {
		return apdu.Response{Data: data, SW: sw}, nil
	}
	return apdu.Response{}, err
}

// Refusal turns an error of a command's Parse function in package gp into the status word for it.
func Refusal(err error) apdu.SW {
	switch {
	case errors.Is(err, gp.ErrClass):
		return apdu.SW6E00
	case errors.Is(err, gp.ErrInstruction):
		return apdu.SW6D00
	case errors.Is(err, gp.ErrParameter):
		return apdu.SW6A86
	case errors.Is(err, gp.ErrLength):
		return apdu.SW6700
	}
	return apdu.SW6A80
}
