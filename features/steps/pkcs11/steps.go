// Package pkcs11 holds the steps about a program, written in Go, that uses a card through a PKCS#11
// module that nobody here wrote. Go's own cryptography says whether what comes out is right. It must
// not ask the card.
package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/cryptoki"
	"tokenwright/features/holder"
	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/coolkey"
)

// state is the program: the module that it has loaded, and the reader that it looks at.
type state struct {
	module *cryptoki.Module
	reader string
	cache  *programs.Cache
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		s := &state{}
		scene.From(ctx).OnClose(s.close)
		return context.WithValue(ctx, key{}, s), nil
	})
	sc.Step(`^a program loads the (\w+) module$`, load)
	sc.Step(`^it sees the holder's token$`, seesToken)
	sc.Step(`^it soon sees the holder's token$`, soonSeesToken)
	sc.Step(`^it soon sees no token$`, soonSeesNone)
	sc.Step(`^it sees the certificate and the keys of every pair$`, seesPairs)
	sc.Step(`^it logs in with the PIN "([^"]*)"$`, logIn)
	sc.Step(`^the PIN "([^"]*)" is refused with "([^"]*)"$`, pinRefused)
	sc.Step(`^changing the PIN from "([^"]*)" to "([^"]*)" is refused with "([^"]*)"$`, changeRefused)
	sc.Step(`^the card has been sent no VERIFY PIN$`, noVerify)
	sc.Step(`^signing is refused with "([^"]*)"$`, signingRefused)
	sc.Step(`^a message that it signs is verified by the card's certificate$`, signs)
	sc.Step(`^a message for the card's certificate is one that it can read$`, reads)
	sc.Step(`^it and the other side agree on the same secret$`, agrees)
}

func (s *state) close() error {
	if s.module == nil {
		return nil
	}
	return errors.Join(s.module.Close(), s.cache.Forget())
}

func load(ctx context.Context, name string) (err error) {
	s := from(ctx)
	path, err := programs.Module(name)
	if err != nil {
		return err
	}
	spy, err := programs.Module("pkcs11-spy")
	if err != nil {
		return err
	}
	if s.reader, err = scene.From(ctx).Card.Lend(); err != nil {
		return err
	}
	if s.cache, err = programs.FreshCache(s.reader); err != nil {
		return err
	}
	s.module, err = cryptoki.Load(path, spy)
	return err
}

// loaded gives the program, and what the card in the reader holds.
func loaded(ctx context.Context) (*state, *holder.Holding, error) {
	s, h := from(ctx), scene.From(ctx).Card.Held
	switch {
	case s.module == nil:
		return nil, nil, errors.New("no program has loaded a module")
	case h == nil:
		return nil, nil, errors.New("nobody carries this card")
	}
	return s, h, nil
}

// blame adds to an error what has passed between module and card.
func blame(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nThe card was sent, and answered:\n%s", err, scene.From(ctx).Card.Trace())
}

func seesToken(ctx context.Context) error {
	s, h, err := loaded(ctx)
	if err != nil {
		return err
	}
	t, err := s.module.Token(s.reader)
	if err != nil {
		return blame(ctx, err)
	}
	serial := strings.ToUpper(t.Serial)
	switch {
	case !strings.HasPrefix(t.Label, h.TokenName):
		err = fmt.Errorf("the token is called %q", t.Label)
	case len(serial) < 8 || !strings.HasSuffix(h.CUID.String(), serial):
		err = fmt.Errorf("the serial number is %s, the CUID %s", t.Serial, h.CUID)
	case !t.LoginRequired || !t.Initialised || !t.PINInitialised:
		err = fmt.Errorf("the token's flags are %+v", t)
	}
	return blame(ctx, err)
}

// soonSeesToken lends the card that was put in meanwhile, and waits for the module to see it.
func soonSeesToken(ctx context.Context) error {
	s, _, err := loaded(ctx)
	if err != nil {
		return err
	}
	s.module.Forget(s.reader)
	if s.reader, err = scene.From(ctx).Card.Lend(); err != nil {
		return err
	}
	return scene.Eventually(ctx, func() error { return seesToken(ctx) })
}

func soonSeesNone(ctx context.Context) error {
	s, _, err := loaded(ctx)
	if err != nil {
		return err
	}
	return scene.Eventually(ctx, func() error {
		t, err := s.module.Token(s.reader)
		if errors.Is(err, cryptoki.ErrNoToken) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it sees %q", t.Label)
	})
}

func seesPairs(ctx context.Context) error {
	s, h, err := loaded(ctx)
	if err != nil {
		return err
	}
	all, err := s.module.Objects(s.reader)
	if err != nil {
		return blame(ctx, err)
	}
	seen := map[string]bool{}
	for _, o := range all {
		seen[fmt.Sprintf("%s %q %X %X", o.Class, o.Label, o.ID, o.Value)] = true
	}
	for _, p := range h.Pairs {
		for _, class := range []cryptoki.Class{cryptoki.Certificate, cryptoki.PublicKey, cryptoki.PrivateKey} {
			var value []byte
			if class == cryptoki.Certificate {
				value = p.Certificate.Raw
			}
			if !seen[fmt.Sprintf("%s %q %X %X", class, p.Label, p.ID, value)] {
				return blame(ctx, fmt.Errorf("it does not see the %s %q", class, p.Label))
			}
		}
	}
	if want := 3 * len(h.Pairs); len(all) != want {
		return blame(ctx, fmt.Errorf("it sees %d objects, the card holds %d", len(all), want))
	}
	return nil
}

func logIn(ctx context.Context, pin string) error {
	s, _, err := loaded(ctx)
	if err != nil {
		return err
	}
	return blame(ctx, s.module.Login(s.reader, pin))
}

// refused wants err to be the module's own, with this name.
func refused(ctx context.Context, err error, reason string) error {
	if got := cryptoki.Reason(err); got != reason {
		return blame(ctx, fmt.Errorf("the module answered %q (%w)", got, errors.Join(err)))
	}
	return nil
}

func pinRefused(ctx context.Context, pin, reason string) error {
	s, _, err := loaded(ctx)
	if err != nil {
		return err
	}
	return refused(ctx, s.module.Login(s.reader, pin), reason)
}

func changeRefused(ctx context.Context, old, pin, reason string) error {
	s, _, err := loaded(ctx)
	if err != nil {
		return err
	}
	return refused(ctx, s.module.SetPIN(s.reader, old, pin), reason)
}

func noVerify(ctx context.Context) error {
	for _, e := range scene.From(ctx).Card.Heard() {
		if len(e.Command) > 1 && e.Command[0] == coolkey.CLAUser &&
			(e.Command[1] == coolkey.INSVerifyPIN || e.Command[1] == coolkey.INSChangePIN) {
			return blame(ctx, errors.New("it has been sent one"))
		}
	}
	return nil
}
