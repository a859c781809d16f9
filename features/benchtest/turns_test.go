package benchtest_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/benchtest"
)

func TestInTurns(t *testing.T) {
	var order string
	turns := 0
	r := testing.Benchmark(func(b *testing.B) {
		order, turns = "", 0
		benchtest.InTurns(b, 0.5, func() benchtest.Turn {
			turns++
			return benchtest.Turn{
				N: 10,
				Ours: func() {
					order += "o"
					wait(4 * time.Millisecond)
				},
				Baseline: func() {
					order += "b"
					wait(time.Millisecond)
				},
				After: func() { order += "." },
			}
		})
	})
	require.Greater(t, turns, 3)
	require.Len(t, order, 3*turns)
	require.Equal(t, "ob.bo.ob.bo.", order[:12])
	require.InDelta(t, 0.5, r.Extra["min-ratio"], 0)
	ours, baseline := r.Extra["apdu/s"], r.Extra["baseline-apdu/s"]
	require.LessOrEqual(t, ours, 10/0.004)
	require.LessOrEqual(t, baseline, 10/0.001)
	require.Greater(t, ours, 100.)
	require.Greater(t, baseline, ours)
}

func TestSpread(t *testing.T) {
	var seen [20]atomic.Int32
	require.NoError(t, benchtest.Spread(len(seen), 4, func(i int) error {
		seen[i].Add(1)
		return nil
	}))
	for i := range seen {
		require.EqualValues(t, 1, seen[i].Load(), i)
	}
	err := errors.New("broken")
	require.ErrorIs(t, benchtest.Spread(5, 2, func(i int) error {
		if i == 3 {
			return err
		}
		return nil
	}), err)
}

// wait keeps the processor busy, so that it does not take longer than asked.
func wait(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}
