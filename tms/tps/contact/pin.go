package contact

import (
	"context"

	"tokenwright/tms/perso"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/wire"
)

// userPIN is the number of the PIN that is the user's.
const userPIN = 0

// NewPIN asks the person for a PIN and looks at its length, the only rule there is.
func (r *Run) NewPIN(ctx context.Context, rules profile.PIN) ([]byte, error) {
	pin, err := r.Client.NewPIN(ctx, rules.Min, rules.Max)
	if err != nil {
		return nil, Failf(wire.StatusConnLost, err, "asking for a new PIN")
	}
	if len(pin) < rules.Min || len(pin) > rules.Max {
		return nil, Refuse(wire.StatusMACResetPINPDU, "new PIN has %d bytes, want %d to %d", len(pin),
			rules.Min, rules.Max)
	}
	return pin, nil
}

// WritePIN sets the user's PIN over a channel to the applet.
func WritePIN(ctx context.Context, ch *perso.Channel, pin []byte, rules profile.PIN) error {
	err := perso.SetPIN(ctx, ch, perso.PINOptions{
		Number: userPIN, PIN: pin, Tries: byte(rules.Tries),
	})
	return Failf(wire.StatusTokenResetPINFailed, err, "setting PIN")
}
