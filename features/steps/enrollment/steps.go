// Package enrollment holds the steps about a person's keys on a token: who enrolls it, what it then holds,
// and what certificate authority, key archive and token database say of that. It reads all three the way
// any other process would, and the card as a PKCS #11 module does.
package enrollment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/client"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

var errNoSecond = errors.New("there is no second card")

// firstPIN is what people choose when a scenario does not say.
const firstPIN = "135790"

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		sn := scene.From(ctx)
		sn.OnOperation(remember)
		sn.OnClose(func() error { return judgeIssued(ctx, sn) })
		return context.WithValue(ctx, key{}, &state{}), nil
	})
	sc.Step(`^"([^"]*)" enrolls the card$`, enrolls)
	sc.Step(`^"([^"]*)" enrolls the card as token type "([^"]*)"$`, enrollsAs)
	sc.Step(`^"([^"]*)" enrolls the card with the PIN "([^"]*)"$`, enrollsWithPIN)
	sc.Step(`^"([^"]*)" enrolls the card and pulls it after (\d+) commands$`, pullsAfter)
	sc.Step(`^nobody logs in and the card is enrolled as token type "([^"]*)"$`, enrollsDevice)
	sc.Step(`^"([^"]*)" sets the PIN to "([^"]*)"$`, setsPIN)
	sc.Step(`^"([^"]*)" sets the PIN to "([^"]*)" and pulls the card after (\d+) commands$`, setsPINAndPulls)
	sc.Step(`^"([^"]*)" tries to set the PIN to "([^"]*)"$`, triesPIN)
	sc.Step(`^an ACTIVE token of stock "([^"]*)" that belongs to "([^"]*)"$`, activeToken)
	sc.Step(`^(?:a second|another) blank card of stock "([^"]*)"$`, secondBlank)
	sc.Step(`^the policy of the token says "([^"]*)"$`, setPolicy)
	sc.Step(`^the policy of the token now says "([^"]*)"$`, policySays)
	sc.Step(`^an agent reports the token as ([A-Z_]+)$`, report)
	sc.Step(`^an agent reports the token of the second card as ([A-Z_]+)$`, reportSecond)
	sc.Step(`^an agent cannot report the token as ([A-Z_]+)$`, cannotReport)
	sc.Step(`^the certificate authority (is out of reach|answers again)$`, authorityDown)
	sc.Step(`^the key recovery authority (is out of reach|answers again)$`, archiveDown)
	sc.Step(`^the token management system looks for what it left undone$`, reconcile)
	sc.Step(`^the token is ACTIVE and belongs to "([^"]*)"$`, activeAndOf)
	sc.Step(`^the token is ACTIVE and belongs to nobody$`, activeAndNobodys)
	sc.Step(`^the token's type is "([^"]*)"$`, hasType)
	addCertificateSteps(sc)
	addCardSteps(sc)
	addJudgementSteps(sc)
	addKeySteps(sc)
	addNameSteps(sc)
	addArchiveSteps(sc)
}

// state is what a scenario remembers.
type state struct {
	certs map[string]bool      // serial numbers of what the card held when the last operation began
	first map[string]bool      // the same, of the first operation for which there were any
	ever  []token.Certificate  // all of them, of all cards
	keys  map[string]publicKey // by key type
	// request is what an agent asked for last, askErr why that was refused.
	request approval.Request
	askErr  error
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

func enrolls(ctx context.Context, user string) error { return enrollsAs(ctx, user, "userKey") }

func enrollsAs(ctx context.Context, user, tokenType string) error {
	return operate(ctx, wire.OpEnroll, user, tokenType, firstPIN)
}

func enrollsWithPIN(ctx context.Context, user, pin string) error {
	return operate(ctx, wire.OpEnroll, user, "userKey", pin)
}

func enrollsDevice(ctx context.Context, tokenType string) error {
	return operate(ctx, wire.OpEnroll, "", tokenType, firstPIN)
}

func setsPIN(ctx context.Context, user, pin string) error {
	return operate(ctx, wire.OpResetPIN, user, "userKey", pin)
}

func operate(ctx context.Context, op wire.Operation, user, tokenType, pin string) error {
	if err := client.Operate(ctx, op, user, tokenType, pin); err != nil {
		return err
	}
	if client.Succeeded(ctx) != nil {
		return nil // a later step judges it
	}
	return carries(ctx, user, pin)
}

func pullsAfter(ctx context.Context, user string, n int) error {
	pulledAfter(ctx, n)
	return enrolls(ctx, user)
}

func setsPINAndPulls(ctx context.Context, user, pin string, n int) error {
	pulledAfter(ctx, n)
	return setsPIN(ctx, user, pin)
}

func pulledAfter(ctx context.Context, n int) {
	scene.From(ctx).Card.SetFault(func(i int, _ []byte) scene.Fate {
		if i > n {
			return scene.Pulled
		}
		return scene.Passes
	})
}

// triesPIN is what somebody does who is not in the directory.
func triesPIN(ctx context.Context, user, pin string) error {
	return client.OperateAs(ctx, wire.OpResetPIN, user, "no password of anybody", "userKey", pin)
}

func activeToken(ctx context.Context, stock, user string) error {
	sn := scene.From(ctx)
	c, err := sn.NewCard(ctx, stock)
	if err != nil {
		return err
	}
	sn.Card = c
	if err := enrolls(ctx, user); err != nil {
		return err
	}
	return client.Succeeded(ctx)
}

// secondBlank puts the first card aside.
func secondBlank(ctx context.Context, stock string) error {
	sn := scene.From(ctx)
	sn.Second = sn.Card
	if err := sn.Second.Remove(ctx); err != nil {
		return err
	}
	c, err := sn.NewCard(ctx, stock)
	if err != nil {
		return err
	}
	sn.Card = c
	return nil
}

// database is the token database with all that homes of records offer.
type database interface {
	store.Store
	store.CertLister
}

func home(ctx context.Context) (database, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, err
	}
	db, ok := l.Store().(database)
	if !ok {
		return nil, errors.New("the token database lists no certificates")
	}
	return db, nil
}

