// Package op holds the operations that a token processing system runs on a
// card: Format, one file an operation, and the steps they share.
//
// It owns the order of an operation, what is recorded before and after a step
// that cannot be undone, and the code that the client is told at the end. It
// must not know HTTP or how messages are framed (Client carries both), how card
// keys are derived (TKS), how a person is recognised (auth), where records are
// kept (tokendb over a store), or which APDU a step is made of (perso).
package op
