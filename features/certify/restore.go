package certify

import (
	"context"
	"fmt"

	"tokenwright/tms/gp/keys"
)

// intend writes down that the card's content is about to change, and what it was.
func (r *run) intend(ctx context.Context) error {
	before, err := r.bench.Baseline(ctx)
	if err != nil || r.Journal == nil || !r.Source.Foreign() {
		return err
	}
	e, err := r.Journal.Load(r.bench.CUID)
	if err != nil || e.Changed {
		return err
	}
	e.Changed, e.Before, e.KVN = true, before, byte(r.bench.Base.KVN)
	return r.Journal.Save(r.bench.CUID, e)
}

// recover finishes what an earlier run on this card could not, and says whether there was anything.
func (r *run) recover(ctx context.Context) (bool, error) {
	if r.Journal == nil || !r.Source.Foreign() {
		return false, nil
	}
	e, err := r.Journal.Load(r.bench.CUID)
	if err != nil || !e.Changed {
		return false, err
	}
	if r.Consent == "" && r.Destroy == "" {
		return false, fmt.Errorf("%w: with --consent %s this one puts it back first", ErrUnfinished, r.bench.CUID)
	}
	if r.bench.Facts["keys"] != "true" {
		return false, fmt.Errorf("%w: it takes the card's keys to put it back", ErrUnfinished)
	}
	fmt.Fprintf(r.Progress, "Putting back what an earlier run has changed.\n")
	r.bench.Base.KVN = keys.KVN(e.KVN)
	if err := r.bench.Restore(ctx, e.Before, false); err != nil {
		return false, err
	}
	// Restore has counted authentications in the journal since.
	return true, r.unchanged()
}

// unchanged notes that the card is what it was.
func (r *run) unchanged() error {
	e, err := r.Journal.Load(r.bench.CUID)
	if err != nil {
		return err
	}
	e.Changed, e.Before, e.KVN = false, nil, 0
	return r.Journal.Save(r.bench.CUID, e)
}

// restore puts the card's content back to what it was at the start, but for the load file when the
// next case needs it.
func (r *run) restore(ctx context.Context, keep bool) error {
	return r.bench.Restore(ctx, r.bench.Initial(), keep)
}

// finish restores at the end of a run, an interrupted one too, and holds the card against what it was.
func (r *run) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if !r.touched {
		return r.patiently(ctx, func() error { return r.bench.SameAs(ctx, r.bench.Initial()) })
	}
	if err := r.patiently(ctx, func() error { return r.restore(ctx, false) }); err != nil {
		return fmt.Errorf("the card is not what it was, the next run will put it back: %w", err)
	}
	if r.Journal == nil || !r.Source.Foreign() {
		return nil
	}
	return r.unchanged()
}
