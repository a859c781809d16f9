package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// sample is one line of a benchmark's output.
type sample struct {
	pkg, name string
	metrics   map[string]float64 // by unit
}

// Figure is a row of the table. Value and Baseline are rates in Unit, more being better.
type Figure struct {
	Package  string   `json:"package"`
	Name     string   `json:"figure"`
	Unit     string   `json:"unit"`
	Value    float64  `json:"value"`
	Baseline *float64 `json:"baseline,omitempty"`
	Ratio    *float64 `json:"ratio,omitempty"`
	MinRatio float64  `json:"min_ratio,omitempty"`
	Runs     int      `json:"runs"`
}

// procs is the suffix that the testing package gives a name where GOMAXPROCS is not 1.
var procs = regexp.MustCompile(`-\d+$`)

// parse reads a line as the testing package prints it: name, iterations, then values with units.
func parse(pkg, line string) (sample, bool) {
	f := strings.Fields(line)
	if len(f) < 4 || len(f)%2 != 0 || !strings.HasPrefix(f[0], "Benchmark") {
		return sample{}, false
	}
	s := sample{pkg: pkg, name: procs.ReplaceAllString(f[0], ""), metrics: map[string]float64{}}
	for i := 2; i < len(f); i += 2 {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return sample{}, false
		}
		s.metrics[f[i+1]] = v
	}
	return s, true
}

// inTurns precedes the unit of a baseline that a benchmark measures itself, in turns with its own.
const inTurns = "baseline-"

// series is what one benchmark gave over its runs.
type series struct {
	pkg, name string
	metrics   map[string][]float64
}

func gather(runs []sample) (all []*series) {
	byName := map[string]*series{}
	for _, r := range runs {
		key := r.pkg + " " + r.name
		s := byName[key]
		if s == nil {
			s = &series{pkg: r.pkg, name: r.name, metrics: map[string][]float64{}}
			byName[key] = s
			all = append(all, s)
		}
		for unit, v := range r.metrics {
			s.metrics[unit] = append(s.metrics[unit], v)
		}
	}
	return all
}

// rate returns the median rate in the unit. Operations a second come from ns/op.
func (s *series) rate(unit string) (float64, bool) {
	if v := s.metrics[unit]; len(v) > 0 {
		return median(v), true
	}
	if v := s.metrics["ns/op"]; unit == "op/s" && len(v) > 0 && median(v) > 0 {
		return 1e9 / median(v), true
	}
	return 0, false
}

// units lists the rates that the benchmark gives, the most telling first.
func (s *series) units() (units []string) {
	for unit := range s.metrics {
		if strings.HasSuffix(unit, "/s") && unit != "MB/s" && !strings.HasPrefix(unit, inTurns) {
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return append(units, "op/s", "MB/s")
}

// pair makes the table from the runs.
func pair(runs []sample) (figures []Figure) {
	all := gather(runs)
	baselines := map[string]*series{}
	for _, s := range all {
		if base, ok := strings.CutSuffix(s.name, "/baseline"); ok {
			baselines[s.pkg+" "+base] = s
		}
	}
	for _, s := range all {
		if strings.HasSuffix(s.name, "/baseline") {
			continue
		}
		name, paired := strings.CutSuffix(s.name, "/ours")
		var baseline *series
		if paired {
			baseline = baselines[s.pkg+" "+name]
		}
		if f, ok := figure(s, baseline); ok {
			f.Name = strings.TrimPrefix(name, "Benchmark")
			figures = append(figures, f)
		}
	}
	return figures
}

// figure compares in the first unit that both have; baseline may be nil, unless s holds it.
func figure(s, baseline *series) (Figure, bool) {
	for _, unit := range s.units() {
		f := Figure{Package: s.pkg, Unit: unit}
		var ok bool
		if f.Value, ok = s.rate(unit); !ok {
			continue
		}
		f.Runs = len(s.metrics["ns/op"])
		b, paired := s.rate(inTurns + unit)
		switch {
		case paired:
		case baseline == nil:
			return f, true
		default:
			b, paired = baseline.rate(unit)
		}
		if !paired || b == 0 {
			continue
		}
		f.compare(b, s)
		return f, true
	}
	return Figure{}, false
}

// compare takes in the median of the baseline. Where both were measured in turns, the ratios of the
// runs count: whatever slowed a run down slowed both.
func (f *Figure) compare(baseline float64, s *series) {
	ratio := f.Value / baseline
	if ours, theirs := s.metrics[f.Unit], s.metrics[inTurns+f.Unit]; len(ours) == len(theirs) {
		ratios := make([]float64, 0, len(ours))
		for i, v := range ours {
			ratios = append(ratios, v/theirs[i])
		}
		if len(ratios) > 0 {
			ratio = median(ratios)
		}
	}
	f.Baseline, f.Ratio = &baseline, &ratio
	if least := s.metrics["min-ratio"]; len(least) > 0 {
		f.MinRatio = median(least)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

func printTable(w io.Writer, figures []Figure) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "figure\tunit\tvalue\tbaseline\tratio\t")
	for _, f := range figures {
		baseline, ratio := "-", "-"
		if f.Baseline != nil {
			baseline, ratio = number(*f.Baseline), fmt.Sprintf("%.2f", *f.Ratio)
			if f.MinRatio > 0 {
				ratio += fmt.Sprintf(" (at least %.2f)", f.MinRatio)
			}
		}
		fmt.Fprintf(tw, "%s %s\t%s\t%s\t%s\t%s\t\n",
			path.Base(f.Package), f.Name, f.Unit, number(f.Value), baseline, ratio)
	}
	_ = tw.Flush() // standard output: nobody is left to tell
}

// number prints three digits, or all before the point.
func number(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func writeJSON(file string, figures []Figure) error {
	out, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(out, '\n'), 0o644)
}

// missed returns an error that names the figures below their own least ratio.
func missed(figures []Figure) error {
	var low []string
	for _, f := range figures {
		if f.Ratio != nil && *f.Ratio < f.MinRatio {
			low = append(low, fmt.Sprintf("%s %.2f (at least %.2f)", f.Name, *f.Ratio, f.MinRatio))
		}
	}
	if len(low) == 0 {
		return nil
	}
	return fmt.Errorf("below the least ratio: %s", strings.Join(low, ", "))
}
