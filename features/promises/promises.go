// Package promises holds the table of what is promised against the scenarios that are to hold it. It
// owns the form of the table; it must not know what any scenario does.
package promises

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"
)

// Promise is one row of the table.
type Promise struct {
	No   int
	Text string
	By   []string // scenarios, as "feature: name"
}

// Parse reads the rows of a table in Markdown: number, promise, and scenarios with <br> between.
func Parse(table string) ([]Promise, error) {
	var out []Promise
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") ||
			strings.HasPrefix(line, "| No ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			return nil, fmt.Errorf("%q has %d cells, want 3", line, len(cells))
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			return nil, fmt.Errorf("%q has no number", line)
		}
		p := Promise{No: n, Text: strings.TrimSpace(cells[1])}
		for name := range strings.SplitSeq(cells[2], "<br>") {
			if name = strings.TrimSpace(name); name != "" {
				p.By = append(p.By, name)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// Scenarios gives the names of all scenarios of the feature files, as "feature: name".
func Scenarios(files fs.FS) (map[string]bool, error) {
	paths, err := fs.Glob(files, "*.feature")
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool)
	for _, p := range paths {
		file, err := files.Open(p)
		if err != nil {
			return nil, err
		}
		doc, err := gherkin.ParseGherkinDocument(file, (&messages.Incrementing{}).NewId)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		feature := strings.TrimSuffix(path.Base(p), ".feature")
		for _, child := range doc.Feature.Children {
			if child.Scenario != nil {
				out[feature+": "+child.Scenario.Name] = true
			}
		}
	}
	return out, nil
}

// Check wants the table to be numbered from 1, every promise to be held by a scenario, and every
// scenario that it names to be there. The error names all that is wrong.
func Check(files fs.FS, table string) error {
	list, err := Parse(table)
	if err != nil {
		return fmt.Errorf("table of promises: %w", err)
	}
	known, err := Scenarios(files)
	if err != nil {
		return fmt.Errorf("table of promises: %w", err)
	}
	var errs []error
	if len(list) == 0 {
		errs = append(errs, errors.New("table of promises: nothing is promised"))
	}
	for i, p := range list {
		if p.No != i+1 {
			errs = append(errs, fmt.Errorf("promise %d stands where %d should", p.No, i+1))
		}
		if p.Text == "" || len(p.By) == 0 {
			errs = append(errs, fmt.Errorf("promise %d (%s) is held by no scenario", p.No, p.Text))
		}
		for _, name := range p.By {
			if !known[name] {
				errs = append(errs, fmt.Errorf("promise %d (%s): there is no scenario %q", p.No, p.Text, name))
			}
		}
	}
	return errors.Join(errs...)
}
