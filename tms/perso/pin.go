package perso

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
)

// ErrPIN means that a PIN has a length that no applet takes.
var ErrPIN = errors.New("PIN unusable")

// DefaultPINTries is how many wrong tries a PIN has when PINOptions do not say.
const DefaultPINTries = 0x7F

// PINOptions says which PIN to set. PIN is secret and stays the caller's.
type PINOptions struct {
	Number byte
	PIN    coolkey.PIN
	// Tries is how often the PIN may be wrong in a row, 1 to 127; zero means
	// DefaultPINTries. It takes effect only when the PIN comes to exist.
	Tries byte
}

// SetPIN sets and unblocks a PIN over a channel to the applet. It tries to create
// the PIN first, which every applet refuses once it exists; that refusal is no
// error, since what counts is whether the PIN can be set.
func SetPIN(ctx context.Context, ch *Channel, o PINOptions) error {
	if !o.PIN.Valid() {
		return fail(StepSetPIN, fmt.Errorf("%w: %d bytes, want %d to %d", ErrPIN, len(o.PIN),
			coolkey.MinPIN, coolkey.MaxPIN))
	}
	if o.Tries == 0 {
		o.Tries = DefaultPINTries
	}
	create := coolkey.CreatePIN{Number: o.Number, Tries: o.Tries, PIN: o.PIN, Auth: ch.auth()}
	if _, err := ch.Send(ctx, create.Command()); err != nil {
		return fail(StepCreatePIN, err)
	}
	_, err := ch.expect(ctx, StepSetPIN, coolkey.SetPIN{Number: o.Number, PIN: o.PIN}.Command())
	return err
}
