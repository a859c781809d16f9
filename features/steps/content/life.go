package content

import (
	"context"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

func addLifeSteps(book *script.Book) {
	book.Step(`^the card is in life cycle state "([0-9A-F]{2})"$`, inState)
	book.Step(`^the applet is in its own state "([0-9A-F]{2})"$`, appletState)
}

// forward is the life cycle of a card from its making to its end (GPCS 2.3.1 §5.1).
var forward = []gp.CardState{
	gp.CardOPReady, gp.CardInitialized, gp.CardSecured, gp.CardLocked, gp.CardTerminated,
}

// inState brings the card forward to a state, by every state on the way.
func inState(ctx context.Context, text string) error {
	var want byte
	if _, err := fmt.Sscanf(text, "%02X", &want); err != nil {
		return err
	}
	return setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
		isd, err := c.Registry(ctx, gp.ScopeISD)
		if err != nil {
			return err
		}
		if len(isd) != 1 {
			return fmt.Errorf("the registry lists %d issuer security domains", len(isd))
		}
		reached := false
		for _, s := range forward {
			if reached {
				if err := done(ctx, c, setState(s), "SET STATUS "+s.String()); err != nil {
					return err
				}
			}
			reached = reached || byte(s) == isd[0].LifeCycle
			if byte(s) == want {
				break
			}
		}
		return nil
	})
}

func setState(s gp.CardState) apdu.Command {
	return gp.SetStatus{Scope: gp.ScopeISD, State: byte(s)}.Command()
}

// appletState has the CoolKey applet set a state of its own.
func appletState(ctx context.Context, text string) error {
	var state byte
	if _, err := fmt.Sscanf(text, "%02X", &state); err != nil {
		return err
	}
	w := bench.From(ctx)
	if err := selectApplet(ctx); err != nil {
		return err
	}
	c, err := w.Open(ctx, 0, scp.CMAC)
	if err != nil {
		return err
	}
	set := apdu.Command{CLA: 0x80, INS: 0xF0, P1: state}
	if err := done(ctx, c, set, "SET LIFECYCLE"); err != nil {
		return err
	}
	_, err = w.SelectISD(ctx)
	return err
}
