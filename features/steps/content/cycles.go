package content

import (
	"context"

	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// cycles repeats an installation and its deletion in channels of their own.
func cycles(ctx context.Context, n int, del func(gp.LoadFile, gp.AID) gp.Delete) error {
	for range n {
		err := setUp(ctx, func(ctx context.Context, w *bench.Work, c *bench.Channel) error {
			f, m, err := module(w)
			if err != nil {
				return err
			}
			if err := ensureInstance(ctx, w, c, m, true); err != nil {
				return err
			}
			return done(ctx, c, del(f, m).Command(), "DELETE")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func installAndDelete(ctx context.Context, n int) error {
	return cycles(ctx, n, func(_ gp.LoadFile, m gp.AID) gp.Delete {
		return gp.Delete{AID: m, Ne: apdu.MaxShortNe}
	})
}

func loadAndDelete(ctx context.Context, n int) error {
	return cycles(ctx, n, func(f gp.LoadFile, _ gp.AID) gp.Delete {
		return gp.Delete{AID: f.Package, Related: true, Ne: apdu.MaxShortNe}
	})
}
