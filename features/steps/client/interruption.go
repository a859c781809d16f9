package client

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/report"
	"tokenwright/features/steps/scene"
	"tokenwright/simcard/nvm"
	"tokenwright/tms/esc"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// maxPoints bounds the points at which one scenario cuts; a format has some hundreds.
const maxPoints = 5000

func addInterruptionSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a "([^"]*)" card is pulled before each command of a format in turn, and formatted again each time$`, pulledAtEach)
	sc.Step(`^a "([^"]*)" card does each command of a format in turn but its answer is lost, and it is formatted again each time$`, answerLostAtEach)
	sc.Step(`^a "([^"]*)" card loses power at each write to its memory in turn, and is formatted again each time$`, powerLostAtEach)
	sc.Step(`^the server of a "([^"]*)" card is killed at each intent and outcome of a format in turn, and the card is formatted again each time$`, serverKilledAtEach)
	sc.Step(`^every card ends as a FORMATTED token with key version "([^"]*)"$`, everyCardEnded)
}

// outcome is how one card ended after it was cut once and formatted again.
type outcome struct {
	point      string
	keyVersion string
	state      token.State
	openIntent int
}

type outcomes struct{ list []outcome }

type outcomesKey struct{}

func fateAtEach(ctx context.Context, stock string, fate scene.Fate) (context.Context, error) {
	return eachPoint(ctx, stock, func(c *scene.Card, n int) func() bool {
		c.SetFault(func(i int, _ []byte) scene.Fate {
			if i == n {
				return fate
			}
			return scene.Passes
		})
		return func() bool { return c.Count() >= n }
	})
}

func pulledAtEach(ctx context.Context, stock string) (context.Context, error) {
	return fateAtEach(ctx, stock, scene.Pulled)
}

func answerLostAtEach(ctx context.Context, stock string) (context.Context, error) {
	return fateAtEach(ctx, stock, scene.AnswerLost)
}

// powerLostAtEach cuts at each write in one of three places, taken in turn; with SOAK set it cuts
// each write in all three.
func powerLostAtEach(ctx context.Context, stock string) (context.Context, error) {
	cuts := []nvm.Cut{nvm.Before, nvm.Torn, nvm.After}
	place := func(n int) (int, nvm.Cut) { return n, cuts[n%len(cuts)] }
	if os.Getenv("SOAK") != "" {
		place = func(n int) (int, nvm.Cut) { return (n-1)/len(cuts) + 1, cuts[n%len(cuts)] }
	}
	return eachPoint(ctx, stock, func(c *scene.Card, n int) func() bool {
		at, cut := place(n)
		base, reached := c.Sim.Writes(), false
		c.Sim.SetTear(func(w nvm.Write) nvm.Cut {
			if w.N != base+uint64(at) {
				return nvm.Keep
			}
			reached = true
			return cut
		})
		return func() bool { c.Sim.SetTear(nil); return reached }
	})
}

// eachPoint cuts a format of a new card at point 1, 2, and so on until a format passes without
// reaching its point, and formats each card again. cut prepares the point and returns whether it was
// reached, to be asked after the format.
func eachPoint(ctx context.Context, stock string, cut func(*scene.Card, int) func() bool) (context.Context, error) {
	all := &outcomes{}
	ctx = context.WithValue(ctx, outcomesKey{}, all)
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return ctx, err
	}
	for n := 1; n <= maxPoints; n++ {
		var reached bool
		o, err := cutOnce(ctx, l, stock, int64(n), func(c *scene.Card) error {
			wasReached := cut(c, n)
			err := formatCard(ctx, l, c)
			reached = wasReached()
			if !reached && err != nil {
				return fmt.Errorf("the format failed without being cut: %w", err)
			}
			return nil
		})
		if err != nil {
			return ctx, fmt.Errorf("point %d: %w", n, err)
		}
		if !reached {
			report.Note(ctx, "%s: %d points cut", stock, len(all.list))
			return ctx, nil
		}
		o.point = fmt.Sprint(n)
		all.list = append(all.list, o)
	}
	return ctx, fmt.Errorf("a format had more than %d points", maxPoints)
}

// cutOnce makes a card, lets first do what it does, formats the card and looks at how it ended.
func cutOnce(ctx context.Context, l *lab.Lab, stock string, n int64, first func(*scene.Card) error) (o outcome, err error) {
	sn := scene.From(ctx)
	c, err := scene.NewCard(sn.Target, stock, sn.Seed+n)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	if err := c.Insert(ctx); err != nil {
		return o, err
	}
	if err := first(c); err != nil {
		return o, err
	}
	c.SetFault(nil)
	if err := errors.Join(c.Remove(ctx), c.Insert(ctx)); err != nil {
		return o, err
	}
	if err := formatCard(ctx, l, c); err != nil {
		return o, fmt.Errorf("formatting again: %w", err)
	}
	return look(ctx, l, c)
}

func look(ctx context.Context, l *lab.Lab, c *scene.Card) (outcome, error) {
	info, err := c.KeyInfo(ctx)
	if err != nil {
		return outcome{}, err
	}
	if _, err := c.AppletVersion(ctx); err != nil {
		return outcome{}, err
	}
	r, err := l.Store().Token(ctx, c.CUID())
	if err != nil {
		return outcome{}, err
	}
	open, err := l.Store().OpenIntents(ctx, c.CUID())
	return outcome{
		keyVersion: fmt.Sprintf("%02X", byte(info.KVN)), state: r.Status, openIntent: len(open),
	}, err
}

// formatCard formats a card as alice does.
func formatCard(ctx context.Context, l *lab.Lab, c *scene.Card) error {
	o, err := byUser("alice")
	if err != nil {
		return err
	}
	client := esc.Client{URL: l.URL(), TLS: l.TLS(), Prompter: o}
	_, err = client.Run(ctx, esc.Request{Operation: wire.OpFormat, ATR: c.ATR()}, c)
	return err
}

// serverKilledAtEach runs the server as a process of its own that kills itself at a named point, and a
// second one that finds what the first left.
func serverKilledAtEach(ctx context.Context, stock string) (context.Context, error) {
	all := &outcomes{}
	ctx = context.WithValue(ctx, outcomesKey{}, all)
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return ctx, err
	}
	for i, point := range lab.KillPoints() {
		o, err := cutOnce(ctx, l, stock, int64(1000+i), func(c *scene.Card) error {
			return l.WithChild(ctx, point, func(child *lab.Lab) error {
				if err := formatCard(ctx, child, c); err == nil {
					return errors.New("the format ended although the server should have been killed")
				}
				return nil
			})
		})
		if err != nil {
			return ctx, fmt.Errorf("killed at %s: %w", point, err)
		}
		o.point = point
		all.list = append(all.list, o)
	}
	report.Note(ctx, "%s: server killed at %d points", stock, len(all.list))
	return ctx, nil
}

func everyCardEnded(ctx context.Context, keyVersion string) error {
	all, ok := ctx.Value(outcomesKey{}).(*outcomes)
	if !ok || len(all.list) == 0 {
		return errors.New("no card was cut")
	}
	for _, o := range all.list {
		if o.state != token.Formatted || o.keyVersion != keyVersion || o.openIntent != 0 {
			return fmt.Errorf("cut at %s, a card ended %s with key version %s and %d open intents",
				o.point, o.state, o.keyVersion, o.openIntent)
		}
	}
	return nil
}
