// Package keys owns the values that name and hold card keys: the card's identifiers (CUID, KDD),
// key version and key check values, symmetric keys with the block operations that GlobalPlatform
// builds on, and the sets that keys travel in.
//
// Everything that holds key bytes redacts itself in every fmt verb, in JSON and in slog.
//
// It must not know how keys are derived (package kdf), how messages are protected (package scp),
// where keys are kept (package keystore), nor what a token or a configuration is. It does no I/O,
// reads no clock, makes no randomness and imports the standard library only.
package keys
