package main

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"tokenwright/tms/wire"
)

// tries is how often a new PIN may be typed wrong.
const tries = 3

// NewPIN implements esc.Prompter. A PIN is typed twice, so that nobody locks a card by a slip.
func (p *person) NewPIN(ctx context.Context, shortest, longest int) (wire.Secret, error) {
	if p.pin != nil {
		return *p.pin, fits(*p.pin, shortest, longest)
	}
	if !p.canType() {
		return wire.Secret{}, errors.New("the server asks for a new PIN and there is no terminal to " +
			"ask at; give --pin-file or --pin-stdin")
	}
	var wrong error
	for range tries {
		pin, err := p.typed(ctx, fmt.Sprintf("New PIN (%d to %d characters)", shortest, longest), true)
		if err != nil {
			return wire.Secret{}, err
		}
		if wrong = fits(pin, shortest, longest); wrong == nil {
			again, err := p.typed(ctx, "New PIN again", true)
			if err != nil {
				return wire.Secret{}, err
			}
			if pin.Equal(again) {
				return pin, nil
			}
			wrong = errors.New("the two PINs differ")
		}
		p.tell(wrong.Error())
	}
	return wire.Secret{}, fmt.Errorf("%w, %d times", wrong, tries)
}

// fits checks a PIN's length. The limits are in bytes, and the messages say so where that is not
// the number of characters.
func fits(pin wire.Secret, shortest, longest int) error {
	n := pin.Len()
	if n >= shortest && n <= longest {
		return nil
	}
	unit := "characters"
	if utf8.RuneCountInString(pin.Reveal()) != n {
		unit = "bytes"
	}
	return fmt.Errorf("the new PIN has %d %s, and the server wants %d to %d", n, unit, shortest,
		longest)
}
