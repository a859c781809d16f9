// Package card holds the steps about a card as anybody sees it: in a reader or out of it, what it
// answers without authentication. It must not ask the system under test about the card.
package card

import (
	"context"
	"errors"
	"fmt"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a blank card of stock "([^"]*)"$`, blank)
	sc.Step(`^a card of stock "([^"]*)" with the applet$`, withApplet)
	addHolderSteps(sc)
	sc.Step(`^the card is taken out of the reader and put back$`, outAndIn)
	sc.Step(`^the card is put back$`, putBack)
	sc.Step(`^the applet on the card answers with version "([^"]*)"$`, appletVersion)
	sc.Step(`^the card's issuer information is the address of the phone home page$`, issuerInfo)
	sc.Step(`^nothing on the card has changed$`, unchanged)
	sc.Step(`^the card answers with key version "([0-9A-F]{2})"$`, keyVersion)
}

func blank(ctx context.Context, stock string) error {
	sn := scene.From(ctx)
	c, err := sn.NewCard(ctx, stock)
	if err != nil {
		return err
	}
	sn.Card = c
	return nil
}

// withApplet makes a card that holds the applet and nothing more.
func withApplet(ctx context.Context, stock string) error {
	sn := scene.From(ctx)
	c, err := sn.NewCard(ctx, stock, simcard.WithApplet(coolkey.DefaultVersion, nil))
	if err != nil {
		return err
	}
	sn.Card = c
	return nil
}

func outAndIn(ctx context.Context) error {
	c := scene.From(ctx).Card
	if err := c.Remove(ctx); err != nil {
		return err
	}
	return c.Insert(ctx)
}

func putBack(ctx context.Context) error { return scene.From(ctx).Card.Insert(ctx) }

func appletVersion(ctx context.Context, want string) error {
	got, err := scene.From(ctx).Card.AppletVersion(ctx)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("it answers %s", got)
	}
	return nil
}

func issuerInfo(ctx context.Context) error {
	sn := scene.From(ctx)
	l, err := sn.Lab(ctx)
	if err != nil {
		return err
	}
	got, err := sn.Card.IssuerInfo(ctx)
	if err != nil {
		return err
	}
	if got != l.PhoneHomeURL() {
		return fmt.Errorf("it is %q, the page is at %q", got, l.PhoneHomeURL())
	}
	return nil
}

func unchanged(ctx context.Context) error {
	sn := scene.From(ctx)
	before := sn.Before
	if before == "" {
		return errors.New("no operation has been tried on the card")
	}
	if err := sn.Card.Insert(ctx); err != nil {
		return err
	}
	after, err := sn.Card.Fingerprint(ctx)
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	return nil
}

func keyVersion(ctx context.Context, want string) error {
	info, err := scene.From(ctx).Card.KeyInfo(ctx)
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%02X", byte(info.KVN)); got != want {
		return fmt.Errorf("it answers with %s", got)
	}
	return nil
}
