// Package suite runs the feature files: it chooses them, sets up the card under test and the
// laboratory, and counts. It knows no step and no card; it must not decide what a scenario means.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features"
	"tokenwright/features/lab"
	"tokenwright/features/promises"
	"tokenwright/features/report"
	"tokenwright/features/steps"
	"tokenwright/features/steps/scene"
	"tokenwright/features/target"
)

// ErrFailed is the result of a run in which a scenario failed or did not run.
var ErrFailed = errors.New("the run failed")

// Run runs what c selects and writes its progress to out. It returns ErrFailed when a scenario
// failed, was skipped, or should have run and did not; any other error means that nothing ran.
func Run(ctx context.Context, c Config, out io.Writer) error {
	if err := promises.Check(features.FS, features.Promises); err != nil {
		return err
	}
	paths, err := c.paths()
	if err != nil {
		return err
	}
	all, leftOut, err := count(paths, c.Card)
	if err != nil {
		return err
	}
	seed := c.seed()
	card, err := target.Parse(c.Card)
	if err != nil {
		return err
	}
	defer card.Close()
	labs := lab.NewPool()
	defer labs.Close()

	console := report.NewConsole(out, c.Colour)
	console.Start(card.Name(), seed)
	format, err := reportFormats(c.ReportDir)
	if err != nil {
		return err
	}
	status := godog.TestSuite{
		Name: "tokenwright",
		ScenarioInitializer: func(sc *godog.ScenarioContext) {
			scene.Attach(sc, card, labs, seed) // first: the wait for a place is not the scenario's
			console.Watch(sc)
			steps.Add(sc)
		},
		Options: &godog.Options{
			FS: features.FS, Paths: paths, Tags: tagExpression(c.Tags, c.Card),
			Format: format, Output: io.Discard, NoColors: true, Strict: true,
			Randomize: seed, Concurrency: c.jobs(card), DefaultContext: ctx,
		},
	}.Run()
	return verdict(console, status, expected(c, all, leftOut), leftOut, leftOutFor(c.Card))
}

func (c Config) jobs(card target.Target) int {
	if c.Jobs > 0 && c.Jobs < card.Parallel() {
		return c.Jobs
	}
	return card.Parallel()
}

// expected is the number of scenarios that must run; -1 where the tags asked for decide.
func expected(c Config, all int, leftOut map[string]int) int {
	if c.Tags != "" {
		return -1
	}
	for _, n := range leftOut {
		all -= n
	}
	return all
}

func verdict(console *report.Console, status, want int, out map[string]int, why map[string]string) error {
	total := console.Summary(out, why)
	var problem string
	switch {
	case total.Ran() == 0:
		problem = "no scenario ran"
	case want >= 0 && total.Ran() != want:
		problem = fmt.Sprintf("%d scenarios should have run, %d did", want, total.Ran())
	case status != 0 || total.Failed+total.Skipped > 0:
		problem = "not every scenario passed"
	}
	console.Last(problem)
	if problem != "" {
		return fmt.Errorf("%w: %s", ErrFailed, problem)
	}
	return nil
}

func reportFormats(dir string) (string, error) {
	if dir == "" {
		return "progress", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the report folder: %w", err)
	}
	if strings.ContainsAny(dir, ",:") {
		return "", fmt.Errorf("REPORT_DIR=%q: a comma or colon cannot be part of it", dir)
	}
	return fmt.Sprintf("progress,junit:%s,cucumber:%s",
		filepath.Join(dir, "junit.xml"), filepath.Join(dir, "cucumber.json")), nil
}
