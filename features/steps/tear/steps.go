// Package tear holds the steps that take a card's power away in the middle of an operation: at every
// write to its memory, before, in the middle of and behind it, each time on another card of the same
// kind. Afterwards the card has to be what it was, or what it would have become.
package tear

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
)

// AddSteps registers the steps.
func AddSteps(book *script.Book) {
	book.Step(`^power fails at every write of (.+)$`, everyWrite)
	book.Step(`^each time the card is as it was, or as it would have become$`, oldOrNew)
}

// operation is what power fails in. prepare is done before; do has to send the commands alone, so that
// what it writes is what is torn. state says what of the card may be old or new.
type operation struct {
	prepare, do func(context.Context, *job) error
	state       func(context.Context, *job) ([]string, error)
}

// job is an operation on one card.
type job struct {
	*bench.Bench
	channel *bench.Channel
	shake   *bench.Handshake
}

// noteOutcomes is where the outcomes wait for the judge.
const noteOutcomes = "outcomes"

// Outcomes of a cut.
const (
	wasOld    = 0x00
	wasNew    = 0x01
	wasBroken = 0xFF
)

var kinds = []bench.Cut{bench.CutBefore, bench.CutTorn, bench.CutAfter}

// everyWrite learns old and new state and the number of writes from a run that is not disturbed, and
// then disturbs one run for each write and kind of cut.
func everyWrite(ctx context.Context, name string) error {
	op, ok := operations[name]
	if !ok {
		return fmt.Errorf("nobody knows what %q is", name)
	}
	w := bench.From(ctx)
	before, after, writes, err := undisturbed(ctx, w.Bench, op)
	if err != nil {
		return err
	}
	if writes == 0 {
		return errors.New("the operation writes nothing")
	}
	w.Remark("%s: %d writes", name, writes)
	var outcomes []byte
	for n := uint64(1); n <= writes; n++ {
		for _, kind := range kinds {
			state, err := disturbed(ctx, w.Bench, op, n, kind)
			switch {
			case err != nil && ctx.Err() != nil:
				return err
			case err != nil:
				w.Remark("cut %v write %d: %v", kind, n, err)
				outcomes = append(outcomes, wasBroken)
			case slices.Equal(state, before):
				outcomes = append(outcomes, wasOld)
			case slices.Equal(state, after):
				outcomes = append(outcomes, wasNew)
			default:
				w.Remark("cut %v write %d: the card is %q", kind, n, state)
				outcomes = append(outcomes, wasBroken)
			}
		}
	}
	w.Note(noteOutcomes, outcomes)
	return nil
}

func oldOrNew(ctx context.Context) error {
	w := bench.From(ctx)
	outcomes, err := w.Noted(noteOutcomes)
	if err != nil {
		return err
	}
	c := verdict.Check{
		Kind: verdict.Member, Subject: "state behind each cut", Want: []string{"as it was", "as it would have become"},
	}
	for _, o := range outcomes {
		c.Got = append(c.Got, map[byte]string{
			wasOld: c.Want[0], wasNew: c.Want[1], wasBroken: "something else",
		}[o])
	}
	w.Check(c)
	// Cut before the first write the card has to be the old one, and behind the last one the new one:
	// else the cuts did not meet the operation.
	w.Check(verdict.Check{
		Kind: verdict.Same, Subject: "state behind the first and the last cut",
		Got: []string{c.Got[0], c.Got[len(c.Got)-1]}, Want: c.Want,
	})
	return nil
}

// another gives a card of the same kind, prepared for an operation.
func another(ctx context.Context, b *bench.Bench, op operation) (*job, error) {
	if b.Spare == nil {
		return nil, errors.New("there is no other card to cut the power of")
	}
	spare, err := b.Spare(ctx)
	if err != nil {
		return nil, err
	}
	j := &job{Bench: spare}
	if _, err := j.SelectISD(ctx); err != nil {
		return nil, err
	}
	return j, op.prepare(ctx, j)
}

func undisturbed(ctx context.Context, b *bench.Bench, op operation) (before, after []string, writes uint64, err error) {
	// The state is read on a card that is thrown away: to look may select something else.
	first, err := another(ctx, b, op)
	if err != nil {
		return nil, nil, 0, err
	}
	if before, err = rested(ctx, first, op); err != nil {
		return nil, nil, 0, err
	}
	second, err := another(ctx, b, op)
	if err != nil {
		return nil, nil, 0, err
	}
	if err := second.CutAtWrite(0, bench.CutBefore); err != nil {
		return nil, nil, 0, err
	}
	if err := op.do(ctx, second); err != nil {
		return nil, nil, 0, err
	}
	writes = second.WritesSince()
	after, err = rested(ctx, second, op)
	return before, after, writes, err
}

func disturbed(ctx context.Context, b *bench.Bench, op operation, n uint64, kind bench.Cut) ([]string, error) {
	j, err := another(ctx, b, op)
	if err != nil {
		return nil, err
	}
	if err := j.CutAtWrite(n, kind); err != nil {
		return nil, err
	}
	if err := op.do(ctx, j); err == nil {
		return nil, fmt.Errorf("the power was to fail at write %d, and the operation succeeded", n)
	}
	return rested(ctx, j, op)
}

// rested resets the card and reads its state.
func rested(ctx context.Context, j *job, op operation) ([]string, error) {
	if err := j.CutAtWrite(0, bench.CutBefore); err != nil {
		return nil, err
	}
	if err := j.Reset(ctx); err != nil {
		return nil, err
	}
	j.channel = nil
	return op.state(ctx, j)
}
