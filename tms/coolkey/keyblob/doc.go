// Package keyblob is the form in which key pairs cross the boundary of a CoolKey token: the answer
// that START ENROLLMENT leaves in the buffer, with its proof that the key was made on the token, and
// the blobs that the IMPORT KEY commands take, in plain or encrypted.
//
// A blob is encoding (1 byte), type (1 byte), length of the key in bits (2 bytes) and data. Numbers
// are big endian; inside the data each is behind a length of 2 bytes.
//
// The package knows forms and the few primitives they need. It must not know commands, slots, access
// conditions or status words, and it makes no keys: where a card must tell one malformed blob from
// another, the card looks itself. It bounds every length, never panics, does no input or output and
// has no randomness of its own.
package keyblob
