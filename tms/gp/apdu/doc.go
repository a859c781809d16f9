// Package apdu is the codec of ISO/IEC 7816-4 command and response APDUs: cases 1 to 4, short and
// extended, status words as errors, and the bits of the class byte.
//
// It knows how a command is framed, never what a command means: instruction names, data fields and
// secure messaging live in the packages above. It imports the standard library only and does no
// input or output.
package apdu
