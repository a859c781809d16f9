// Package client holds the steps about whoever sits at the reader: the client program, the person
// who logs in, and clients that behave as they should not. It must not look into the server.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/cucumber/godog"

	"tokenwright/features/oldclient"
	"tokenwright/features/steps/scene"
	"tokenwright/fixtures/ldap"
	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

// state is how the last operation of the scenario went, as its client saw it.
type state struct {
	end      wire.EndOp // as far as the server said
	err      error
	percents []int
	tasks    []string
	prompts  []esc.Prompt
	raw      *raw
	old      *oldclient.Token
	known    [][]string // what had been shown when the card began to make a key
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		return context.WithValue(ctx, key{}, &state{}), nil
	})
	sc.After(func(ctx context.Context, _ *godog.Scenario, err error) (context.Context, error) {
		if r := from(ctx).raw; r != nil {
			err = errors.Join(err, r.close())
		}
		return ctx, err
	})
	sc.Step(`^"([^"]*)" formats the card$`, formats)
	sc.Step(`^"([^"]*)" formats the card as token type "([^"]*)"$`, formatsAs)
	sc.Step(`^"([^"]*)" formats the card with the password "([^"]*)"$`, formatsWithPassword)
	sc.Step(`^nobody logs in and the card is formatted as token type "([^"]*)"$`, formatsAlone)
	sc.Step(`^"([^"]*)" formats the card and pulls it after (\d+) commands$`, pullsAfter)
	sc.Step(`^"([^"]*)" formats the card and pulls it before "([^"]*)"$`, pullsBefore)
	sc.Step(`^"([^"]*)" formats the card and the answer to "([^"]*)" is lost$`, losesAnswer)
	sc.Step(`^"([^"]*)" formats the card and the client vanishes after (\d+) commands$`, vanishes)
	sc.Step(`^a FORMATTED token of stock "([^"]*)"$`, formattedToken)
	sc.Step(`^a second FORMATTED token of stock "([^"]*)"$`, secondFormattedToken)
	sc.Step(`^the operation succeeds$`, succeeds)
	sc.Step(`^the operation fails with code (\d+)$`, failsWith)
	sc.Step(`^the operation fails$`, fails)
	sc.Step(`^the progress went up to (\d+) percent without ever going back$`, progressed)
	sc.Step(`^"([^"]*)" was among the tasks shown$`, taskShown)
	addProtocolSteps(sc)
	addInterruptionSteps(sc)
	addOldClientSteps(sc)
	addSlowSteps(sc)
}

// operation is what a person does at the reader.
type operation struct {
	user, password string // no user: nobody is there to log in
	tokenType      string
	what           wire.Operation // zero means format
	pin            string
}

func byUser(user string) (operation, error) {
	password, ok := ldap.Password(user)
	if !ok {
		return operation{}, fmt.Errorf("there is no user %q in the directory", user)
	}
	return operation{user: user, password: password}, nil
}

// Ask implements esc.Prompter.
func (o operation) Ask(_ context.Context, p esc.Prompt) (wire.Credentials, error) {
	if o.user == "" {
		return nil, errors.New("the server asks for a login and nobody is there")
	}
	var out wire.Credentials
	for _, param := range p.Params {
		value := o.user
		if param.Secret() {
			value = o.password
		}
		out = append(out, wire.Credential{ID: param.ID, Value: wire.NewSecret(value)})
	}
	return out, nil
}

// NewPIN implements esc.Prompter.
func (o operation) NewPIN(context.Context, int, int) (wire.Secret, error) {
	if o.what == 0 {
		return wire.Secret{}, errors.New("formatting asks for no PIN")
	}
	return wire.NewSecret(o.pin), nil
}

// recorder lets the scenario see the prompts.
type recorder struct {
	operation
	st *state
}

func (r recorder) Ask(ctx context.Context, p esc.Prompt) (wire.Credentials, error) {
	r.st.prompts = append(r.st.prompts, p)
	return r.operation.Ask(ctx, p)
}

// run formats the card and remembers how it went. The card is looked at before, without which "nothing
// has changed" would be a claim.
func run(ctx context.Context, o operation) error {
	sn, st := scene.From(ctx), from(ctx)
	*st = state{raw: st.raw}
	if err := sn.Begin(ctx); err != nil {
		return err
	}
	if err := lookBefore(ctx); err != nil {
		return err
	}
	l, err := sn.Lab(ctx)
	if err != nil {
		return err
	}
	c := esc.Client{
		URL: l.URL(), TLS: l.TLS(), Prompter: recorder{o, st},
		Progress: func(percent int, task string) {
			st.percents, st.tasks = append(st.percents, percent), append(st.tasks, task)
		},
	}
	_, st.err = c.Run(ctx, esc.Request{
		Operation: cmp.Or(o.what, wire.OpFormat), TokenType: o.tokenType, ATR: sn.Card.ATR(), Version: "harness",
	}, sn.Card)
	var refused *esc.OperationError
	if errors.As(st.err, &refused) {
		st.end = wire.EndOp{Operation: refused.Operation, Result: refused.Result, Status: refused.Status}
	}
	sn.Card.SetFault(nil)
	return nil
}

