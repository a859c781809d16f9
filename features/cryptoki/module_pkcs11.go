//go:build pkcs11 && cgo

package cryptoki

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/miekg/pkcs11"
)

// Module is a loaded module. Its methods must not be called from several goroutines at once.
type Module struct {
	ctx  *pkcs11.Ctx
	work chan func() // to the one thread that calls the module
	hung bool
	open map[string]pkcs11.SessionHandle // by reader
}

// Load loads the module at path, behind the module at spy, and initialises it.
//
// WORKAROUND(coolkey 1.1.0): CKYCardConnection_GetStatus passes SCardStatus the length of an ATR
// buffer that it has neither given nor set. When what lies there on the stack happens to be -1, which
// asks the service to allocate a buffer, the service answers SCARD_E_INVALID_PARAMETER (80100004),
// and the module takes the card for another one: it ends all sessions, answers
// CKR_SESSION_HANDLE_INVALID and reads the card again. What lies there is a register that the module's
// caller left; called from Go it is -1 at every second search for objects. OpenSC's pkcs11-spy, which
// passes every call on, leaves other values.
func Load(path, spy string) (*Module, error) {
	if err := errors.Join(os.Setenv("PKCS11SPY", path), os.Setenv("PKCS11SPY_OUTPUT", os.DevNull)); err != nil {
		return nil, err
	}
	m := &Module{
		ctx: pkcs11.New(spy), work: make(chan func()),
		open: map[string]pkcs11.SessionHandle{},
	}
	if m.ctx == nil {
		return nil, fmt.Errorf("%s is not a PKCS#11 module", spy)
	}
	go m.serve()
	_, err := call(m, func() (none, error) { return none{}, m.ctx.Initialize() })
	if err != nil {
		m.unload()
		return nil, fmt.Errorf("initialising %s: %w", path, err)
	}
	return m, nil
}

type none struct{}

// serve calls the module from one thread, as the programs do that it was made for.
func (m *Module) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for f := range m.work {
		f()
	}
}

// call bounds a call into the module, which has no way to be told to stop.
func call[T any](m *Module, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var zero T
	if m.hung {
		return zero, ErrHangs
	}
	done := make(chan outcome, 1)
	m.work <- func() {
		v, err := f()
		done <- outcome{v, err}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-timer.C:
		m.hung = true
		return zero, ErrHangs
	}
}

// Close ends all sessions and unloads the module. One that hangs is left where it is.
func (m *Module) Close() error {
	_, err := call(m, func() (none, error) { return none{}, m.ctx.Finalize() })
	m.unload()
	return err
}

func (m *Module) unload() {
	close(m.work)
	if !m.hung {
		m.ctx.Destroy()
	}
}

// Reason names what a module answered, as CKR_PIN_INCORRECT; empty when err is not a module's.
func Reason(err error) string {
	var answer pkcs11.Error
	if !errors.As(err, &answer) {
		return ""
	}
	text := answer.Error()
	return text[strings.LastIndexByte(text, ' ')+1:]
}

// slot finds the slot of a reader that holds a token.
func (m *Module) slot(reader string) (uint, error) {
	slots, err := call(m, func() ([]uint, error) { return m.ctx.GetSlotList(true) })
	if err != nil {
		return 0, fmt.Errorf("listing slots: %w", err)
	}
	for _, s := range slots {
		info, err := call(m, func() (pkcs11.SlotInfo, error) { return m.ctx.GetSlotInfo(s) })
		if err != nil {
			return 0, fmt.Errorf("asking for slot %d: %w", s, err)
		}
		if strings.TrimRight(info.SlotDescription, " \x00") == reader {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", reader, ErrNoToken)
}

// Token tells of the token in a reader.
func (m *Module) Token(reader string) (Token, error) {
	slot, err := m.slot(reader)
	if err != nil {
		return Token{}, err
	}
	info, err := call(m, func() (pkcs11.TokenInfo, error) { return m.ctx.GetTokenInfo(slot) })
	if err != nil {
		return Token{}, fmt.Errorf("asking for the token: %w", err)
	}
	text := func(s string) string { return strings.TrimRight(s, " \x00") }
	return Token{
		Label: text(info.Label), Manufacturer: text(info.ManufacturerID), Model: text(info.Model),
		Serial:         text(info.SerialNumber),
		LoginRequired:  info.Flags&pkcs11.CKF_LOGIN_REQUIRED != 0,
		Initialised:    info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0,
		PINInitialised: info.Flags&pkcs11.CKF_USER_PIN_INITIALIZED != 0,
		ReadOnly:       info.Flags&pkcs11.CKF_WRITE_PROTECTED != 0,
	}, nil
}

// session opens a session with the token in a reader, or gives the one that is open.
func (m *Module) session(reader string) (pkcs11.SessionHandle, error) {
	if s, ok := m.open[reader]; ok {
		return s, nil
	}
	slot, err := m.slot(reader)
	if err != nil {
		return 0, err
	}
	s, err := call(m, func() (pkcs11.SessionHandle, error) {
		return m.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	})
	if err != nil {
		return 0, fmt.Errorf("opening a session: %w", err)
	}
	m.open[reader] = s
	return s, nil
}

// Forget gives up the session with a token that has left the reader, and its session with it.
func (m *Module) Forget(reader string) { delete(m.open, reader) }

// Login logs the user in to the token in a reader.
func (m *Module) Login(reader, pin string) error {
	return m.do(reader, "logging in", func(s pkcs11.SessionHandle) error {
		return m.ctx.Login(s, pkcs11.CKU_USER, pin)
	})
}

// SetPIN asks the module to change the PIN.
func (m *Module) SetPIN(reader, old, pin string) error {
	return m.do(reader, "changing the PIN", func(s pkcs11.SessionHandle) error {
		return m.ctx.SetPIN(s, old, pin)
	})
}

func (m *Module) do(reader, what string, f func(pkcs11.SessionHandle) error) error {
	s, err := m.session(reader)
	if err != nil {
		return err
	}
	if _, err = call(m, func() (none, error) { return none{}, f(s) }); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
