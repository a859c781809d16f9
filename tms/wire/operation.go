package wire

import "strconv"

// Operation is the number in BEGIN_OP that says what the client wants.
type Operation int

// Operations. Numbers outside this list are read and carried: the server decides what to
// answer to them.
const (
	OpEnroll   Operation = 1 // also renewal, recovery and re-enrolment
	OpUnblock  Operation = 2
	OpResetPIN Operation = 3
	OpRenew    Operation = 4
	OpFormat   Operation = 5 // old clients call it update
)

// String is the operation's name, or its number when it has none.
func (o Operation) String() string {
	switch o {
	case OpEnroll:
		return "enroll"
	case OpUnblock:
		return "unblock"
	case OpResetPIN:
		return "reset pin"
	case OpRenew:
		return "renew"
	case OpFormat:
		return "format"
	}
	return "operation " + strconv.Itoa(int(o))
}

// Result is the outcome in END_OP.
type Result int

// Results.
const (
	ResultGood Result = 0
	ResultBad  Result = 1
)

// Names of BEGIN_OP extensions that servers look at.
const (
	ExtTokenType     = "tokenType"     // requested TPS profile; an input of the resolver
	ExtClientVersion = "clientVersion" // informational
	ExtTokenATR      = "tokenATR"      // the card's ATR in hex
	ExtStatusUpdate  = "statusUpdate"  // "true" turns progress messages on
	ExtExtendedLogin = "extendedLoginRequest"
	ExtKeySet        = "keySet" // an input of the key set resolver
	ExtLocale        = "locale" // language of the extended login's texts
)

// WantsStatusUpdates reports whether the client asked for progress messages.
func (m BeginOp) WantsStatusUpdates() bool {
	v, _ := m.Extensions.Get(ExtStatusUpdate)
	return v == "true"
}

// WantsExtendedLogin reports whether the client understands ExtendedLoginRequest; the value of
// the extension does not matter.
func (m BeginOp) WantsExtendedLogin() bool {
	_, ok := m.Extensions.Get(ExtExtendedLogin)
	return ok
}
