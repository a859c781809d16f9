package interruption

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/features/lab"
	"tokenwright/features/steps/scene"
	"tokenwright/fixtures/ldap"
	"tokenwright/tms/esc"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// person is who all cards of this package are for.
const person = "alice"

// world is one system of processes with one person at it, who has one card at a time.
type world struct {
	sn    *scene.Scene
	sys   *lab.Processes
	stock string
	made  int64 // cards so far

	card    *scene.Card
	former  *scene.Card // what card is to take the place of; nil for none
	onCard  bool        // nothing is archived
	tries   int
	repairs int    // in which the TPS was killed
	pin     string // that the last try set, or would have set
}

// open starts a system for a stock and the kind of keys that its cards get.
func open(ctx context.Context, stock string, k kind) (*world, error) {
	sn := scene.From(ctx)
	sys, err := sn.Processes(ctx, k.config)
	if err != nil {
		return nil, err
	}
	w := &world{sn: sn, sys: sys, stock: stock, onCard: k.onCard}
	w.card, err = w.blank(ctx)
	if err != nil {
		return nil, errors.Join(err, sys.Close())
	}
	return w, nil
}

func (w *world) close(ctx context.Context) error {
	var errs []error
	for _, c := range []*scene.Card{w.card, w.former} {
		if c != nil {
			errs = append(errs, c.Close(ctx))
		}
	}
	return errors.Join(append(errs, w.sys.Close())...)
}

// blank puts a new card into a reader.
func (w *world) blank(ctx context.Context) (*scene.Card, error) {
	w.made++
	c, err := scene.NewCard(w.sn.Target, w.stock, w.sn.Seed+w.made)
	if err != nil {
		return nil, err
	}
	if err := c.Insert(ctx); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return c, nil
}

// another is for the person to get another card: the present one is put aside.
func (w *world) another(ctx context.Context) error {
	c, err := w.blank(ctx)
	if err != nil {
		return err
	}
	if w.former != nil {
		err = w.former.Close(ctx)
	}
	w.former, w.card = w.card, c
	return errors.Join(err, w.former.Remove(ctx))
}

// again takes the card out and puts it in.
func (w *world) again(ctx context.Context) error {
	return errors.Join(w.card.Remove(ctx), w.card.Insert(ctx))
}

// try has the person try an operation once, with a PIN that was never chosen before.
func (w *world) try(ctx context.Context, what wire.Operation) error {
	w.tries++
	w.pin = fmt.Sprintf("%06d", w.tries)
	password, ok := ldap.Password(person)
	if !ok {
		return fmt.Errorf("%s is not in the directory", person)
	}
	client := esc.Client{
		URL: w.sys.URL(), TLS: w.sys.TLS(), Prompter: prompter{password: password, pin: w.pin},
	}
	_, err := client.Run(ctx, esc.Request{Operation: what, ATR: w.card.ATR(), Version: "harness"}, w.card)
	return err
}

// record is the card's record; the zero value is that of a card that was never seen.
func (w *world) record(ctx context.Context) (token.Record, error) {
	return recordOf(ctx, w.sys.Store(), w.card.CUID())
}

// prompter answers for the person.
type prompter struct{ password, pin string }

// Ask implements esc.Prompter.
func (p prompter) Ask(_ context.Context, q esc.Prompt) (wire.Credentials, error) {
	var out wire.Credentials
	for _, param := range q.Params {
		value := person
		if param.Secret() {
			value = p.password
		}
		out = append(out, wire.Credential{ID: param.ID, Value: wire.NewSecret(value)})
	}
	return out, nil
}

// NewPIN implements esc.Prompter.
func (p prompter) NewPIN(context.Context, int, int) (wire.Secret, error) {
	return wire.NewSecret(p.pin), nil
}
