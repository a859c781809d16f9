// Package coolkey is a model of the CoolKey applet: its identities, PINs, nonce, access conditions,
// object heap, key slots, I/O buffer and status words, in the applet's own order of checks, so that
// programs which know the real one find nothing different. All builds are configurations of one
// model (see Version).
//
// Every command is one commit of the card's memory, except that a PIN's try counter is committed
// before the PIN is compared. What the applet keeps in fields is persistent here too; the bytes of
// the I/O buffer, the login state and what a cipher was initialised with are not.
//
// # Keys on curves
//
// No public applet has them; clients do, and this model gives them what they expect, with P-256,
// P-384 and P-521. START ENROLLMENT with instruction 0D makes a pair: data as for RSA, the size in
// bits naming the curve, algorithm 4 (a binary field) refused with 9C17. The I/O object then holds
//
//	blobLen(2) blob proofLen(2) proof
//	blob   00 0A bits(2) pointLen(2) 04 X Y
//	proof  ECDSA with SHA-1 over blob and challenge, in DER
//
// and LIST KEYS gives type 0A for the public half, 0B for the private one. From then on the card
// knows instructions 37 and 38, which before that are unknown (6D00) as in the public applets:
//
//	B0 37/38 slot 04, data loc(1) len(2) input nonce(8)
//
// Clients disagree which of the two does what. A payload that is an uncompressed point of the key's
// curve (04, X, Y) is answered with the shared secret, X of the product; any other, a digest of 1 to
// 64 bytes, with a signature of it. The pairs that libckyapplet sends, 37 with a digest and 38 with a
// point, are answered len(2) and the signature in DER or the secret; those of OpenSC, 38 with a
// digest and 37 with a point, with the bare r and s, or the bare secret, each number as long as the
// field. Checks come in the order of COMPUTE CRYPT: 9C10 for a slot never built, 9C06, 9C11 for P2
// other than 04, 6700, 9C16, 6700, 9C19, 9C17 for a slot that holds another kind of key, 9C0F for a
// point that is not on the curve.
//
// # What is undefined in the applet
//
// Sizes that overflow its arithmetic in CREATE OBJECT are 9C01; one slot for both halves of a pair is
// 9C1E; DER that leads out of a key blob is 9CD0; an enumeration of objects whose next one is deleted
// goes on behind it.
//
// The package knows no GlobalPlatform command but what reaches the applet, and nothing of who sends
// it. It must not look at the card's registry other than through its runtime.
package coolkey
