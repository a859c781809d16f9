// Package routing holds the steps about several certificate authorities: which of them answers, which
// is asked to revoke a certificate, and what it says of it. It asks the authorities themselves, never
// the system under test.
package routing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
	"tokenwright/tms/instance"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a token management system with the certificate authorities ca0, ca1 and ca2$`, site)
	sc.Step(`^the certificate authority "([^"]*)" (is out of reach|answers again|is retired)$`, authority)
	sc.Step(`^the operator puts "([^"]*)" in the place of "([^"]*)", which stays reachable as "([^"]*)"$`,
		replace)
	sc.Step(`^the operator takes the connection to "([^"]*)" away$`, disconnect)
	sc.Step(`^the "([^"]*)" certificate is (valid|revoked|on hold) at "([^"]*)"(?: for reason (\d+))?$`, isAt)
	sc.Step(`^the "([^"]*)" certificate of the second card is (valid|revoked|on hold) at "([^"]*)"$`, secondIsAt)
	sc.Step(`^the second card's token is ACTIVE again$`, secondActive)
	sc.Step(`^the certificate authority "([^"]*)" issues nothing any more$`, issuesNothing)
	addReconcileSteps(sc)
}

func site(ctx context.Context) error {
	o := scene.From(ctx).Options()
	o.Site, o.Alone = true, true
	return nil
}

// running is the site, which has to be one.
func running(ctx context.Context) (*lab.Lab, *lab.Site, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, nil, err
	}
	if l.Site() == nil {
		return nil, nil, errors.New("this system has no certificate authorities of its own")
	}
	return l, l.Site(), nil
}

func authority(ctx context.Context, name, how string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	switch how {
	case "is out of reach":
		return s.Stop(name)
	case "is retired":
		err = errors.Join(s.Set(name, map[string]string{"ca.retired": "true"}), s.Stop(name))
	}
	if err != nil {
		return err
	}
	return s.Start(ctx, name)
}

// leads are the keys by which a connection leads to a CA.
var leads = []string{"port", "caNickname"}

// replace has the connection of one name lead to another CA, and another connection to the first.
func replace(ctx context.Context, next, former, spare string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	keys := map[string]string{}
	for _, key := range leads {
		for at, from := range map[string]string{former: next, spare: former} {
			value, err := s.Get(instance.TPS, "tps.connector."+from+"."+key)
			if err != nil {
				return err
			}
			keys["tps.connector."+at+"."+key] = value
		}
	}
	return scene.From(ctx).Reconfigure(ctx, keys)
}

func disconnect(ctx context.Context, name string) error {
	if _, _, err := running(ctx); err != nil {
		return err
	}
	return scene.From(ctx).Reconfigure(ctx, map[string]string{
		"tps.connector." + name + ".enable": "false",
	})
}

// held gives the record of the certificate of a type that a card holds, or held last.
func held(ctx context.Context, card *scene.Card, keyType string) (token.Certificate, error) {
	l, _, err := running(ctx)
	if err != nil {
		return token.Certificate{}, err
	}
	db, ok := l.Store().(store.CertLister)
	if !ok {
		return token.Certificate{}, errors.New("the token database lists no certificates")
	}
	page, err := db.Certificates(ctx, store.CertQuery{CUID: card.CUID(), Limit: store.MaxLimit})
	if err != nil {
		return token.Certificate{}, err
	}
	for _, c := range page.Certificates {
		if c.KeyType == keyType && c.Presence == token.Held {
			return c, nil
		}
	}
	return token.Certificate{}, fmt.Errorf("token %s holds no %s certificate", card.CUID(), keyType)
}

var states = map[string]struct {
	ca     connector.CertificateState
	record token.CertStatus
}{
	"valid":   {connector.CertificateValid, token.CertActive},
	"revoked": {connector.CertificateRevoked, token.CertRevoked},
	"on hold": {connector.CertificateOnHold, token.CertOnHold},
}

// isAt compares what the CA says of a certificate with what is expected, and with its record.
func isAt(ctx context.Context, keyType, state, name, reason string) error {
	return cardIsAt(ctx, scene.From(ctx).Card, keyType, state, name, reason)
}

func secondIsAt(ctx context.Context, keyType, state, name string) error {
	second := scene.From(ctx).Second
	if second == nil {
		return errors.New("there is no second card")
	}
	return cardIsAt(ctx, second, keyType, state, name, "")
}

func cardIsAt(ctx context.Context, card *scene.Card, keyType, state, name, reason string) error {
	rec, err := held(ctx, card, keyType)
	if err != nil {
		return err
	}
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	a := s.Authority(name)
	if a == nil {
		return fmt.Errorf("%s does not run", name)
	}
	got, err := a.Certificate(ctx, connector.Serial(rec.Serial))
	if err != nil {
		return err
	}
	want := states[state]
	switch {
	case got.State != want.ca:
		return fmt.Errorf("%s says that it is %s", name, got.State)
	case rec.Status != want.record:
		return fmt.Errorf("%s says that it is %s, its record %s", name, got.State, rec.Status)
	case reason != "" && reason != fmt.Sprint(int(got.Reason)):
		return fmt.Errorf("%s says that it is so for reason %d", name, int(got.Reason))
	}
	return nil
}

// secondActive makes the record say so: no agent can bring a damaged token back.
func secondActive(ctx context.Context) error {
	sn := scene.From(ctx)
	l, err := sn.Lab(ctx)
	if err != nil {
		return err
	}
	old, err := l.Store().Token(ctx, sn.Second.CUID())
	if err != nil {
		return err
	}
	next := old.InState(token.Active)
	_, err = l.Store().Apply(ctx, store.Change{
		CUID: old.CUID, Old: &old, New: &next, Actor: "harness", Why: "a scenario begins here",
		At: time.Now(),
	})
	return err
}

// issuesNothing asks for a certificate that anybody else would get.
func issuesNothing(ctx context.Context, name string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	a := s.Authority(name)
	if a == nil {
		return fmt.Errorf("%s does not run", name)
	}
	key, err := publicKey()
	if err != nil {
		return err
	}
	_, err = a.Enroll(ctx, connector.EnrollRequest{
		ProfileID: "caTokenUserSigningKeyEnrollment", UserID: "alice", PublicKey: key,
	})
	if !errors.Is(err, connector.ErrCARefused) || !strings.Contains(err.Error(), "retired") {
		return fmt.Errorf("it answered %w", errors.Join(err))
	}
	return nil
}
