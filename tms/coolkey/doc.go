// Package coolkey is the command language of the CoolKey applet, in both directions: its commands,
// answers, identities, access conditions and install parameters.
//
// Every command type has a Command method that prints it and a Parse function that reads it; what
// Parse accepts, Command prints back byte for byte. Parse functions take well-formed commands only;
// the order in which an applet checks a malformed one is the applet's business. They bound every
// length, never panic, and alias what they are given.
//
// A command that fetches data and sends none asks for the usual number of bytes when its Ne is
// zero, and has no Le field when Ne is NoLe. In every other command Ne 0 means no Le.
//
// The package holds no state, checks no access and knows nothing of key derivation or secure
// messaging. It does no input or output, has no clock and no randomness.
package coolkey
