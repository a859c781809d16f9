// Package op holds the operations that a token processing system runs on a card, one file an
// operation, and what Enroll, renewal and recovery share: keys, certificates, objects.
//
// It owns the order of an operation, and what is recorded before and after a step of it that cannot
// be undone. It must not know how a card is talked to, keyed or loaded (contact), how a CA or a
// KRA is asked (routing), where records are kept (tokendb over a store), or which APDU a step is
// made of (perso).
package op

import (
	"context"

	"tokenwright/tms/tps/contact"
)

// Func is an operation. A nil error means END_OP with result 0; contact.StatusOf gives the
// code for any other.
type Func func(ctx context.Context, e *contact.Env, s *contact.Session) error
