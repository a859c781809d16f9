package enrollment

import (
	"context"
	"errors"
	"fmt"

	"github.com/cucumber/godog"

	"tokenwright/features/judge"
	"tokenwright/features/steps/scene"
)

// judgeIssued looks, at the end of every scenario, at all that was issued for its cards: no scenario may
// leave a certificate, revocation list or OCSP answer that other people's programs would not take.
func judgeIssued(ctx context.Context, sn *scene.Scene) error {
	l := sn.Running()
	if l == nil {
		return nil
	}
	var cuids []string
	for _, c := range sn.CUIDs() {
		cuids = append(cuids, c.String())
	}
	authorities, err := l.CAs(ctx)
	if err != nil {
		return err
	}
	for _, a := range authorities {
		if _, err := judge.Tokens(ctx, a, cuids...); err != nil {
			return fmt.Errorf("judging what was issued: %w", err)
		}
	}
	return nil
}

func addJudgementSteps(sc *godog.ScenarioContext) {
	sc.Step(`^openssl and the certificate authority agree that the "([^"]*)" certificate is (valid|revoked|on hold)$`,
		agreeOnState)
	sc.Step(`^openssl and the certificate authority agree that the "([^"]*)" certificate of the second card is (valid|revoked|on hold)$`,
		agreeOnSecond)
}

// agreeOnState wants the CA to say so, and openssl to find the same in a revocation list and in an OCSP
// answer of this moment.
func agreeOnState(ctx context.Context, keyType, state string) error {
	return agree(ctx, scene.From(ctx).Card, keyType, state)
}

func agreeOnSecond(ctx context.Context, keyType, state string) error {
	sn := scene.From(ctx)
	if sn.Second == nil {
		return errNoSecond
	}
	return agree(ctx, sn.Second, keyType, state)
}

func agree(ctx context.Context, card *scene.Card, keyType, state string) error {
	if err := inState(ctx, card, keyType, state); err != nil {
		return err
	}
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	n, err := judge.Tokens(ctx, l.Authorities().CA, card.CUID().String())
	if err == nil && n == 0 {
		err = errors.New("there was nothing to agree on")
	}
	return err
}
