// Package vpcd speaks the socket protocol between vsmartcard's virtual reader driver (vpcd, which
// pcscd loads) and a card, from either end: Dial is a card that connects to the driver, Listen is
// the reader in Go, so that the same card works on the same kind of socket without pcscd.
//
// It owns framing, power and the life of a connection, and carries bytes: it knows no APDU, no
// status word and no card, and imports nothing of the module.
//
// # Protocol
//
// A message is a length of two bytes, big-endian, and that many bytes. A message of one byte from
// the reader is a control: 00 power off, 01 power on, 02 reset (none of them is answered), 04 get
// ATR (answered with the ATR). A longer one is a command, answered with the response. The length
// bounds a whole command or response to 65,535 bytes. The card always connects to the reader.
//
// The protocol authenticates nobody, so both ends stay on loopback unless an option says otherwise.
package vpcd
