// Package keyblob reads the forms in which key numbers come into the CoolKey applet, and writes the
// one in which a public key leaves it: key blobs, PKCS#8 as far as the applet looks at it, and the
// encryptions around them.
//
// It is as tolerant as the applet: tags are hardly looked at, lengths of what encloses do not bound
// what is enclosed. What it never does is read past the bytes it is given, where the applet goes on
// in its memory. Errors are the applet's status words. All slices given out alias the input; private
// keys are secret.
//
// The package must not know slots, access conditions or APDUs.
package keyblob
