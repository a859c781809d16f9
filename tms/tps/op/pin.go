package op

import (
	"context"

	"tokenwright/tms/perso"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/wire"
)

// userPIN is the number of the PIN that is the user's.
const userPIN = 0

// newPIN asks the person for a PIN and looks at its length, the only rule there is.
func (r *run) newPIN(ctx context.Context, rules profile.PIN) ([]byte, error) {
	pin, err := r.Client.NewPIN(ctx, rules.Min, rules.Max)
	if err != nil {
		return nil, failf(wire.StatusConnLost, err, "asking for a new PIN")
	}
	if len(pin) < rules.Min || len(pin) > rules.Max {
		return nil, refuse(wire.StatusMACResetPINPDU, "new PIN has %d bytes, want %d to %d", len(pin),
			rules.Min, rules.Max)
	}
	return pin, nil
}

// writePIN sets the user's PIN over a channel to the applet.
func writePIN(ctx context.Context, ch *perso.Channel, pin []byte, rules profile.PIN) error {
	err := perso.SetPIN(ctx, ch, perso.PINOptions{
		Number: userPIN, PIN: pin, Tries: byte(rules.Tries),
	})
	return failf(wire.StatusTokenResetPINFailed, err, "setting PIN")
}

// askPIN asks for the PIN before anything is done to the card: who is asked may take
// time, or leave.
func (n *enrollment) askPIN(ctx context.Context) (err error) {
	if n.set.SetPIN {
		n.pin, err = n.newPIN(ctx, n.set.PIN)
	}
	return err
}

func (n *enrollment) setPIN(ctx context.Context, ch *perso.Channel) error {
	if !n.set.SetPIN {
		return nil
	}
	return writePIN(ctx, ch, n.pin, n.set.PIN)
}
