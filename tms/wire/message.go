package wire

import "fmt"

// Message numbers, the values of msg_type. Number 1 exists in old clients and is never used.
const (
	TypeBeginOp               = 2
	TypeLoginRequest          = 3
	TypeLoginResponse         = 4
	TypeSecureIDRequest       = 5
	TypeSecureIDResponse      = 6
	TypeASQRequest            = 7
	TypeASQResponse           = 8
	TypeTokenPDURequest       = 9
	TypeTokenPDUResponse      = 10
	TypeNewPINRequest         = 11
	TypeNewPINResponse        = 12
	TypeEndOp                 = 13
	TypeStatusUpdateRequest   = 14
	TypeStatusUpdateResponse  = 15
	TypeExtendedLoginRequest  = 16
	TypeExtendedLoginResponse = 17
)

// Message is one message of the protocol. The types of this package are the only ones; each is
// used as a value, and Parse answers values.
type Message interface {
	// Type is the message number, the value of msg_type.
	Type() int
	appendFields(dst []byte) []byte
}

// BeginOp opens the conversation (client).
type BeginOp struct {
	Operation Operation
	// Extensions keep their order. An "&" inside one, or an "=" inside a name, cannot
	// travel and is written as a blank.
	Extensions Fields
}

// LoginRequest asks for a user name and a password (server). Today's servers send 0, 0.
type LoginRequest struct {
	InvalidPassword bool
	Blocked         bool
}

// LoginResponse answers LoginRequest (client).
type LoginResponse struct {
	ScreenName string
	Password   Secret
}

// SecureIDRequest asks for the value of a one-time password device (server).
type SecureIDRequest struct {
	PINRequired bool
	NextValue   bool
}

// SecureIDResponse answers SecureIDRequest (client).
type SecureIDResponse struct {
	PIN   Secret
	Value Secret
}

// ASQRequest asks a security question (server).
type ASQRequest struct{ Question string }

// ASQResponse answers ASQRequest (client). It is written under "answer"; one old
// implementation writes "question", which is read as well.
type ASQResponse struct{ Answer Secret }

// TokenPDURequest is a command for the card (server). PDU is 1 to MaxPDU bytes. It may hold a
// PIN in the clear, so the type prints its length only.
type TokenPDURequest struct{ PDU []byte }

// TokenPDUResponse is the card's answer with its status word at the end (client). It prints
// its length only.
type TokenPDUResponse struct{ PDU []byte }

// NewPINRequest asks for a new PIN (server); the lengths are in bytes.
type NewPINRequest struct {
	MinLength int
	MaxLength int
}

// NewPINResponse answers NewPINRequest (client).
type NewPINResponse struct{ PIN Secret }

// EndOp ends the conversation (server).
type EndOp struct {
	Operation Operation
	Result    Result
	Status    Status
}

// StatusUpdateRequest tells how far the operation has come (server). Percent is 0 to 100. Task
// is a word of visible ASCII; any other byte of it is written as "_".
type StatusUpdateRequest struct {
	Percent int
	Task    string
}

// StatusUpdateResponse echoes the percentage (client). A server waits for it and ignores what
// it says, so an answer without current_state is read as 0.
type StatusUpdateResponse struct{ Percent int }

// ExtendedLoginRequest asks for named credentials with texts for the person (server); sent only
// to a client whose BEGIN_OP carried ExtExtendedLogin.
type ExtendedLoginRequest struct {
	InvalidPassword bool
	Blocked         bool
	Title           string
	Description     string
	Params          []Param
}

// Param is one credential that an ExtendedLoginRequest asks for. An "&" inside a text
// cannot travel and is written as a blank.
type Param struct {
	ID          string // names the field of the answer, e.g. UID
	Name        string // label for the person
	Description string
	Kind        string // ParamString or ParamPassword
	Option      string
}

// Kinds of Param.
const (
	ParamString   = "string"
	ParamPassword = "password"
)

// Secret reports whether what the person types must not be shown.
func (p Param) Secret() bool { return p.Kind == ParamPassword }

// ExtendedLoginResponse answers ExtendedLoginRequest (client): one credential a Param.
type ExtendedLoginResponse struct{ Fields Credentials }

// Type implements Message.
func (BeginOp) Type() int { return TypeBeginOp }

// Type implements Message.
func (LoginRequest) Type() int { return TypeLoginRequest }

// Type implements Message.
func (LoginResponse) Type() int { return TypeLoginResponse }

// Type implements Message.
func (SecureIDRequest) Type() int { return TypeSecureIDRequest }

// Type implements Message.
func (SecureIDResponse) Type() int { return TypeSecureIDResponse }

// Type implements Message.
func (ASQRequest) Type() int { return TypeASQRequest }

// Type implements Message.
func (ASQResponse) Type() int { return TypeASQResponse }

// Type implements Message.
func (TokenPDURequest) Type() int { return TypeTokenPDURequest }

// Type implements Message.
func (TokenPDUResponse) Type() int { return TypeTokenPDUResponse }

// Type implements Message.
func (NewPINRequest) Type() int { return TypeNewPINRequest }

// Type implements Message.
func (NewPINResponse) Type() int { return TypeNewPINResponse }

// Type implements Message.
func (EndOp) Type() int { return TypeEndOp }

// Type implements Message.
func (StatusUpdateRequest) Type() int { return TypeStatusUpdateRequest }

// Type implements Message.
func (StatusUpdateResponse) Type() int { return TypeStatusUpdateResponse }

// Type implements Message.
func (ExtendedLoginRequest) Type() int { return TypeExtendedLoginRequest }

// Type implements Message.
func (ExtendedLoginResponse) Type() int { return TypeExtendedLoginResponse }

// Format prints the length and never the bytes, whatever the verb.
func (m TokenPDURequest) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "token pdu request of %d bytes", len(m.PDU))
}

// Format prints the length and never the bytes, whatever the verb.
func (m TokenPDUResponse) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "token pdu response of %d bytes", len(m.PDU))
}
