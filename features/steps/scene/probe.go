package scene

import (
	"context"
	"fmt"
	"strings"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// CUID is the card's unique identifier, known from making the card.
func (c *Card) CUID() keys.CUID { return c.Sim.CUID() }

// SelectApplet selects the CoolKey applet.
func (c *Card) SelectApplet(ctx context.Context) error {
	resp, err := c.Do(ctx, gp.Select{AID: coolkey.AppletAID}.Command())
	if err != nil {
		return err
	}
	return resp.Err()
}

// AppletVersion asks the applet for its version, such as "1.4.58768072".
func (c *Card) AppletVersion(ctx context.Context) (string, error) {
	if err := c.SelectApplet(ctx); err != nil {
		return "", fmt.Errorf("selecting the applet: %w", err)
	}
	status, err := c.data(ctx, apdu.Command{CLA: 0xB0, INS: 0x3C, Ne: 16})
	if err != nil {
		return "", fmt.Errorf("asking for the applet's status: %w", err)
	}
	build, err := c.data(ctx, apdu.Command{CLA: 0xB0, INS: 0x70, Ne: 4})
	if err != nil {
		return "", fmt.Errorf("asking for the applet's build: %w", err)
	}
	if len(status) != 16 || len(build) != 4 {
		return "", fmt.Errorf("the applet answered %d and %d bytes", len(status), len(build))
	}
	return fmt.Sprintf("%d.%d.%x", status[2], status[3], build), nil
}

// IssuerInfo reads the text that the applet keeps for the issuer.
func (c *Card) IssuerInfo(ctx context.Context) (string, error) {
	if err := c.SelectApplet(ctx); err != nil {
		return "", fmt.Errorf("selecting the applet: %w", err)
	}
	b, err := c.data(ctx, apdu.Command{CLA: 0xB0, INS: 0xF6, Ne: 0xE0})
	return strings.TrimRight(string(b), "\x00"), err
}

// KeyInfo asks the card manager for the version and protocol of its default keys.
func (c *Card) KeyInfo(ctx context.Context) (keys.KeyInfo, error) {
	if _, err := c.data(ctx, apdu.Command{INS: 0xA4, P1: 0x04, Ne: 256}); err != nil {
		return keys.KeyInfo{}, fmt.Errorf("selecting the card manager: %w", err)
	}
	b, err := c.data(ctx, gp.InitializeUpdate{HostChallenge: [8]byte{1}, Ne: 256}.Command())
	if err != nil {
		return keys.KeyInfo{}, fmt.Errorf("INITIALIZE UPDATE: %w", err)
	}
	answer, err := gp.ParseInitializeUpdateResponse(b)
	return answer.Info, err
}

// Fingerprint gathers what anybody can read of the card's content, for telling whether an operation
// changed it.
func (c *Card) Fingerprint(ctx context.Context) (string, error) {
	info, err := c.KeyInfo(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "keys %s", info)
	for _, tag := range []uint16{0x9F7F, 0x0066, 0x00E0, 0x0042, 0x0045} {
		resp, err := c.Do(ctx, apdu.Command{CLA: 0x80, INS: 0xCA, P1: byte(tag >> 8), P2: byte(tag), Ne: 256})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n%04X %X %04X", tag, resp.Data, uint16(resp.SW))
	}
	version, err := c.AppletVersion(ctx)
	if err != nil {
		fmt.Fprintf(&b, "\nno applet: %v", err)
		return b.String(), nil
	}
	issuer, err := c.IssuerInfo(ctx)
	if err != nil {
		return "", err
	}
	life, err := c.data(ctx, apdu.Command{CLA: 0xB0, INS: 0xF2, Ne: 4})
	fmt.Fprintf(&b, "\napplet %s, issuer %q, life cycle %X", version, issuer, life)
	return b.String(), err
}

func (c *Card) data(ctx context.Context, cmd apdu.Command) ([]byte, error) {
	resp, err := c.Do(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return resp.Data, resp.Err()
}
