// Package soft is the software home of keys: one file, encrypted under a passphrase, replaced as a
// whole with every change.
//
// It owns the file format, the passphrase's key derivation and the agreement of processes that
// change one file. It must not know what keys are for, nor where a passphrase comes from.
//
// # File format
//
// A line "tokenwright keystore 1", a line of JSON that names the key derivation (argon2id) with
// its parameters and salt and the nonce of the encryption, then AES-256-GCM ciphertext up to the
// end. Both lines are authenticated as additional data, so that no parameter can be changed
// unseen. Inside is JSON: a list of keys with name, specification and bytes, PKCS #8 for
// asymmetric keys.
//
// Every write takes a fresh nonce, goes to a new file beside the old one, is synced, and takes its
// place by rename; the directory is synced too. A reader sees the old file or the new one.
//
// # More processes than one
//
// A change holds a lock on the file "<path>.lock", reads the file again, applies itself to what is
// there, and writes. Two processes can so change one keystore without losing a change. Keys are
// served from memory; a name that is not there is looked for in the file once more. A key that
// another process deleted is served until Close.
package soft
