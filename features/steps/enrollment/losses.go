package enrollment

import (
	"context"
	"fmt"
	"slices"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
)

// lastAndSecond compares the certificate of a type that the token was given last with the one that the
// second card was given first.
func lastAndSecond(ctx context.Context, keyType, which string) error {
	sn := scene.From(ctx)
	if sn.Second == nil {
		return errNoSecond
	}
	other, err := ofType(ctx, sn.Second.CUID(), keyType)
	if err != nil {
		return err
	}
	list, err := held(ctx)
	if err != nil {
		return err
	}
	last := ""
	for _, c := range list {
		if c.KeyType == keyType {
			last = c.Serial
		}
	}
	if same := last == other.Serial; last == "" || same != (which == "that") {
		return fmt.Errorf("it is %q, that of the second card %q", last, other.Serial)
	}
	return nil
}

func mineAre(ctx context.Context, keyType, state string) error {
	return inState(ctx, scene.From(ctx).Card, keyType, state)
}

func revokedFor(ctx context.Context, keyType string, reason int) error {
	c, err := ofType(ctx, scene.From(ctx).Card.CUID(), keyType)
	if err != nil {
		return err
	}
	_, status, err := fetch(ctx, c)
	if err != nil {
		return err
	}
	if status.State != connector.CertificateRevoked || int(status.Reason) != reason {
		return fmt.Errorf("it is %s for reason %d", status.State, int(status.Reason))
	}
	return nil
}

// holdsValidAndRevoked is for a token with a key that came back although its certificate did not: what was
// encrypted before can be read, and nobody encrypts for it any more.
func holdsValidAndRevoked(ctx context.Context, valid, revoked string) error {
	if err := mineAre(ctx, valid, "valid"); err != nil {
		return fmt.Errorf("%s: %w", valid, err)
	}
	if err := mineAre(ctx, revoked, "revoked"); err != nil {
		return fmt.Errorf("%s: %w", revoked, err)
	}
	list, err := held(ctx)
	if err != nil {
		return err
	}
	var serials []string
	for _, c := range list {
		serials = append(serials, c.Serial)
	}
	slices.Sort(serials)
	return sameOnCard(ctx, serials)
}
