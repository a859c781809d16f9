// Package token holds the steps about what the system remembers of a token: its record, its
// activities and its intents. It reads the token database the way any other process would.
package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the token is FORMATTED and belongs to nobody$`, formattedAndNobodys)
	sc.Step(`^the token's record names token type "([^"]*)" and the applet on the card$`, recordNames)
	sc.Step(`^the token is not in the token database$`, notInDatabase)
	sc.Step(`^the token's state is ([A-Z_]+)$`, setState)
	sc.Step(`^the token's state is still ([A-Z_]+)$`, stateIsStill)
	sc.Step(`^the token's record names key version "([0-9A-F]{2})"$`, setRecordedVersion)
	sc.Step(`^the token's record holds the key version that the card answers with$`, recordFollowsCard)
	sc.Step(`^the activity log of the token reads$`, logReads)
	sc.Step(`^the activity log of the token holds (\d+) (successful|failed) "([^"]*)" (?:entry|entries)$`, logHolds)
	sc.Step(`^the activity log of the token soon holds (\d+) (successful|failed) "([^"]*)" entry$`, logSoonHolds)
	sc.Step(`^no intent is left open for the token$`, noOpenIntent)
	sc.Step(`^an intent "([^"]*)" is left open for the token$`, openIntent)
}

// home is the token database of the scenario's laboratory.
func home(ctx context.Context) (store.Store, error) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, err
	}
	return l.Store(), nil
}

// cuid is the card's own, known to the harness from making the card.
func cuid(ctx context.Context) keys.CUID { return scene.From(ctx).Card.CUID() }

func record(ctx context.Context) (token.Record, error) {
	st, err := home(ctx)
	if err != nil {
		return token.Record{}, err
	}
	return st.Token(ctx, cuid(ctx))
}

func formattedAndNobodys(ctx context.Context) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	if r.Status != token.Formatted || r.UserID != "" {
		return fmt.Errorf("the token is %s and belongs to %q", r.Status, r.UserID)
	}
	return nil
}

func recordNames(ctx context.Context, typ string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	onCard, err := scene.From(ctx).Card.AppletVersion(ctx)
	if err != nil {
		return err
	}
	if r.Type != typ || r.AppletID != onCard {
		return fmt.Errorf("the record names type %q and applet %q; the card holds %q",
			r.Type, r.AppletID, onCard)
	}
	return nil
}

func notInDatabase(ctx context.Context) error {
	r, err := record(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the token is there, %s", r.Status)
}

// setState makes the record say so, as an agent would.
func setState(ctx context.Context, name string) error {
	want, err := token.ParseState(name)
	if err != nil {
		return err
	}
	r, err := record(ctx)
	if err != nil {
		return err
	}
	return change(ctx, r, r.InState(want))
}

func stateIsStill(ctx context.Context, name string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	if r.Status.String() != name {
		return fmt.Errorf("it is %s", r.Status)
	}
	return nil
}

func change(ctx context.Context, from, to token.Record) error {
	st, err := home(ctx)
	if err != nil {
		return err
	}
	_, err = st.Apply(ctx, store.Change{
		CUID: from.CUID, Old: &from, New: &to,
		Actor: "harness", Why: "a scenario begins here", At: time.Now(),
	})
	return err
}

func setRecordedVersion(ctx context.Context, kvn string) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	to := r
	to.KeyInfo = kvn + strings.TrimPrefix(r.KeyInfo, r.KeyInfo[:2])
	return change(ctx, r, to)
}

func recordFollowsCard(ctx context.Context) error {
	r, err := record(ctx)
	if err != nil {
		return err
	}
	info, err := scene.From(ctx).Card.KeyInfo(ctx)
	if err != nil {
		return err
	}
	if version := fmt.Sprintf("%02X", byte(info.KVN)); !strings.HasPrefix(r.KeyInfo, version) {
		return fmt.Errorf("the card answers %s, the record says %s", info, r.KeyInfo)
	}
	return nil
}

// history is the token's activities, the oldest first.
func history(ctx context.Context) ([]token.Activity, error) {
	st, err := home(ctx)
	if err != nil {
		return nil, err
	}
	page, err := st.Activities(ctx, store.ActivityQuery{CUID: cuid(ctx), Limit: store.MaxLimit})
	if err != nil {
		return nil, err
	}
	out := page.Activities
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, nil
}

func describe(list []token.Activity) string {
	var lines []string
	for _, a := range list {
		lines = append(lines, fmt.Sprintf("%s %s: %s", a.Op, a.Result, a.Message))
	}
	return strings.Join(lines, "\n")
}

func logReads(ctx context.Context, want *godog.Table) error {
	list, err := history(ctx)
	if err != nil {
		return err
	}
	rows := want.Rows[1:]
	same := len(rows) == len(list)
	for i := 0; same && i < len(rows); i++ {
		cells := rows[i].Cells
		same = string(list[i].Op) == cells[0].Value && string(list[i].Result) == cells[1].Value
	}
	if !same {
		return fmt.Errorf("the activity log reads\n%s", describe(list))
	}
	return nil
}

func logHolds(ctx context.Context, n int, how, op string) error {
	list, err := history(ctx)
	if err != nil {
		return err
	}
	result := token.Success
	if how == "failed" {
		result = token.Failure
	}
	var found int
	for _, a := range list {
		if string(a.Op) == op && a.Result == result {
			found++
		}
	}
	if found != n {
		return fmt.Errorf("it holds %d\n%s", found, describe(list))
	}
	return nil
}

func logSoonHolds(ctx context.Context, n int, how, op string) error {
	return scene.Eventually(ctx, func() error { return logHolds(ctx, n, how, op) })
}

func openIntents(ctx context.Context) ([]token.Intent, error) {
	st, err := home(ctx)
	if err != nil {
		return nil, err
	}
	return st.OpenIntents(ctx, cuid(ctx))
}

func noOpenIntent(ctx context.Context) error {
	list, err := openIntents(ctx)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		return fmt.Errorf("open: %v", list)
	}
	return nil
}

func openIntent(ctx context.Context, kind string) error {
	return scene.Eventually(ctx, func() error {
		list, err := openIntents(ctx)
		if err != nil {
			return err
		}
		for _, i := range list {
			if string(i.Kind) == kind {
				return nil
			}
		}
		return fmt.Errorf("open: %v", list)
	})
}
