// Package cryptoki drives PKCS#11 modules that nobody here wrote, from Go: one module at a time, in
// this process. It knows the interface (PKCS #11 2.40) and no card; it must not judge what a module
// answers. It needs cgo and the build tag pkcs11; without them Load says so.
package cryptoki

import (
	"errors"
	"time"
)

// Errors of this package. What a module itself answers is an error that Reason can name.
var (
	ErrNoSupport = errors.New("no PKCS#11 in this build: it needs cgo and -tags pkcs11")
	ErrNoToken   = errors.New("the module shows no token in this reader")
	ErrNoObject  = errors.New("the token shows no such object")
	// ErrHangs means that a call into the module did not come back. The module is of no further use.
	ErrHangs = errors.New("the module does not answer")
)

// patience is how long a call into a module may take; a key may be made on the card meanwhile.
const patience = 30 * time.Second

// Token is what a module tells of a token.
type Token struct {
	Label, Manufacturer, Model, Serial string

	LoginRequired, Initialised, PINInitialised, ReadOnly bool
}

// Object is a certificate or key on a token. Value is a certificate in DER.
type Object struct {
	Class Class
	Label string
	ID    []byte
	Value []byte
}

// Class is the class of an object.
type Class string

// Classes.
const (
	Certificate Class = "certificate"
	PublicKey   Class = "public key"
	PrivateKey  Class = "private key"
)

// Mechanism is what a private key can be used for.
type Mechanism string

// Mechanisms: PKCS #1 v1.5 over a DigestInfo or a message, ECDSA over a digest.
const (
	RSA   Mechanism = "RSA-PKCS"
	ECDSA Mechanism = "ECDSA"
)
