package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokenwright/tms/gp/keys"
)

// Op names what an activity records. The words are the stored ones.
type Op string

// The operations that leave an activity.
const (
	OpAdd               Op = "add"
	OpFormat            Op = "format"
	OpEnrollment        Op = "enrollment"
	OpRecovery          Op = "recovery"
	OpRenewal           Op = "renewal"
	OpPINReset          Op = "pin_reset"
	OpStatusChange      Op = "token_status_change"
	OpModify            Op = "token_modify"
	OpDelete            Op = "delete"
	OpCertRevocation    Op = "cert_revocation"
	OpCertUnrevocation  Op = "cert_unrevocation"
	OpKeyChangeover     Op = "key_changeover"
	formerUnrevokedName    = "cert_restoration"
)

// Ops returns all operations in the order of their declaration. The caller owns
// the slice.
func Ops() []Op {
	return []Op{
		OpAdd, OpFormat, OpEnrollment, OpRecovery, OpRenewal, OpPINReset, OpStatusChange,
		OpModify, OpDelete, OpCertRevocation, OpCertUnrevocation, OpKeyChangeover,
	}
}

// Valid reports whether op is one of the operations, in its stored spelling.
func (op Op) Valid() bool { return slices.Contains(Ops(), op) }

// ParseOp reads a stored operation name without regard to case. The name that
// older databases use for cert_unrevocation, cert_restoration, is understood.
func ParseOp(text string) (Op, error) {
	name := strings.ToLower(text)
	if name == formerUnrevokedName {
		return OpCertUnrevocation, nil
	}
	for _, op := range Ops() {
		if string(op) == name {
			return op, nil
		}
	}
	return "", fmt.Errorf("token operation %s is not known", quote(text))
}

// Result is how an activity ended.
type Result string

// The results.
const (
	Success Result = "success"
	Failure Result = "failure"
)

// ParseResult reads a stored result without regard to case.
func ParseResult(text string) (Result, error) {
	switch {
	case strings.EqualFold(text, string(Success)):
		return Success, nil
	case strings.EqualFold(text, string(Failure)):
		return Failure, nil
	}
	return "", fmt.Errorf("activity result %s is not known", quote(text))
}

// Activity is one line of a token's history. It is never changed once stored
// and holds no secret: whoever writes Message keeps PINs, passwords and keys out
// of it.
type Activity struct {
	// ID orders activities of the same instant; the store sets it.
	ID   int64
	CUID keys.CUID
	// UserID is the person the operation was for; Actor is who ran it (the same
	// person, an agent, or the system itself).
	UserID string
	Actor  string
	// IP is the client's address, without port.
	IP      string
	Op      Op
	Result  Result
	Message string
	// Type is the token type (profile) in force.
	Type string
	// Session is the id that the logs of the same conversation carry.
	Session string
	// At is set by the store from the time of the change.
	At time.Time
}

// Validate reports whether the activity can be stored.
func (a Activity) Validate() error {
	if (a.CUID == keys.CUID{}) {
		return errors.New("activity: no CUID")
	}
	if !a.Op.Valid() {
		return fmt.Errorf("activity: token operation %s is not known", quote(string(a.Op)))
	}
	if a.Result != Success && a.Result != Failure {
		return fmt.Errorf("activity: result %s is not known", quote(string(a.Result)))
	}
	return errors.Join(
		checkText("activity: user", a.UserID, MaxName),
		checkText("activity: actor", a.Actor, MaxName),
		checkText("activity: address", a.IP, MaxName),
		checkText("activity: message", a.Message, MaxMessage),
		checkText("activity: type", a.Type, MaxName),
		checkText("activity: session", a.Session, MaxName),
	)
}
