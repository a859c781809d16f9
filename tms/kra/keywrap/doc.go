// Package keywrap wraps a private key on its way from the key recovery authority to a card, in the
// three ways that applets undo: AES key wrap with padding (RFC 5649), AES-CBC and 3DES-CBC with the
// padding of PKCS #7; and for a person, under a passphrase (PBES2).
//
// It knows keys and bytes. It must not know what is wrapped, for whom, or how it travels. The
// card's side of the same forms is in coolkey/keyblob and is code of its own, so that an error in
// one of them does not agree with itself; the tests hold both against each other and against what
// other programs made.
package keywrap
