package interruption

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/features/lab"
	"tokenwright/features/steps/scene"
)

// cutter cuts an operation at its n-th point.
type cutter interface {
	arm(w *world, n int) error
	// disarm tells whether the point was reached and which it was, and leaves everything running and the
	// card in its reader, so that the person can try again.
	disarm(ctx context.Context, w *world, n int) (where string, reached bool, err error)
}

// cardCut takes the card away at its n-th command, before it or after it.
type cardCut struct{ fate scene.Fate }

func (c cardCut) arm(w *world, n int) error {
	w.card.SetFault(func(i int, _ []byte) scene.Fate {
		if i == n {
			return c.fate
		}
		return scene.Passes
	})
	return nil
}

func (c cardCut) disarm(ctx context.Context, w *world, n int) (string, bool, error) {
	reached := w.card.Count() >= n
	w.card.SetFault(nil)
	err := w.again(ctx)
	if n%2 == 0 { // a person may be slow, or quick to put the card back
		err = errors.Join(err, w.sys.Quiet())
	}
	return fmt.Sprintf("command %d", n), reached, err
}

// processCut kills a process at the n-th failpoint that it passes.
type processCut struct {
	name   string
	passed map[string]bool // the failpoints at which it was killed
}

func (c processCut) arm(w *world, n int) error { return w.sys.Arm(c.name, n) }

func (c processCut) disarm(ctx context.Context, w *world, n int) (string, bool, error) {
	if c.name != lab.ProcessTPS { // which may still be undoing what it did
		if err := w.sys.Quiet(); err != nil {
			return "", false, err
		}
	}
	at, died, _, err := w.sys.Died(c.name)
	switch {
	case err != nil:
		return at, died, err
	case !died:
		return at, false, w.sys.Quiet()
	}
	c.passed[at] = true
	err = c.restart(w, n)
	if n%2 == 0 { // a person may leave the card in the reader, or not
		err = errors.Join(err, w.again(ctx))
	}
	return at, true, err
}

// restart starts the process again. A TPS repairs what it finds, and is killed at that, too, most times.
func (c processCut) restart(w *world, n int) error {
	again := n % 3
	if c.name != lab.ProcessTPS || again == 0 {
		return w.sys.Restart(c.name)
	}
	died, err := w.sys.RestartDying(again)
	if died {
		w.repairs++
	}
	return err
}

// bystander kills a process that takes no part, in the middle of the operation.
type bystander struct {
	name   string
	middle int // command of the card
	err    *error
}

func (b bystander) arm(w *world, _ int) error {
	w.card.SetFault(func(i int, _ []byte) scene.Fate {
		if i == b.middle {
			*b.err = w.sys.Kill(b.name)
		}
		return scene.Passes
	})
	return nil
}

func (b bystander) disarm(_ context.Context, w *world, _ int) (string, bool, error) {
	reached := w.card.Count() >= b.middle
	w.card.SetFault(nil)
	err := *b.err
	if reached && err == nil {
		err = w.sys.Restart(b.name)
	}
	return fmt.Sprintf("command %d", b.middle), reached, err
}
