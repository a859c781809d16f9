package evidence

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"tokenwright/features/capability"
	"tokenwright/features/catalogue"
	"tokenwright/features/verdict"
)

// Result is one case with its verdict. First and Last are the numbers of its records in the
// transcript.
type Result struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Group    string          `json:"group"`
	Clause   string          `json:"clause"`
	Document string          `json:"document"`
	Class    verdict.Class   `json:"class"`
	Risk     string          `json:"risk"`
	Applies  string          `json:"applies"`
	Notes    []string        `json:"notes,omitempty"`
	Steps    []string        `json:"steps,omitempty"`
	Finding  verdict.Finding `json:"finding"`
	Took     int64           `json:"took"` // microseconds, the harness's part included
	First    int             `json:"first,omitempty"`
	Last     int             `json:"last,omitempty"`
}

// Report is everything that a run has to say, the transcript with it.
type Report struct {
	Schema     string                  `json:"schema"`
	Header     Header                  `json:"header"`
	Disclaimer string                  `json:"disclaimer"`
	Facts      capability.Set          `json:"facts"`
	Counts     map[verdict.Verdict]int `json:"counts"`
	Results    []Result                `json:"results"`
	Coverage   []Covered               `json:"coverage"`
	Remarks    []string                `json:"remarks,omitempty"`
	Took       int64                   `json:"took"`     // microseconds of the whole run
	CardTook   int64                   `json:"cardTook"` // microseconds of all exchanges
	Exchanges  int                     `json:"exchanges"`
	Root       string                  `json:"root"` // last chain value of the transcript
	Transcript []Record                `json:"transcript"`
}

// Covered is a clause with its cases and what came of them.
type Covered struct {
	Document string   `json:"document"`
	Section  string   `json:"section"`
	Cases    []string `json:"cases"`
}

// Disclaimer says what a report is not.
const Disclaimer = "This report says how one card answered the cases named in it. It is no " +
	"GlobalPlatform qualification, no Common Criteria evaluation and no FIPS 140 validation, and " +
	"claims none of them."

// NewResult fills in what the catalogue says of a case.
func NewResult(c catalogue.Case, f verdict.Finding) Result {
	return Result{
		ID: c.ID, Title: c.Title, Group: c.Group, Clause: c.Section(), Document: c.Document(),
		Class: c.Class, Risk: c.Risk.String(), Applies: c.Applies, Notes: c.Notes, Steps: c.Steps,
		Finding: f,
	}
}

// Finish makes the report of a run from its results and its transcript.
func Finish(h Header, facts capability.Set, cases []catalogue.Case, results []Result, rec *Recorder) *Report {
	r := &Report{
		Schema: Schema, Header: h, Disclaimer: Disclaimer, Facts: facts, Results: results,
		Counts: map[verdict.Verdict]int{}, Took: time.Since(rec.Begun()).Microseconds(),
	}
	for _, v := range verdict.All() {
		r.Counts[v] = 0
	}
	for _, res := range results {
		r.Counts[res.Finding.Verdict]++
	}
	for _, c := range catalogue.Coverage(cases) {
		r.Coverage = append(r.Coverage, Covered(c))
	}
	r.Transcript, r.Root = rec.Records()
	for _, x := range r.Transcript {
		if x.Kind == KindExchange {
			r.Exchanges++
			r.CardTook += x.Took
		}
	}
	return r
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// maxReport bounds a report that is read, in bytes.
const maxReport = 256 << 20

// ReadJSON reads a report. It checks the schema, and nothing that the report claims.
func ReadJSON(in io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(io.LimitReader(in, maxReport)).Decode(&r); err != nil {
		return nil, fmt.Errorf("reading a report: %w", err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("reading a report: schema %q, want %s", r.Schema, Schema)
	}
	return &r, nil
}

// Records gives the transcript's records that belong to a result.
func (r *Report) Records(res Result) []Record {
	if res.First < 1 || res.Last < res.First || res.Last > len(r.Transcript) {
		return nil
	}
	return r.Transcript[res.First-1 : res.Last]
}
