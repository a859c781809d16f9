package enrollment

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/perso"
)

func addCardSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the card (accepts|refuses) the PIN "([^"]*)"$`, takesPIN)
	sc.Step(`^the card's name is "([^"]*)"$`, isNamed)
	sc.Step(`^the applet on the card is personalized$`, personalized)
	sc.Step(`^the keys on the card are of type "(RSA|EC)"$`, keysAre)
}

// appletAID is the applet's.
var appletAID = gp.AID{0x62, 0x76, 0x01, 0xFF, 0x00, 0x00, 0x00}

// told reads what the card tells readers about its keys, beside the scenario's log and fault.
func told(ctx context.Context) (c content.Content, err error) {
	card := scene.From(ctx).Card
	err = card.Quietly(func() error {
		if err := perso.SelectApplet(ctx, card, appletAID); err != nil {
			return err
		}
		var form perso.ContentForm
		c, form, err = perso.ReadContent(ctx, perso.User{Card: card})
		if err == nil && form == perso.NoContent {
			err = errors.New("the card tells nothing")
		}
		return err
	})
	return c, err
}

// sameOnCard wants the card to tell of these certificates and no others, each with its private key.
func sameOnCard(ctx context.Context, serials []string) error {
	c, err := told(ctx)
	if err != nil {
		return err
	}
	var got []string
	for _, n := range c.Certificates {
		cert, err := x509.ParseCertificate(n.DER)
		if err != nil {
			return err
		}
		got = append(got, cert.SerialNumber.Text(16))
		hasKey := slices.ContainsFunc(c.Keys, func(k content.Key) bool {
			return k.Fixed.ID() == n.Fixed.ID() && k.Fixed.Class() == content.ClassPrivateKey
		})
		if !hasKey {
			return fmt.Errorf("the card has no key for certificate %x", cert.SerialNumber)
		}
	}
	slices.Sort(got)
	slices.Sort(serials)
	if !slices.Equal(got, serials) {
		return fmt.Errorf("the card tells of %q, the records of %q", got, serials)
	}
	return nil
}

func takesPIN(ctx context.Context, how, pin string) error {
	card := scene.From(ctx).Card
	return card.Quietly(func() error {
		if err := perso.SelectApplet(ctx, card, appletAID); err != nil {
			return err
		}
		resp, err := card.Do(ctx, coolkey.VerifyPIN{PIN: coolkey.PIN(pin)}.Command())
		switch {
		case err != nil:
			return err
		case how == "accepts":
			return resp.Err()
		case resp.SW == apdu.SW9000:
			return errors.New("it accepts it")
		case resp.SW != apdu.SW9C02 && resp.SW != apdu.SW9C0C && resp.SW != apdu.SW9C10: // wrong, blocked, none
			return fmt.Errorf("it answers %s", resp.SW)
		}
		return nil
	})
}

func isNamed(ctx context.Context, want string) error {
	c, err := told(ctx)
	if err == nil && c.TokenName != want {
		err = fmt.Errorf("its name is %q", c.TokenName)
	}
	return err
}

func personalized(ctx context.Context) error {
	card := scene.From(ctx).Card
	return card.Quietly(func() error {
		if err := perso.SelectApplet(ctx, card, appletAID); err != nil {
			return err
		}
		resp, err := card.Do(ctx, coolkey.GetLifeCycle{}.Command())
		if err != nil {
			return err
		}
		life, err := coolkey.ParseLifeCycle(resp.Data)
		if err == nil && life.State != gp.AppPersonalized {
			err = fmt.Errorf("its life cycle state is %02X", byte(life.State))
		}
		return err
	})
}

func keysAre(ctx context.Context, want string) error {
	c, err := told(ctx)
	if err != nil {
		return err
	}
	if len(c.Keys) == 0 {
		return errors.New("there are none")
	}
	for _, k := range c.Keys {
		if k.Type.String() != want {
			return fmt.Errorf("the key in slot %d is of type %s", k.Slot, k.Type)
		}
	}
	return nil
}