// lookBefore takes the card's fingerprint. The fault that a step has set does not count these commands.
func lookBefore(ctx context.Context) error {
	sn := scene.From(ctx)
	if err := sn.Card.Insert(ctx); err != nil {
		return err
	}
	return sn.Card.Quietly(func() (err error) {
		sn.Before, err = sn.Card.Fingerprint(ctx)
		return err
	})
}

func formats(ctx context.Context, user string) error { return formatsAs(ctx, user, "") }

func formatsAs(ctx context.Context, user, tokenType string) error {
	o, err := byUser(user)
	if err != nil {
		return err
	}
	o.tokenType = tokenType
	return run(ctx, o)
}

func formatsWithPassword(ctx context.Context, user, password string) error {
	return run(ctx, operation{user: user, password: password})
}

func formatsAlone(ctx context.Context, tokenType string) error {
	return run(ctx, operation{tokenType: tokenType})
}

func pullsAfter(ctx context.Context, user string, n int) error {
	scene.From(ctx).Card.SetFault(func(i int, _ []byte) scene.Fate {
		if i > n {
			return scene.Pulled
		}
		return scene.Passes
	})
	return formats(ctx, user)
}

var instructions = map[string]byte{"PUT KEY": 0xD8, "LOAD": 0xE8, "DELETE": 0xE4, "INSTALL": 0xE6}

// at gives the first command with an instruction a fate.
func at(ctx context.Context, name string, fate scene.Fate) error {
	ins, ok := instructions[name]
	if !ok {
		return fmt.Errorf("the harness does not know the command %q", name)
	}
	scene.From(ctx).Card.SetFault(func(_ int, cmd []byte) scene.Fate {
		if len(cmd) > 1 && cmd[1] == ins {
			return fate
		}
		return scene.Passes
	})
	return nil
}

func pullsBefore(ctx context.Context, user, command string) error {
	return errors.Join(at(ctx, command, scene.Pulled), formats(ctx, user))
}

func losesAnswer(ctx context.Context, user, command string) error {
	return errors.Join(at(ctx, command, scene.AnswerLost), formats(ctx, user))
}

// vanishes cuts the client's connection without a word.
func vanishes(ctx context.Context, user string, n int) error {
	sn, st := scene.From(ctx), from(ctx)
	o, err := byUser(user)
	if err != nil {
		return err
	}
	l, err := sn.Lab(ctx)
	if err != nil {
		return err
	}
	r, err := dialRaw(ctx, l.URL(), l.TLS())
	if err != nil {
		return err
	}
	gone := errors.New("the client vanished")
	answer := person(ctx, sn.Card, o.user, o.password)
	commands := 0
	err = r.send(wire.BeginOp{Operation: wire.OpFormat})
	if err == nil {
		st.end, err = r.untilEnd(func(m wire.Message) (wire.Message, error) {
			if _, ok := m.(wire.TokenPDURequest); ok {
				commands++
			}
			if commands > n {
				return nil, gone
			}
			return answer(m)
		})
	}
	if !errors.Is(err, gone) {
		return fmt.Errorf("the operation ended before the client vanished: %v %w", st.end, err)
	}
	return r.close()
}

func formattedToken(ctx context.Context, stock string) error {
	sn := scene.From(ctx)
	c, err := sn.NewCard(ctx, stock)
	if err != nil {
		return err
	}
	sn.Card = c
	if err := formats(ctx, "alice"); err != nil {
		return err
	}
	return succeeds(ctx)
}

func secondFormattedToken(ctx context.Context, stock string) error {
	sn := scene.From(ctx)
	sn.Second = sn.Card
	if err := sn.Second.Remove(ctx); err != nil {
		return err
	}
	return formattedToken(ctx, stock)
}

func succeeds(ctx context.Context) error {
	if err := from(ctx).err; err != nil {
		return fmt.Errorf("it failed: %w", err)
	}
	return nil
}

func failsWith(ctx context.Context, code int) error {
	st := from(ctx)
	if st.err == nil {
		return errors.New("it succeeded")
	}
	if int(st.end.Status) != code {
		return fmt.Errorf("it ended with code %d: %w", st.end.Status, st.err)
	}
	return nil
}

func fails(ctx context.Context) error {
	if from(ctx).err == nil {
		return errors.New("it succeeded")
	}
	return nil
}

// fewest is the number of steps under which a progress bar is none.
const fewest = 20

func progressed(ctx context.Context, last int) error {
	p := from(ctx).percents
	if len(p) < fewest || p[len(p)-1] != last {
		return fmt.Errorf("the progress was %v", p)
	}
	for i := 1; i < len(p); i++ {
		if p[i] < p[i-1] {
			return fmt.Errorf("the progress went back: %v", p)
		}
	}
	return nil
}

func taskShown(ctx context.Context, want string) error {
	for _, t := range from(ctx).tasks {
		if t == want {
			return nil
		}
	}
	return fmt.Errorf("shown were %q", from(ctx).tasks)
}