func record(ctx context.Context) (token.Record, error) {
	db, err := home(ctx)
	if err != nil {
		return token.Record{}, err
	}
	return db.Token(ctx, scene.From(ctx).Card.CUID())
}

func setPolicy(ctx context.Context, text string) error {
	p, err := token.ParsePolicy(text)
	if err != nil {
		return err
	}
	return change(ctx, func(r *token.Record) { r.Policy = p.Over(r.Policy) })
}

// change makes a change of the record as an agent would.
func change(ctx context.Context, f func(*token.Record)) error {
	old, err := record(ctx)
	if err != nil {
		return err
	}
	db, err := home(ctx)
	if err != nil {
		return err
	}
	next := old
	f(&next)
	_, err = db.Apply(ctx, store.Change{
		CUID: old.CUID, Old: &old, New: &next,
		Actor: "harness", Why: "a scenario begins here", At: time.Now(),
	})
	return err
}

// report is what an agent does when a person tells of a token.
func report(ctx context.Context, state string) error {
	return reportCard(ctx, scene.From(ctx).Card, state)
}

func reportSecond(ctx context.Context, state string) error {
	sn := scene.From(ctx)
	if sn.Second == nil {
		return errNoSecond
	}
	return reportCard(ctx, sn.Second, state)
}

func cannotReport(ctx context.Context, state string) error {
	change, err := reporting(ctx, scene.From(ctx).Card, state)
	if err != nil {
		return err
	}
	if change() == nil {
		return errors.New("it was done")
	}
	return nil
}

func reportCard(ctx context.Context, card *scene.Card, state string) error {
	change, err := reporting(ctx, card, state)
	if err != nil {
		return err
	}
	return change()
}

// reporting makes everything ready for a report, so that what is left can fail by the system alone.
func reporting(ctx context.Context, card *scene.Card, state string) (func() error, error) {
	to, err := token.ParseState(state)
	if err != nil {
		return nil, err
	}
	if err := remember(ctx); err != nil {
		return nil, err
	}
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, err
	}
	return func() error { return l.ChangeState(ctx, card.CUID(), to) }, nil
}

func policySays(ctx context.Context, text string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Split(r.Policy.String(), ";"), text) {
		return fmt.Errorf("it says %q", r.Policy)
	}
	return nil
}

func authorityDown(ctx context.Context, how string) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	l.SetCADown(how == "is out of reach")
	return nil
}

func archiveDown(ctx context.Context, how string) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	l.SetKRADown(how == "is out of reach")
	return nil
}

func reconcile(ctx context.Context) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	return l.Reconcile(ctx)
}

func activeAndOf(ctx context.Context, user string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	if r.Status != token.Active || r.UserID != user {
		return fmt.Errorf("the token is %s and belongs to %q", r.Status, r.UserID)
	}
	return nil
}

func activeAndNobodys(ctx context.Context) error { return activeAndOf(ctx, "") }

func hasType(ctx context.Context, want string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	if r.Type != want {
		return fmt.Errorf("its type is %q", r.Type)
	}
	return nil
}
