// Package holder makes cards as their holders carry them: with the applet, a PIN, key pairs and
// certificates, written by the same host-side sequences as a token management system's, but without
// one. It owns what is on such a card, so that others can be asked whether they see the same. It
// must not know readers or programs.
package holder
