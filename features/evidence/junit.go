package evidence

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"tokenwright/features/verdict"
)

// JUnit's form as build servers read it. A case that does not apply is skipped, an inconclusive one is
// an error; the remaining verdicts have their own names there.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Time    string       `xml:"time,attr"`
		Failure *junitReason `xml:"failure,omitempty"`
		Error   *junitReason `xml:"error,omitempty"`
		Skipped *junitReason `xml:"skipped,omitempty"`
		Out     string       `xml:"system-out,omitempty"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
	}
)

// WriteJUnit writes the report in JUnit's form.
func (r *Report) WriteJUnit(w io.Writer) error {
	s := junitSuite{
		Name: "cardcert " + r.Header.Card, Tests: len(r.Results), Failures: r.Counts[verdict.Fail],
		Errors: r.Counts[verdict.Inconclusive], Skipped: r.Counts[verdict.NotApplicable],
		Time: seconds(r.Took),
	}
	for _, res := range r.Results {
		c := junitCase{
			Class: res.Group, Name: res.ID + " " + res.Title, Time: seconds(res.Took),
		}
		reason := &junitReason{strings.Join(res.Finding.Reasons, "; ")}
		switch res.Finding.Verdict {
		case verdict.Fail:
			c.Failure = reason
		case verdict.Inconclusive:
			c.Error = reason
		case verdict.NotApplicable:
			c.Skipped = reason
		case verdict.Deviation:
			c.Out = "pass with deviation: " + reason.Message
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("writing JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(micros int64) string { return fmt.Sprintf("%.6f", float64(micros)/1e6) }
