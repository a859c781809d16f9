// Package program holds the steps about programs that nobody here wrote, which find the card under
// test through the PC/SC service as they would find any other: what they are asked to do, what they
// show, and that it is right by the measure of yet another program. It must not ask the card.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cucumber/godog"

	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
)

// state is what the programs of one scenario have left behind.
type state struct {
	last    *programs.Result // the program that ran last
	running *programs.Running
	reader  string // the card is in
	how     string // the last message was signed
	server  *server
	cache   *programs.Cache
	sshd    *programs.Server
	after   []func() error // when the programs have ended
	folder  string         // working files; empty until the first is needed
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
	addReaderSteps(sc)
	addPKCS11Steps(sc)
	addPKCS15Steps(sc)
	addNSSSteps(sc)
	addTLSSteps(sc)
	addMailSteps(sc)
	addLoginSteps(sc)
}

func (s *state) close() error {
	var errs []error
	if s.running != nil {
		errs = append(errs, s.running.Stop())
	}
	if s.sshd != nil {
		errs = append(errs, s.sshd.Stop())
	}
	if s.server != nil {
		errs = append(errs, s.server.close())
	}
	errs = append(errs, s.cache.Forget())
	for _, f := range s.after {
		errs = append(errs, f())
	}
	if s.folder != "" {
		errs = append(errs, os.RemoveAll(s.folder))
	}
	return errors.Join(errs...)
}

// dir is a folder for the scenario's files, removed at its end.
func (s *state) dir() (_ string, err error) {
	if s.folder == "" {
		s.folder, err = os.MkdirTemp("", "tokenwright-programs-")
	}
	return s.folder, err
}

// lend lets programs have the card, and remembers in which reader. What the CoolKey module remembers
// from before the scenario is forgotten.
func lend(ctx context.Context) (reader string, err error) {
	s := from(ctx)
	if s.reader, err = scene.From(ctx).Card.Lend(); err == nil && s.cache == nil {
		s.cache, err = programs.FreshCache(s.reader)
	}
	return s.reader, err
}

// run runs a program in the scenario's folder. Whether it succeeded is left to later steps.
func run(ctx context.Context, c programs.Call) (err error) {
	s := from(ctx)
	if c.Dir, err = s.dir(); err != nil {
		return err
	}
	s.last, err = programs.Run(ctx, c)
	return blame(ctx, err)
}

// blame adds to an error what has passed between program and card.
func blame(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nThe card was sent, and answered:\n%s", err, scene.From(ctx).Card.Trace())
}
