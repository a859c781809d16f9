package content

import (
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
)

// Errors that the functions of this package wrap.
var (
	ErrForm     = errors.New("token content: malformed")
	ErrTooLarge = errors.New("token content: too large")
	ErrValue    = errors.New("token content: value not usable")
)

// Bounds of a token's content.
const (
	// MaxContainers is the number of containers: a key's CKA_ID has 4 bits for it.
	MaxContainers = 16
	// MaxObjects is the number of objects in one content.
	MaxObjects = 100
	// MaxTokenName is the length of a token name in bytes.
	MaxTokenName = 255
)

// Letters that begin the names of objects: kinds of object, all but Raw described by attributes.
const (
	letterCertificate = 'c'
	letterRaw         = 'C' // a bare certificate, in the separate form alone
	letterKey         = 'k'
	letterFiller      = 'f'
)

// The second character of a name is an index: container for certificates, key slot for keys. The
// digits are 0 to 9, upper-case letters 10 to 35 and lower-case ones 36 to 61. This is the rule of
// OpenSC and of the TPS, whose own decoding of lower-case letters is off by ten; with 16 containers
// and 24 slots none occurs. The CoolKey module knows digits only, and passes over a token that has a
// certificate beyond them: containers 10 to 15 are for readers other than that one.
const indexes = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// name gives the id of an object such as "c1". The index is one of the package's own.
func name(letter byte, index int) coolkey.ObjectID {
	return coolkey.ObjectID(letter)<<24 | coolkey.ObjectID(indexes[index])<<16
}

// parseName tells letter and index of an object's id; ok is false for an id that is no such name.
func parseName(id coolkey.ObjectID) (letter byte, index int, ok bool) {
	if id&0xFFFF != 0 {
		return 0, 0, false
	}
	digit := byte(id >> 16)
	for i := range len(indexes) {
		if indexes[i] == digit {
			return byte(id >> 24), i, true
		}
	}
	return 0, 0, false
}

// IsSeparate reports whether an object on a token belongs to the separate form: the attributes of a
// certificate or key, or a bare certificate.
func IsSeparate(id coolkey.ObjectID) bool {
	letter, _, ok := parseName(id)
	return ok && (letter == letterCertificate || letter == letterRaw || letter == letterKey)
}

func checkContainer(n int) error {
	if n < 0 || n >= MaxContainers {
		return fmt.Errorf("%w: container %d, there are 0 to %d", ErrValue, n, MaxContainers-1)
	}
	return nil
}

func checkSlot(n int) error {
	if n < 0 || n >= coolkey.MaxKeys {
		return fmt.Errorf("%w: key slot %d, there are 0 to %d", ErrValue, n, coolkey.MaxKeys-1)
	}
	return nil
}
