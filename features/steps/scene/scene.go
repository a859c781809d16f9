// Package scene is what the steps of one scenario share: the cards, the laboratory and how the
// last operation ended. It owns their life from the first step that needs them to the end of the
// scenario. It must not judge anything.
package scene

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/lab"
	"tokenwright/features/target"
	"tokenwright/simcard"
	"tokenwright/tms/gp/keys"
)

// Scene is the state of one scenario. One scenario's steps run one after another.
type Scene struct {
	Target target.Target
	Seed   int64 // of this scenario's random choices

	Card   *Card  // the card that steps speak of
	Second *Card  // "the second card"
	Before string // the card's fingerprint before the last operation; empty before the first

	labs    *lab.Pool
	lab     *lab.Lab
	options lab.Options
	made    []keys.CUID // of the cards
	cards   []*Card     // all that were made
	begins  []func(context.Context) error
	before  []func() error // of taking the cards out
	release []func() error
	leave   func() // the readers
}

// alone is the tag of scenarios that stop, start or count in the laboratory, and so need one of their own.
const alone = "@alone"

// programs is the tag of scenarios with foreign programs, which look into every reader.
const programs = "@programs"

type key struct{}

// Attach gives every scenario of sc a scene, and closes it at the end.
func Attach(sc *godog.ScenarioContext, t target.Target, labs *lab.Pool, seed int64) {
	sc.Before(func(ctx context.Context, s *godog.Scenario) (context.Context, error) {
		sum := fnv.New64a()
		fmt.Fprintf(sum, "%d/%s/%s", seed, s.Uri, s.Name)
		for _, st := range s.Steps {
			fmt.Fprintf(sum, "/%s", st.Text)
		}
		sn := &Scene{Target: t, labs: labs, Seed: int64(sum.Sum64() >> 1)}
		var everyReader bool
		for _, tag := range s.Tags {
			sn.options.Alone = sn.options.Alone || tag.Name == alone
			everyReader = everyReader || tag.Name == programs
		}
		sn.leave = t.Enter(everyReader)
		return context.WithValue(ctx, key{}, sn), nil
	})
	sc.After(func(ctx context.Context, _ *godog.Scenario, err error) (context.Context, error) {
		return ctx, errors.Join(err, From(ctx).close(ctx))
	})
}

// From returns the scenario's scene.
func From(ctx context.Context) *Scene {
	s, ok := ctx.Value(key{}).(*Scene)
	if !ok {
		panic("steps run outside a scenario") // a mistake in the harness, not in what it tests
	}
	return s
}

// Configure sets a configuration key of the laboratory that has not started yet.
func (s *Scene) Configure(name, value string) error {
	if s.lab != nil {
		return errors.New("the laboratory is running; its configuration cannot be prepared any more")
	}
	if s.options.Config == nil {
		s.options.Config = map[string]string{}
	}
	s.options.Config[name] = value
	return nil
}

// Options are how the laboratory will be started.
func (s *Scene) Options() *lab.Options { return &s.options }

// Lab returns the running laboratory, which the first call starts.
func (s *Scene) Lab(ctx context.Context) (*lab.Lab, error) {
	if s.lab != nil {
		return s.lab, nil
	}
	l, release, err := s.labs.Start(ctx, s.options)
	if err != nil {
		return nil, fmt.Errorf("starting the laboratory: %w", err)
	}
	s.lab, s.release = l, append(s.release, release)
	return l, nil
}

// Reconfigure stops the system, sets more keys of its TPS, and starts it again.
func (s *Scene) Reconfigure(ctx context.Context, config map[string]string) error {
	if !s.options.Alone {
		return fmt.Errorf("the laboratory is shared: tag the scenario %s", alone)
	}
	l, err := s.Lab(ctx)
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("stopping the laboratory: %w", err)
	}
	again, err := l.Again(ctx, config)
	if err != nil {
		return fmt.Errorf("starting the laboratory again: %w", err)
	}
	s.lab, s.release = again, append(s.release, again.Close)
	return nil
}

// NewCard makes a blank card, or one that options make of it, and puts it into a reader.
func (s *Scene) NewCard(ctx context.Context, stock string, opts ...simcard.Option) (*Card, error) {
	c, err := NewCard(s.Target, stock, s.nextSeed(), opts...)
	if err != nil {
		return nil, err
	}
	if err := c.Insert(ctx); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	s.cards = append(s.cards, c)
	s.Made(c.CUID())
	return c, nil
}

// Made remembers a card of the scenario, for what is looked at when it is over.
func (s *Scene) Made(cuid keys.CUID) { s.made = append(s.made, cuid) }

// CUIDs are those of all cards of the scenario so far.
func (s *Scene) CUIDs() []keys.CUID { return slices.Clone(s.made) }

// Running is the laboratory, nil while none was needed.
func (s *Scene) Running() *lab.Lab { return s.lab }

// nextSeed makes all cards differ.
func (s *Scene) nextSeed() int64 { return s.Seed + 1 + int64(len(s.cards)) }

// NewHolder makes a card as its holder carries it. It is in no reader yet.
func (s *Scene) NewHolder(ctx context.Context, k holder.Kind, plan holder.Plan) (*Card, error) {
	c, err := NewCard(s.Target, k.Stock, s.nextSeed(), k.Option())
	if err != nil {
		return nil, err
	}
	if c.Held, err = holder.Fill(ctx, c.Sim, c.Stock, plan); err != nil {
		return nil, errors.Join(fmt.Errorf("making the card of %s: %w", plan.Person.Name, err), c.Close(ctx))
	}
	s.cards = append(s.cards, c)
	return c, nil
}

// OnOperation has f called before every operation that a person begins with a card.
func (s *Scene) OnOperation(f func(context.Context) error) { s.begins = append(s.begins, f) }

// Begin says that a person begins an operation with a card now.
func (s *Scene) Begin(ctx context.Context) error {
	for _, f := range s.begins {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

// OnClose has f called at the end of the scenario, before the cards are taken out; what was given
// last comes first.
func (s *Scene) OnClose(f func() error) { s.before = append(s.before, f) }

func (s *Scene) close(ctx context.Context) error {
	defer s.leave()
	var errs []error
	for _, f := range slices.Backward(s.before) {
		errs = append(errs, f())
	}
	for _, c := range s.cards {
		errs = append(errs, c.Close(context.WithoutCancel(ctx)))
	}
	for _, release := range s.release {
		errs = append(errs, release())
	}
	return errors.Join(errs...)
}
