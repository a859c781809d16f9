// Package coolkey is a model of the CoolKey applet: its identities, PINs, nonce, access conditions,
// object heap, I/O buffer and status words, in the applet's own order of checks, so that programs
// which know the real one find nothing different.
//
// Every command is one commit of the card's memory, except that a PIN's try counter is committed
// before the PIN is compared. What the applet keeps in fields is persistent here too, the I/O
// buffer's bytes and the login state are not.
//
// The model holds no RSA keys: the commands that make or import one are answered as an instruction
// that does not exist (6D00), and the others find all key slots empty.
//
// The package knows no GlobalPlatform command but what reaches the applet, and nothing of who sends
// it. It must not look at the card's registry other than through its runtime.
package coolkey
