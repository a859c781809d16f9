package evidence

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"tokenwright/features/verdict"
)

//go:embed report.gohtml
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"slug":    func(v verdict.Verdict) string { return strings.ReplaceAll(string(v), " ", "-") },
	"percent": func(n, of int) string { return fmt.Sprintf("%.1f", 100*float64(n)/float64(max(1, of))) },
	"millis":  func(us int64) string { return fmt.Sprintf("%.3f", float64(us)/1000) },
	"join":    strings.Join,
}).Parse(page))

// shown is the report as the page needs it.
type shown struct {
	*Report
	Verdicts  []verdict.Verdict
	Graver    []Result // fail, inconclusive, deviation, the gravest first
	Latencies []Latency
}

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	s := shown{Report: r, Verdicts: verdict.All(), Latencies: r.Latencies()}
	for _, v := range []verdict.Verdict{verdict.Fail, verdict.Inconclusive, verdict.Deviation} {
		for _, res := range r.Results {
			if res.Finding.Verdict == v {
				s.Graver = append(s.Graver, res)
			}
		}
	}
	return pageTemplate.Execute(w, s)
}

// VerdictOf gives the verdict on a case, for the coverage table.
func (r *Report) VerdictOf(id string) verdict.Verdict {
	for _, res := range r.Results {
		if res.ID == id {
			return res.Finding.Verdict
		}
	}
	return ""
}

// Exchanged gives the exchanges, resets and checks of a result, for its decoded trace.
func (r *Report) Exchanged(res Result) []Record {
	var out []Record
	for _, x := range r.Records(res) {
		if x.Kind != KindCase && x.Kind != KindVerdict {
			out = append(out, x)
		}
	}
	return out
}

// Latency is how long the card took for one kind of command, in microseconds.
type Latency struct {
	Name               string
	N                  int
	Min, P50, P95, Max int64
	Bars               []Bar
}

// Bar is one column of a histogram, in the units of a drawing 100 wide and 24 high.
type Bar struct{ X, Y, Height float64 }

const (
	histogramBars   = 20
	histogramWidth  = 100.0
	histogramHeight = 24.0
)

// Latencies gives the latencies of all exchanges by command, the slowest commands first.
func (r *Report) Latencies() []Latency {
	by := map[string][]int64{}
	for _, x := range r.Transcript {
		if x.Kind == KindExchange && x.Resp != "" {
			name, _, _ := strings.Cut(x.Name, ":")
			if strings.HasPrefix(name, "unknown command") {
				name = "other commands"
			}
			by[name] = append(by[name], x.Took)
		}
	}
	var out []Latency
	for name, all := range by {
		slices.Sort(all)
		at := func(p int) int64 { return all[(len(all)-1)*p/100] }
		out = append(out, Latency{
			Name: name, N: len(all), Min: all[0], P50: at(50), P95: at(95), Max: all[len(all)-1],
			Bars: histogram(all),
		})
	}
	slices.SortFunc(out, func(a, b Latency) int {
		if a.P50 != b.P50 {
			return int(b.P50 - a.P50)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// histogram counts sorted values in equal steps from the least to the greatest.
func histogram(sorted []int64) []Bar {
	low, high := sorted[0], sorted[len(sorted)-1]
	var counts [histogramBars]int
	most := 1
	for _, v := range sorted {
		i := 0
		if high > low {
			i = int((v - low) * (histogramBars - 1) / (high - low))
		}
		counts[i]++
		most = max(most, counts[i])
	}
	var out []Bar
	for i, n := range counts {
		if n > 0 {
			h := max(1, histogramHeight*float64(n)/float64(most))
			out = append(out, Bar{X: float64(i) * histogramWidth / histogramBars, Y: histogramHeight - h, Height: h})
		}
	}
	return out
}
