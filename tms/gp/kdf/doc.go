// Package kdf owns key derivation: from a master key and a card's identity to the card's static
// keys, and from static keys and challenges to session keys, cryptograms and pseudo-random card
// challenges.
//
// It works on a Secret, which answers operations, so that the master key may stay in a hardware
// module. It must not know where keys are kept, how messages are protected, nor what a profile
// or a configuration is. It does no I/O, reads no clock and makes no randomness.
//
// # Parity and HMAC key length
//
// Two questions change card keys or their stored bytes and are answered here once.
//
// Parity: static keys by EMV and VISA2 keep the raw bytes of the cipher, also when they become
// DES keys. Triple DES ignores parity bits, SCP03 uses the same bytes as an AES key where they
// matter, and the published session-key self-test uses raw bytes. Static DES keys by NIST get
// odd parity in every byte, as every deployed server does; AES keys never do. Session keys are
// never adjusted. Function setsParity is the only place that decides.
//
// HMAC key: the NIST method keys HMAC-SHA256 with the master key's bytes as imported, parity
// bits included. A DES3 master of 24 bytes whose last third repeats its first is the same cipher
// as its first 16 bytes and is keyed with those 16, so that one master key gives one set of card
// keys however a module stores it. Any other length is used whole: 16 or 24 for DES3, 16, 24 or
// 32 for AES. keys.Key.HMACSHA256 implements it and every other Secret must do the same.
package kdf
