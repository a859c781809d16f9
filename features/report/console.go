// Package report shows a run to people: a line a scenario while it goes on, what failed and why,
// and a last line that a script can read. It must not know what a step does.
package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/cucumber/godog"
)

// Total counts the scenarios of a run.
type Total struct{ Passed, Failed, Skipped int }

// Ran is the number of scenarios that were begun.
func (t Total) Ran() int { return t.Passed + t.Failed + t.Skipped }

// Console writes a run's progress. Its methods may be called from several scenarios at once.
type Console struct {
	out    io.Writer
	colour bool
	begun  time.Time

	mu     sync.Mutex
	total  Total
	tables []*table
}

// NewConsole writes to out, in colour if asked.
func NewConsole(out io.Writer, colour bool) *Console {
	return &Console{out: out, colour: colour, begun: time.Now()}
}

// Start says on which card the run is and how to repeat it.
func (c *Console) Start(card string, seed int64) {
	c.printf("Card under test: %s. Random order, seed %d (SEED=%d repeats it).\n\n", card, seed, seed)
}

type failedStep struct {
	text string
	err  error
}

type watch struct {
	console *Console
	begun   time.Time
	failed  *failedStep
	notes   []string
}

type watchKey struct{}

// Watch follows one scenario.
func (c *Console) Watch(sc *godog.ScenarioContext) {
	w := &watch{console: c}
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		w.begun = time.Now()
		return context.WithValue(ctx, watchKey{}, w), nil
	})
	sc.StepContext().After(func(ctx context.Context, st *godog.Step, status godog.StepResultStatus,
		err error) (context.Context, error) {
		if w.failed == nil && status != godog.StepPassed {
			if err == nil {
				err = fmt.Errorf("step is %s", status)
			}
			w.failed = &failedStep{st.Text, err}
		}
		return ctx, nil
	})
	sc.After(func(ctx context.Context, s *godog.Scenario, err error) (context.Context, error) {
		c.done(s, w, err)
		return ctx, nil
	})
}

// Note adds a line that is printed under the scenario, such as a number of cut points.
func Note(ctx context.Context, format string, args ...any) {
	if w, ok := ctx.Value(watchKey{}).(*watch); ok {
		w.notes = append(w.notes, fmt.Sprintf(format, args...))
	}
}

func (c *Console) done(s *godog.Scenario, w *watch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mark, feature := "", strings.TrimSuffix(s.Uri, ".feature")
	switch {
	case err == nil:
		c.total.Passed++
		mark = c.paint("32", "passed ")
	case errors.Is(err, godog.ErrSkip):
		c.total.Skipped++
		mark = c.paint("33", "skipped")
	default:
		c.total.Failed++
		mark = c.paint("31", "FAILED ")
	}
	took := max(time.Since(w.begun).Round(time.Millisecond), time.Millisecond)
	fmt.Fprintf(c.out, "%s  %s: %s%s  %s\n", mark, feature, s.Name, c.example(s),
		c.paint("2", took.String()))
	for _, n := range w.notes {
		fmt.Fprintf(c.out, "         %s\n", n)
	}
	if err == nil {
		return
	}
	if w.failed != nil {
		fmt.Fprintf(c.out, "         at: %s\n", w.failed.text)
		err = w.failed.err
	}
	fmt.Fprintf(c.out, "         %s\n", strings.ReplaceAll(err.Error(), "\n", "\n         "))
}

// example tells the rows of an outline apart by the stock or value in the first step that names one.
func (c *Console) example(s *godog.Scenario) string {
	if len(s.AstNodeIds) < 2 {
		return ""
	}
	var words []string
	seen := map[string]bool{}
	for _, st := range s.Steps {
		for i, part := range strings.Split(st.Text, `"`) {
			if i%2 == 1 && !seen[part] {
				seen[part] = true
				words = append(words, part)
			}
		}
	}
	if len(words) > 3 {
		words = words[:3]
	}
	if len(words) == 0 {
		return ""
	}
	return " [" + strings.Join(words, ", ") + "]"
}

// Summary prints what was left out and why, and returns the counts.
func (c *Console) Summary(leftOut map[string]int, why map[string]string) Total {
	c.mu.Lock()
	defer c.mu.Unlock()
	tags := make([]string, 0, len(leftOut))
	for tag := range leftOut {
		tags = append(tags, tag)
	}
	sort.Strings(tags)
	for _, tag := range tags {
		fmt.Fprintf(c.out, "left out: %d scenarios tagged %s: %s\n", leftOut[tag], tag, why[tag])
	}
	return c.total
}

// Last prints what was wrong with the run, if anything, and the line that scripts read.
func (c *Console) Last(problem string) {
	if problem != "" {
		c.printf("\n%s\n", c.paint("31", problem))
	}
	for _, t := range c.tables {
		t.print(c.out)
	}
	t := c.total
	c.printf("\nfinished in %s\n%d passed, %d failed, %d skipped\n",
		time.Since(c.begun).Round(100*time.Millisecond), t.Passed, t.Failed, t.Skipped)
}

func (c *Console) paint(code, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (c *Console) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }
