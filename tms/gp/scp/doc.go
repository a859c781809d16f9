// Package scp owns secure messaging once session keys are known: SCP01 (GPCS 2.1.1 appendix D),
// SCP02 (GPCS 2.3.1 appendix E) and SCP03 (Amendment D 1.1.1), with C-MAC, C-DECRYPTION, R-MAC and
// R-ENCRYPTION. Host is the end that sends commands, Card the end that receives them. They are
// separate types that share primitives alone, so that a mistake in one shows against the other.
//
// It must not know how session keys came about (package kdf), what commands mean, who sends bytes,
// nor which quirks a vendor's card has. It does no I/O, reads no clock and makes no randomness.
//
// 61xx and 6Cxx belong to transport: whoever transmits resolves them before Host.Unwrap, and a
// GET RESPONSE never passes Wrap.
//
// A session object that meets a wrong MAC, cryptogram, padding or protection level ends for good:
// it drops its keys and answers ErrSessionEnded from then on. Objects are not safe for concurrent
// use: a secure channel is a sequence.
package scp
