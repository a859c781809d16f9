package administration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

func addRecordSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a token that is recorded as ([A-Z_]+)(?:, was ([A-Z_]+))?$`, recorded)
	sc.Step(`^the recorded token is ([A-Z_]+)$`, isNow)
	sc.Step(`^the record names (no|a) (user|type|applet|key information|policy of its own)$`, names)
	sc.Step(`^the record's reason is "([^"]*)"$`, reasonIs)
	sc.Step(`^the record belongs to "([^"]*)"$`, belongsTo)
}

func home(ctx context.Context) (store.Store, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, err
	}
	return l.Store(), nil
}

func fromContext(ctx context.Context) *state { return from(ctx) }

func record(ctx context.Context) (token.Record, error) {
	st, err := home(ctx)
	if err != nil {
		return token.Record{}, err
	}
	return st.Token(ctx, from(ctx).token(ctx))
}

func stateNow(ctx context.Context) (token.State, error) {
	r, err := record(ctx)
	return r.Status, err
}

// recordIn makes the scenario's record, or brings it to a state.
func recordIn(ctx context.Context, s, before token.State) error {
	st := from(ctx)
	if (st.record == keys.CUID{}) {
		r := rand.New(rand.NewPCG(uint64(scene.From(ctx).Seed), 7))
		for i := range st.record {
			st.record[i] = byte(r.Uint32())
		}
		st.record[0] = 0xAD // of no stock
		scene.From(ctx).Made(st.record)
		h, err := home(ctx)
		if err != nil {
			return err
		}
		rec := token.NewRecord(st.record, token.Policy{})
		if _, err := h.Apply(ctx, store.Change{CUID: st.record, New: &rec, Actor: "harness",
			Why: "a scenario begins here", At: time.Now()}); err != nil {
			return err
		}
	}
	return change(ctx, func(r *token.Record) {
		if s == token.Suspended {
			*r = r.InState(before)
		}
		*r = r.InState(s)
	})
}

// change makes the record say so, where a scenario begins.
func change(ctx context.Context, edit func(*token.Record)) error {
	h, err := home(ctx)
	if err != nil {
		return err
	}
	old, err := record(ctx)
	if err != nil {
		return err
	}
	next := old
	edit(&next)
	_, err = h.Apply(ctx, store.Change{CUID: old.CUID, Old: &old, New: &next, Actor: "harness",
		Why: "a scenario begins here", At: time.Now()})
	return err
}

func recorded(ctx context.Context, name, was string) error {
	s, err := token.ParseState(name)
	if err != nil {
		return err
	}
	before := token.Formatted
	if was != "" {
		if before, err = token.ParseState(was); err != nil {
			return err
		}
	}
	return recordIn(ctx, s, before)
}

func isNow(ctx context.Context, name string) error {
	s, err := stateNow(ctx)
	if err != nil {
		return err
	}
	if s.String() != name {
		return fmt.Errorf("it is %s", s)
	}
	return nil
}

func names(ctx context.Context, how, what string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	value := map[string]string{"user": r.UserID, "type": r.Type, "applet": r.AppletID,
		"key information": r.KeyInfo, "policy of its own": r.Policy.String()}[what]
	if (how == "no") != (value == "") {
		return fmt.Errorf("it names %q", value)
	}
	return nil
}

func reasonIs(ctx context.Context, want string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	if !strings.EqualFold(string(r.Reason), want) {
		return fmt.Errorf("it is %q", r.Reason)
	}
	return nil
}

func belongsTo(ctx context.Context, user string) error {
	r, err := record(ctx)
	if err == nil && r.UserID != user {
		err = errors.New("it belongs to " + r.UserID)
	}
	return err
}
