// Package pcsc reaches cards in the machine's readers through PC/SC (pcscd and libpcsclite).
//
// It owns readers and their events, the connection to a card, the watchdog around the calls that
// the library can't cancel, and what T=0 asks of a host. It passes bytes: it knows no command, no
// secure channel and no token.
//
// The library needs cgo, so all of it stands behind the build tag pcsc. Without the tag, or
// without cgo, every function returns ErrUnavailable, which names what is missing.
package pcsc
