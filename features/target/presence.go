package target

import (
	"context"
	"fmt"

	"tokenwright/tms/esc/pcsc"
)

// awaitPresence waits until the reader holds a card, or holds none.
func awaitPresence(ctx context.Context, reader string, want bool) error {
	states, err := pcsc.States()
	for err == nil {
		there := false
		for _, s := range states {
			if s.Name == reader {
				there = true
				if s.Card == want {
					return nil
				}
			}
		}
		if !there {
			return fmt.Errorf("the PC/SC service has no reader %q", reader)
		}
		states, err = pcsc.WaitChange(ctx, states)
	}
	return err
}
