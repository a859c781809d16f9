//go:build !pkcs11 || !cgo

package cryptoki

// Module is a loaded module; there is none in this build.
type Module struct{}

// Load says what is missing.
func Load(_, _ string) (*Module, error) { return nil, ErrNoSupport }

// Close does nothing.
func (*Module) Close() error { return nil }

// Reason names what a module answered; here no error is a module's.
func Reason(error) string { return "" }

// Token says what is missing, as all that follow do.
func (*Module) Token(string) (Token, error) { return Token{}, ErrNoSupport }

// Forget does nothing.
func (*Module) Forget(string) {}

// Login says what is missing.
func (*Module) Login(string, string) error { return ErrNoSupport }

// SetPIN says what is missing.
func (*Module) SetPIN(string, string, string) error { return ErrNoSupport }

// Objects says what is missing.
func (*Module) Objects(string) ([]Object, error) { return nil, ErrNoSupport }

// Sign says what is missing.
func (*Module) Sign(string, []byte, Mechanism, []byte) ([]byte, error) { return nil, ErrNoSupport }

// Decrypt says what is missing.
func (*Module) Decrypt(string, []byte, Mechanism, []byte) ([]byte, error) { return nil, ErrNoSupport }

// Derive says what is missing.
func (*Module) Derive(string, []byte, []byte, int) ([]byte, error) { return nil, ErrNoSupport }
