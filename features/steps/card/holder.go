package card

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/perso"
)

// pin is everybody's, with three tries.
const (
	pin   = "1234"
	tries = 3
)

// forms are how a card tells of its keys, by the words of the features.
var forms = map[string]perso.ContentOptions{
	"compressed": {}, "uncompressed": {Plain: true}, "in separate objects": {Separate: true},
}

func addHolderSteps(sc *godog.ScenarioContext) {
	sc.Step(`^([A-Z][a-z]+)'s card with an? (\w+) key, (\S+ ?\d*)$`, withOneKey)
	sc.Step(`^([A-Z][a-z]+)'s card with a signing and an encryption key, RSA 2048$`, withUsualKeys)
	sc.Step(`^([A-Z][a-z]+)'s card of stock "([^"]*)" with a signing and an encryption key, RSA 2048$`, ofStock)
	sc.Step(`^([A-Z][a-z]+)'s card whose content is (compressed|uncompressed|in separate objects)$`, ofForm)
	sc.Step(`^([A-Z][a-z]+)'s card is at hand, out of the reader$`, atHand)
	sc.Step(`^the card is taken out and the other is put in its place$`, swap)
	sc.Step(`^the card is taken out$`, takenOut)
	sc.Step(`^the card has (\d) of 3 tries left$`, triesLeft)
	sc.Step(`^the PIN "([^"]*)" still opens the card$`, stillOpens)
}

// person makes up the rest of somebody known by the first name.
func person(first string) holder.Person {
	last := map[string]string{"Alice": "Adams", "Bob": "Brown"}[first]
	uid := strings.ToLower(first)
	return holder.Person{Name: strings.TrimSpace(first + " " + last), UID: uid, Mail: uid + "@example.test"}
}

func plan(first string, pairs ...holder.PairPlan) holder.Plan {
	return holder.Plan{Person: person(first), PIN: pin, Tries: tries, Pairs: pairs}
}

var usualKeys = []holder.PairPlan{
	{Use: holder.Signing, Algorithm: "RSA 2048"}, {Use: holder.Encryption, Algorithm: "RSA 2048"},
}

// carry makes a holder's card and puts it into a reader.
func carry(ctx context.Context, k holder.Kind, p holder.Plan) (err error) {
	sn := scene.From(ctx)
	if sn.Card, err = sn.NewHolder(ctx, k, p); err != nil {
		return err
	}
	return sn.Card.Insert(ctx)
}

func withOneKey(ctx context.Context, first, use, algorithm string) error {
	return carry(ctx, holder.Usual, plan(first, holder.PairPlan{
		Use: holder.Use(use), Algorithm: holder.Algorithm(algorithm),
	}))
}

func withUsualKeys(ctx context.Context, first string) error {
	return carry(ctx, holder.Usual, plan(first, usualKeys...))
}

func ofStock(ctx context.Context, first, stock string) error {
	k, ok := holder.Kinds[stock]
	if !ok {
		return fmt.Errorf("nobody carries a card of stock %q", stock)
	}
	return carry(ctx, k, plan(first, usualKeys...))
}

func ofForm(ctx context.Context, first, form string) error {
	p := plan(first, usualKeys...)
	p.Content = forms[form]
	return carry(ctx, holder.Usual, p)
}

func atHand(ctx context.Context, first string) (err error) {
	sn := scene.From(ctx)
	sn.Second, err = sn.NewHolder(ctx, holder.Usual, plan(first, usualKeys...))
	return err
}

// swap leaves the card that is in the reader as the one that steps speak of.
func swap(ctx context.Context) error {
	sn := scene.From(ctx)
	if sn.Second == nil {
		return errors.New("there is no other card")
	}
	if err := sn.Card.Remove(ctx); err != nil {
		return err
	}
	sn.Card, sn.Second = sn.Second, sn.Card
	return sn.Card.Insert(ctx)
}

func takenOut(ctx context.Context) error { return scene.From(ctx).Card.Remove(ctx) }

// triesLeft asks the applet, which tells anybody.
func triesLeft(ctx context.Context, want int) error {
	c := scene.From(ctx).Card
	if err := c.SelectApplet(ctx); err != nil {
		return err
	}
	resp, err := c.Do(ctx, coolkey.GetPINTries{}.Command())
	if err == nil {
		err = resp.Err()
	}
	if err != nil {
		return fmt.Errorf("asking for the tries left: %w", err)
	}
	if len(resp.Data) != 1 || int(resp.Data[0]) != want {
		return fmt.Errorf("the card answers %X", resp.Data)
	}
	return nil
}

func stillOpens(ctx context.Context, pin string) error {
	c := scene.From(ctx).Card
	if err := c.SelectApplet(ctx); err != nil {
		return err
	}
	resp, err := c.Do(ctx, coolkey.VerifyPIN{PIN: coolkey.PIN(pin)}.Command())
	if err != nil {
		return err
	}
	return resp.Err()
}
