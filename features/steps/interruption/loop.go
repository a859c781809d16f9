package interruption

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/token"
)

// maxPoints bounds the points at which one operation is cut in one way.
const maxPoints = 2000

// cutAll cuts the operation at point 1, 2, and so on until it passes without reaching its point, and has
// the person try once more each time.
func (r *run) cutAll(ctx context.Context, column string, c cutter) error {
	r.points[column] = 0
	for n := 1; n <= maxPoints; n++ {
		where, reached, err := r.cutOnce(ctx, c, n)
		if err != nil {
			return fmt.Errorf("%s at point %d (%s): %w", column, n, where, err)
		}
		if !reached {
			return nil
		}
		r.points[column]++
	}
	return fmt.Errorf("%s: more than %d points", column, maxPoints)
}

func (r *run) cutOnce(ctx context.Context, c cutter, n int) (where string, reached bool, err error) {
	if err := r.op.ready(ctx, r.world); err != nil {
		return "before it", false, fmt.Errorf("getting ready: %w", err)
	}
	if err := c.arm(r.world, n); err != nil {
		return "before it", false, err
	}
	cut := r.try(ctx, r.op.what)
	where, reached, err = c.disarm(ctx, r.world, n)
	if err != nil {
		return where, reached, err
	}
	if !reached {
		if cut != nil {
			return where, false, fmt.Errorf("it failed without being cut: %w", cut)
		}
		return where, false, r.right(ctx, token.Record{})
	}
	if err := r.known(ctx, r.card.CUID()); err != nil {
		return where, true, fmt.Errorf("before the last try: %w", err)
	}
	before, err := r.record(ctx)
	if err != nil {
		return where, true, err
	}
	pin := r.pin
	switch err := r.try(ctx, r.op.what); {
	case doneBefore(r.op, err):
		r.pin = pin
	case err != nil:
		return where, true, fmt.Errorf("the first try ended with %w; the last one: %w", errors.Join(cut), err)
	}
	return where, true, r.right(ctx, before)
}

// right says why the end is not right.
func (r *run) right(ctx context.Context, before token.Record) error {
	if err := r.op.ended(ctx, r.world, before); err != nil {
		return err
	}
	return r.invariants(ctx)
}

// notMissed kills a process that takes no part in the middle of the operation.
func (r *run) notMissed(ctx context.Context, name string) error {
	r.points[name] = 0
	for n := range 2 { // the first time tells where the middle is
		if err := r.op.ready(ctx, r.world); err != nil {
			return fmt.Errorf("getting ready: %w", err)
		}
		b := bystander{name: name, middle: r.commands / 2, err: new(error)}
		if n == 0 {
			b.middle = maxPoints
		}
		if err := b.arm(r.world, 0); err != nil {
			return err
		}
		failed := r.try(ctx, r.op.what)
		count := r.card.Count()
		_, reached, err := b.disarm(ctx, r.world, 0)
		if err := errors.Join(err, failed, r.right(ctx, token.Record{})); err != nil {
			return fmt.Errorf("%s killed in the middle: %w", name, err)
		}
		if r.commands = count; reached {
			r.points[name]++
		}
	}
	return nil
}
