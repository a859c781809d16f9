package op

import (
	"context"

	"tokenwright/tms/perso"
	"tokenwright/tms/tps/contact"
)

// askPIN asks for the PIN before anything is done to the card: who is asked may take
// time, or leave.
func (n *enrollment) askPIN(ctx context.Context) (err error) {
	if n.set.SetPIN {
		n.pin, err = n.NewPIN(ctx, n.set.PIN)
	}
	return err
}

func (n *enrollment) setPIN(ctx context.Context, ch *perso.Channel) error {
	if !n.set.SetPIN {
		return nil
	}
	return contact.WritePIN(ctx, ch, n.pin, n.set.PIN)
}
