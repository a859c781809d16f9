// Package certdb is where a certificate authority keeps what it did: one SQLite file with a row
// for every serial number that was ever chosen, the certificate revocation lists, and who did what.
//
// It owns the schema, and the rule that a serial number and a request id occur once. It must not
// know how certificates and lists are made, signed or encoded, nor who may ask for a change.
package certdb

import (
	"errors"
	"time"

	"tokenwright/tms/connector"
)

// Errors that callers can act on.
var (
	ErrNotFound = errors.New("no such certificate")
	// ErrSerial: the serial number was chosen before. Choose another.
	ErrSerial = errors.New("serial number is taken")
	// ErrRequest: the request id was used before; its record tells for what.
	ErrRequest = errors.New("request id is taken")
	// ErrReadOnly: the database was opened for questions only.
	ErrReadOnly = errors.New("certificate database is open for reading only")
	// ErrConflict: the record was not in the state that the change expects.
	ErrConflict = errors.New("certificate changed meanwhile")
)

// State is where a certificate stands. The numbers are those in the file.
type State int

// The states.
const (
	ToBeSigned State = 0 // decided, not signed: no certificate exists that anybody was given
	Valid      State = 1
	Revoked    State = 2
	OnHold     State = 3
)

// Record is one certificate.
type Record struct {
	Serial    connector.Serial
	RequestID string
	Digest    []byte // of the request
	Profile   string
	Subject   string // RFC 4514
	UserID    string
	CUID      string // upper-case hex, "" for no token
	TokenType string
	Requester string // who asked
	Renews    connector.Serial
	TBS       []byte // what is to be signed; nil once it was
	DER       []byte // nil while it is to be signed
	State     State
	Reason    connector.Reason
	RevokedAt time.Time // of revocation, hold, or release; zero when there was none; whole seconds
	NotBefore time.Time
	NotAfter  time.Time
	Created   time.Time
	Rev       int64 // of the last change of state; 0 while it is to be signed
}

// Status is what an answer about a certificate's state needs.
type Status struct {
	State     State
	Reason    connector.Reason
	RevokedAt time.Time
	NotAfter  time.Time
	Rev       int64
}

// Cause says who makes a change, for the events.
type Cause struct {
	Op      string // enroll, renew, revoke, hold, release, ...
	Actor   string
	Session string
	At      time.Time
}

// Event is one thing that was done.
type Event struct {
	ID     int64
	Serial connector.Serial
	Detail string
	Cause
}

// Change is a change of a certificate's state. It happens only if the record is at revision Rev.
type Change struct {
	Serial    connector.Serial
	Rev       int64
	State     State
	Reason    connector.Reason
	RevokedAt time.Time
	Cause
}

// CRL is a certificate revocation list.
type CRL struct {
	Number     int64
	Base       int64 // number of the full list that a delta adds to; 0 for a full list
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    int
	Rev        int64 // changes up to this revision are in
	DER        []byte
}

// Entry is one line of a certificate revocation list.
type Entry struct {
	Serial    connector.Serial
	Reason    connector.Reason
	RevokedAt time.Time
}
