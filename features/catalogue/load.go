package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"

	"tokenwright/features/capability"
	"tokenwright/features/verdict"
)

// ErrCatalogue is given for features that are no catalogue.
var ErrCatalogue = errors.New("catalogue")

var name = regexp.MustCompile(`^([A-Z][A-Z0-9]{1,3}-\d{2,3}) (.+)$`)

// Load reads all features of a file system, in the order of their names.
func Load(fsys fs.FS) ([]Case, error) {
	files, err := fs.Glob(fsys, "*.feature")
	if err != nil {
		return nil, err
	}
	var out []Case
	seen := map[string]bool{}
	for _, file := range files {
		cases, err := read(fsys, file)
		if err != nil {
			return nil, err
		}
		for _, c := range cases {
			if seen[c.ID] {
				return nil, fmt.Errorf("%w: %s:%d: %s is there twice", ErrCatalogue, c.File, c.Line, c.ID)
			}
			seen[c.ID] = true
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: there are no cases", ErrCatalogue)
	}
	return out, nil
}

func read(fsys fs.FS, file string) ([]Case, error) {
	b, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	doc, err := gherkin.ParseGherkinDocument(bytes.NewReader(b), (&messages.Incrementing{}).NewId)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCatalogue, file, err)
	}
	if doc.Feature == nil {
		return nil, fmt.Errorf("%w: %s holds no feature", ErrCatalogue, file)
	}
	var out []Case
	var before []string
	for _, child := range doc.Feature.Children {
		switch {
		case child.Background != nil:
			before = texts(child.Background.Steps)
		case child.Scenario != nil:
			c, err := caseOf(doc.Feature, child.Scenario, before)
			if err != nil {
				return nil, fmt.Errorf("%w: %s:%d: %w", ErrCatalogue, file,
					child.Scenario.Location.Line, err)
			}
			c.File = file
			out = append(out, c)
		default:
			return nil, fmt.Errorf("%w: %s: rules are not part of a catalogue", ErrCatalogue, file)
		}
	}
	return out, nil
}

func caseOf(f *messages.Feature, s *messages.Scenario, before []string) (Case, error) {
	m := name.FindStringSubmatch(s.Name)
	if m == nil || len(s.Examples) > 0 {
		return Case{}, fmt.Errorf("%q: want one case with an identifier, such as SEL-01, and a title", s.Name)
	}
	c := Case{
		ID: m[1], Title: m[2], Group: f.Name, Line: int(s.Location.Line),
		Applies: capability.Always, Steps: slices.Concat(before, texts(s.Steps)),
	}
	for _, tags := range [][]*messages.Tag{f.Tags, s.Tags} {
		for _, t := range tags {
			if err := c.tag(t.Name); err != nil {
				return Case{}, err
			}
		}
	}
	if c.Clause == "" || c.Class == "" {
		return Case{}, fmt.Errorf("%s: want a tag for its clause and one of @must, @conditional, "+
			"@policy, @beyond", c.ID)
	}
	if err := c.describe(f.Description); err != nil {
		return Case{}, err
	}
	c.Notes = nil // the feature's are its own
	all := c.Applies
	if err := c.describe(s.Description); err != nil {
		return Case{}, err
	}
	if all != capability.Always && all != c.Applies {
		c.Applies = "(" + all + ") and (" + c.Applies + ")"
	}
	return c, nil
}

var classes = map[string]verdict.Class{
	"@must": verdict.Must, "@conditional": verdict.Conditional, "@policy": verdict.Policy,
	"@beyond": verdict.Beyond,
}

func (c *Case) tag(t string) error {
	c.Tags = append(c.Tags, t)
	class, isClass := classes[t]
	prefix, section, _ := strings.Cut(strings.TrimPrefix(t, "@"), "-")
	switch {
	case isClass:
		if c.Class != "" {
			return fmt.Errorf("%s: two classes", c.ID)
		}
		c.Class = class
	case documents[prefix] != "" && section != "":
		if c.Clause != "" {
			return fmt.Errorf("%s: two clauses, %s and %s", c.ID, c.Clause, t)
		}
		c.Clause = t[1:]
	case t == "@negative":
		c.Negative = true
	case t == "@content":
		c.Risk = max(c.Risk, Content)
	case t == "@keys":
		c.Risk, c.Keys = max(c.Risk, Content), true
	case t == "@tries":
		c.Risk = max(c.Risk, Tries)
	case t == "@irreversible":
		c.Risk = Irreversible
	case t == "@quality" || t == "@tear" || t == "@endurance":
		c.Apart = true
	default:
		return fmt.Errorf("%s: unknown tag %s", c.ID, t)
	}
	return nil
}

// describe reads the lines between the name of a scenario, or of a feature, and what follows:
// "Applies:" with an expression, and notes for whoever reads the report. A case applies where its own
// expression and that of its feature hold.
func (c *Case) describe(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		expr, isExpr := strings.CutPrefix(line, "Applies:")
		switch {
		case isExpr:
			c.Applies = strings.TrimSpace(expr)
		case line != "":
			c.Notes = append(c.Notes, line)
		}
	}
	if err := capability.Check(c.Applies); err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	return nil
}

func texts(steps []*messages.Step) []string {
	out := make([]string, len(steps))
	for i, s := range steps {
		out[i] = s.Keyword + s.Text
		if s.DataTable != nil {
			out[i] += "\n" + rows(s.DataTable)
		}
	}
	return out
}

// rows gives a step's table as lines, its cells separated by " | ".
func rows(t *messages.DataTable) string {
	var lines []string
	for _, row := range t.Rows {
		var cells []string
		for _, c := range row.Cells {
			cells = append(cells, c.Value)
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	return strings.Join(lines, "\n")
}

// Clause is a clause of a document with the cases that test it.
type Clause struct {
	Document, Section string
	Cases             []string
}

// Coverage lists the clauses that the cases test, by document and section.
func Coverage(cases []Case) []Clause {
	var out []Clause
	for _, c := range cases {
		i := slices.IndexFunc(out, func(x Clause) bool {
			return x.Document == c.Document() && x.Section == c.Section()
		})
		if i < 0 {
			i = len(out)
			out = append(out, Clause{Document: c.Document(), Section: c.Section()})
		}
		out[i].Cases = append(out[i].Cases, c.ID)
	}
	slices.SortStableFunc(out, func(a, b Clause) int {
		if d := strings.Compare(a.Document, b.Document); d != 0 {
			return d
		}
		return compareSections(a.Section, b.Section)
	})
	return out
}

// compareSections puts 11.9 before 11.10.
func compareSections(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if d := len(x[i]) - len(y[i]); d != 0 && isNumber(x[i]) && isNumber(y[i]) {
			return d
		}
		if d := strings.Compare(x[i], y[i]); d != 0 {
			return d
		}
	}
	return len(x) - len(y)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
