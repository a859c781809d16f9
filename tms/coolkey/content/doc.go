// Package content is what a CoolKey token tells about the certificates and keys on it, in the two
// forms in which it is stored: the combined object z0, and the separate objects that older tokens
// hold. Both are read into one Content and written from it.
//
// The package owns these forms, and what the programs that read tokens can bear of them. It must not
// know how objects get onto a token, nor what a token type or a certificate profile is. It bounds
// every length and every count, never panics, does no input or output and has no randomness.
//
// What it reads is the token's own word: a certificate in it is bytes until somebody verifies it.
package content
