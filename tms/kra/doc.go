// Package kra is the key recovery authority: it makes key pairs for cards, archives them, gives
// them to their owners' cards again, and lets recovery agents have them together.
//
// It owns what may leave, to whom and wrapped how, and that nothing leaves before it is archived
// and recorded. It must not know cards or their commands, certificates beyond the public key in
// them, or how requests travel: a TPS and this package meet in package connector.
//
// # Ownership
//
// An archived key belongs to the user it was made for; the card's CUID is kept with it. RecoverKey
// gives it to that user alone, on whatever card, and to users whom agents let share it. For
// everybody else the key does not exist.
//
// # What is kept, and where
//
// Keydb holds records, package vault seals private keys under a storage key that never leaves its
// key store, package approval decides what agents may do. Keys that are made in advance live in
// memory alone: a key on the disk always has an owner, and a process that ends takes nothing of
// value with it but the time it took to make them. Whatever held a private key is overwritten
// after use; what Go's runtime and big integers copied is beyond reach.
//
// # Repetition
//
// A TPS gives each request for an archived key an id and asks again with the same one when it does
// not know what became of it. It gets the same key, wrapped under the transport key of the new
// request. The record is durable before the first answer leaves, so that no certificate can be
// asked for with a key that is not archived.
package kra
