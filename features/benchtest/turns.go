// Package benchtest measures something in turns with its baseline, so that whatever slows the
// machine down slows both. It reports as scripts/bench reads it, and knows nothing of what it times.
package benchtest

import (
	"slices"
	"testing"
	"time"
)

// Turn is N of something of ours, such as commands, and as many of the baseline. What it takes to prepare them is done
// before, and not timed; neither is After, which may be nil.
type Turn struct {
	N              int
	Ours, Baseline func()
	After          func()
}

// InTurns runs turns, now ours first and now the baseline, and reports the median turn of each as
// commands a second: a turn in which the machine did something else is left out. All turns have the
// same N. Least is the share of the baseline's rate that ours has to reach, 0 for none.
func InTurns(b *testing.B, least float64, next func() Turn) {
	b.Helper()
	InTurnsOf(b, "apdu", least, next)
}

// InTurnsOf is InTurns for other things than commands. What it takes to prepare a turn does not count
// as time of the benchmark, so that there are enough turns however long that takes.
func InTurnsOf(b *testing.B, what string, least float64, next func() Turn) {
	b.Helper()
	var ours, baseline []time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		t := next()
		b.StartTimer()
		n = t.N
		if len(ours)%2 == 0 {
			ours = append(ours, timed(t.Ours))
			baseline = append(baseline, timed(t.Baseline))
		} else {
			baseline = append(baseline, timed(t.Baseline))
			ours = append(ours, timed(t.Ours))
		}
		if t.After != nil {
			b.StopTimer()
			t.After()
			b.StartTimer()
		}
	}
	b.ReportMetric(rate(n, ours), what+"/s")
	b.ReportMetric(rate(n, baseline), "baseline-"+what+"/s")
	if least > 0 {
		b.ReportMetric(least, "min-ratio")
	}
}

// Spread does n things, by so many clients at once, and gives the first error.
func Spread(n, clients int, do func(i int) error) error {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	done := make(chan error, clients)
	for range clients {
		go func() {
			for i := range next {
				if err := do(i); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	var first error
	for range clients {
		if err := <-done; first == nil {
			first = err
		}
	}
	return first
}

func timed(do func()) time.Duration {
	begun := time.Now()
	do()
	return time.Since(begun)
}

func rate(n int, turns []time.Duration) float64 {
	slices.Sort(turns)
	return float64(n) / turns[len(turns)/2].Seconds()
}
