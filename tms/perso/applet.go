package perso

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
)

// ErrIssuerInfo means that an issuer address is not visible ASCII or too long.
var ErrIssuerInfo = errors.New("issuer info unusable")

// WriteIssuerInfo writes the issuer's address, zero padded, over a channel to the
// applet. The value is at most coolkey.IssuerInfoLen characters of visible ASCII.
func WriteIssuerInfo(ctx context.Context, ch *Channel, value string) error {
	if err := CheckIssuerInfo(value); err != nil {
		return fail(StepIssuerInfo, err)
	}
	var field [coolkey.IssuerInfoLen]byte
	copy(field[:], value)
	_, err := ch.expect(ctx, StepIssuerInfo, coolkey.SetIssuerInfo{Info: field}.Command())
	return err
}

// CheckIssuerInfo tells whether WriteIssuerInfo would take the value.
func CheckIssuerInfo(value string) error {
	if len(value) > coolkey.IssuerInfoLen {
		return fmt.Errorf("%w: %d characters, at most %d", ErrIssuerInfo, len(value),
			coolkey.IssuerInfoLen)
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return fmt.Errorf("%w: character %d is not visible ASCII", ErrIssuerInfo, i+1)
		}
	}
	return nil
}

// SetLifeCycle sets the applet's life cycle state over a channel to the applet.
func SetLifeCycle(ctx context.Context, ch *Channel, state coolkey.LifeCycleState) error {
	_, err := ch.expect(ctx, StepSetLifeCycle, coolkey.SetLifeCycle{State: state}.Command())
	return err
}
