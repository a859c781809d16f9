package administration

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cucumber/godog"
	messages "github.com/cucumber/messages/go/v21"

	"tokenwright/features/steps/client"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

func addTableSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a token is moved by hand as this table says$`, movedByHand)
	sc.Step(`^operations move a token of "([^"]*)" as this table says$`, movedByOperations)
	sc.Step(`^what the card is sent is watched from now on$`, watches)
	sc.Step(`^the applet was (loaded anew|left alone)$`, loadedAnew)
}

type cell = messages.PickleTableCell

func cells(list []*cell) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.Value
	}
	return out
}

// holds tells whether a line has all cells, in their order.
func holds(ctx context.Context, line string, list []*cell) bool {
	st := from(ctx)
	for _, c := range list {
		_, after, ok := strings.Cut(line, st.named(ctx, c.Value))
		if !ok {
			return false
		}
		line = after
	}
	return true
}

// movedByHand tries every pair of states, by the command. A row begins with a state, which may say what was
// before it; a cell is the move as transition lists write it where it is allowed, "stays" where nothing
// changes, and "-" where it is refused.
func movedByHand(ctx context.Context, table *godog.Table) error {
	columns := cells(table.Rows[0].Cells)[1:]
	if len(columns) != len(token.States()) {
		return fmt.Errorf("the table has %d columns of states, want all", len(columns))
	}
	seen := map[token.State]bool{}
	var errs []error
	for _, row := range table.Rows[1:] {
		from, before, err := stateOf(row.Cells[0].Value)
		if err != nil {
			return err
		}
		seen[from] = true
		for i, c := range row.Cells[1:] {
			to, err := token.ParseState(columns[i])
			if err != nil {
				return err
			}
			if err := oneMove(ctx, from, before, to, c.Value); err != nil {
				errs = append(errs, fmt.Errorf("%s to %s: %w", row.Cells[0].Value, to, err))
			}
		}
	}
	if len(seen) != len(token.States()) {
		errs = append(errs, fmt.Errorf("the table has rows for %d states, want all", len(seen)))
	}
	return errors.Join(errs...)
}

// stateOf reads "SUSPENDED, was ACTIVE".
func stateOf(text string) (s, before token.State, err error) {
	name, was, ok := strings.Cut(text, ", was ")
	if s, err = token.ParseState(name); err == nil && ok {
		before, err = token.ParseState(was)
	}
	return s, before, err
}

func oneMove(ctx context.Context, from, before, to token.State, want string) error {
	if err := recordIn(ctx, from, before); err != nil {
		return err
	}
	if err := types(ctx, fmt.Sprintf(`token set-state TOKEN %s --reason "trying it out"`, to)); err != nil {
		return err
	}
	st := fromContext(ctx)
	now, err := stateNow(ctx)
	if err != nil {
		return err
	}
	step := token.Transition{From: from, To: to}
	switch want {
	case "stays":
		if st.code != 0 || now != from {
			return fmt.Errorf("exit code %d, and it is %s: %s", st.code, now, st.said())
		}
	case "-":
		if st.code != 1 || now != from || !strings.Contains(st.errOut, "not allowed: "+step.Describe()) {
			return fmt.Errorf("exit code %d, and it is %s: %s", st.code, now, st.said())
		}
	case step.String():
		if st.code != 0 || now != to {
			return fmt.Errorf("exit code %d, and it is %s: %s", st.code, now, st.said())
		}
	default:
		return fmt.Errorf("the table says %q: want %s, stays or -", want, step)
	}
	return nil
}

// movedByOperations runs operations on real cards whose tokens are in each state. A cell is the state
// afterwards, or the code that the person at the desk is told.
func movedByOperations(ctx context.Context, stock string, table *godog.Table) error {
	operations := map[string]wire.Operation{"format": wire.OpFormat, "enroll": wire.OpEnroll,
		"PIN reset": wire.OpResetPIN}
	columns := cells(table.Rows[0].Cells)[1:]
	var errs []error
	for _, row := range table.Rows[1:] {
		from, before, err := stateOf(row.Cells[0].Value)
		if err != nil {
			return err
		}
		for i, c := range row.Cells[1:] {
			what, ok := operations[columns[i]]
			if !ok {
				return fmt.Errorf("there is no operation %q", columns[i])
			}
			if err := oneOperation(ctx, stock, from, before, what, c.Value); err != nil {
				errs = append(errs, fmt.Errorf("%s, %s: %w", row.Cells[0].Value, columns[i], err))
			}
		}
	}
	return errors.Join(errs...)
}

func oneOperation(ctx context.Context, stock string, from, before token.State, what wire.Operation,
	want string,
) error {
	sn := scene.From(ctx)
	if sn.Card != nil {
		if err := sn.Card.Remove(ctx); err != nil {
			return err
		}
	}
	card, err := sn.NewCard(ctx, stock)
	if err != nil {
		return err
	}
	sn.Card = card
	if err := readyFor(ctx, from, before); err != nil {
		return err
	}
	if err := client.Operate(ctx, what, "alice", "userKey", "123456"); err != nil {
		return err
	}
	now, err := stateNow(ctx)
	if err != nil {
		return err
	}
	if s, err := token.ParseState(want); err == nil {
		if failed := client.Succeeded(ctx); failed != nil || now != s {
			return fmt.Errorf("it is %s: %w", now, failed)
		}
		return cleared(ctx)
	}
	if got := fmt.Sprint(client.Code(ctx)); got != want || now != from {
		return fmt.Errorf("code %s, and it is %s", got, now)
	}
	return cleared(ctx)
}

// readyFor brings the card's token to a state: by operations as far as they lead there, and then by hand.
func readyFor(ctx context.Context, s, before token.State) error {
	what := wire.OpFormat
	if s == token.Active || before == token.Active {
		what = wire.OpEnroll
	}
	if err := client.Operate(ctx, what, "alice", "userKey", "123456"); err != nil {
		return err
	}
	if err := client.Succeeded(ctx); err != nil {
		return err
	}
	return change(ctx, func(r *token.Record) {
		r.Policy = r.Policy.With(token.PINReset, true)
		if s == token.Suspended || r.Status != s {
			*r = r.InState(s)
		}
	})
}

// cleared forgets the card's token: the person could have no other.
func cleared(ctx context.Context) error {
	return change(ctx, func(r *token.Record) { r.UserID, *r = "", r.InState(token.Formatted) })
}

// watches forgets what the card has been sent so far.
func watches(ctx context.Context) error {
	scene.From(ctx).Card.ClearLog()
	return nil
}

// insLoad is the instruction of LOAD, which stands in the open under any secure channel.
const insLoad = 0xE8

func loadedAnew(ctx context.Context, how string) error {
	loads := 0
	for _, e := range scene.From(ctx).Card.Log() {
		if len(e.Command) > 1 && e.Command[1] == insLoad {
			loads++
		}
	}
	if (how == "loaded anew") != (loads > 0) {
		return fmt.Errorf("the card was sent %d LOAD commands", loads)
	}
	return nil
}
