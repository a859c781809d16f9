// Package pubkey is the part of a card's cryptographic processor that knows public-key pairs: raw
// RSA, ECDSA and ECDH, and the making of keys. Keys come in and go out as the numbers they consist
// of, big-endian and unsigned, because that is how applets keep them.
//
// It is a test card's: key pairs follow from the randomness that the caller passes in, so that the
// same seed makes the same card, and RSA works on math/big, whose running time depends on the key.
// The standard library does neither: its generators read the system's randomness whatever they are
// given, and its RSA operations are bound to a padding, while a card's are not.
//
// The package must not know applets, slots, APDUs or status words.
package pubkey

import "errors"

// Errors of operations and of making keys.
var (
	// ErrNumber is given for numbers that no key consists of, or that are larger than any key's.
	ErrNumber = errors.New("unusable key number")
	// ErrRange is given for an input that is not below the modulus, and for a result that does not
	// fit where it shall go.
	ErrRange = errors.New("input out of the key's range")
	// ErrSize is given for a key size that there is not.
	ErrSize = errors.New("unsupported key size")
	// ErrPoint is given for a point that is not on the curve.
	ErrPoint = errors.New("not a point of the curve")
)
