// Command bench runs benchmarks and prints each figure beside the baseline taken in the same run,
// with their ratio.
//
// # Convention
//
// A figure and its baseline are two sub-benchmarks of one case, named "ours" and "baseline":
//
//	BenchmarkSocket/bytes=5/ours
//	BenchmarkSocket/bytes=5/baseline
//
// A benchmark that measures both in turns, so that a busy machine slows both down, reports the
// baseline itself, b.ReportMetric(n, "baseline-apdu/s"); the median of its runs' ratios counts. A
// benchmark with neither is a figure without a baseline. What is compared is a rate, more
// being better: the metric that ends in "/s" (b.ReportMetric(n, "apdu/s")), or operations a second
// when there is none; MB/s only when both have nothing else. The ratio is ours through baseline: 1
// is as fast as the baseline. A figure may state how much it must reach,
// b.ReportMetric(0.8, "min-ratio"); the command then fails when it does not (-strict=false lets it
// pass, for runs too short to tell).
//
// Each benchmark runs -count times and the median counts.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	bench := flag.String("bench", ".", "regular expression of benchmarks")
	benchtime := flag.String("benchtime", "1s", "time or count (100x) of one run")
	count := flag.Int("count", 3, "runs of each benchmark; the median counts")
	tags := flag.String("tags", "", "build tags")
	file := flag.String("json", "", "also write the table to this `file`, as JSON")
	note := flag.String("note", "", "a line to print under the table: what it lacks, and why")
	strict := flag.Bool("strict", true, "fail when a figure is below its min-ratio")
	flag.Parse()
	packages, err := withBenchmarks(*tags, flag.Args())
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return errors.New("no benchmarks there")
	}
	args := append([]string{
		"test", "-run", "^$", "-tags", *tags, "-bench", *bench, "-benchtime", *benchtime,
		"-count", fmt.Sprint(*count), "-timeout", "30m",
	}, packages...)
	runs, err := measure(args)
	if err != nil {
		return err
	}
	figures := pair(runs)
	if len(figures) == 0 {
		return fmt.Errorf("no benchmark matches %q", *bench)
	}
	printTable(os.Stdout, figures)
	if *note != "" {
		fmt.Println(*note)
	}
	if *file != "" {
		if err := writeJSON(*file, figures); err != nil {
			return err
		}
	}
	if !*strict {
		return nil
	}
	return missed(figures)
}

// withBenchmarks lists the packages that hold a benchmark, so that no others are built.
func withBenchmarks(tags string, patterns []string) (packages []string, err error) {
	args := append([]string{
		"list", "-tags", tags, "-f",
		`{{$d := .Dir}}{{.ImportPath}}{{range .TestGoFiles}}	{{$d}}/{{.}}{{end}}` +
			`{{range .XTestGoFiles}}	{{$d}}/{{.}}{{end}}`,
	}, patterns...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		for _, file := range fields[1:] {
			text, err := os.ReadFile(filepath.Clean(file))
			if err != nil {
				return nil, err
			}
			if strings.Contains(string(text), "\nfunc Benchmark") {
				packages = append(packages, fields[0])
				break
			}
		}
	}
	return packages, nil
}

// measure runs go test, shows what it says on standard error, and collects the results.
func measure(args []string) ([]sample, error) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	runs, parseErr := collect(io.TeeReader(out, os.Stderr))
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("go test: %w", err)
	}
	return runs, parseErr
}

func collect(r io.Reader) (runs []sample, err error) {
	pkg := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if p, ok := strings.CutPrefix(lines.Text(), "pkg: "); ok {
			pkg = p
		}
		if s, ok := parse(pkg, lines.Text()); ok {
			runs = append(runs, s)
		}
	}
	return runs, lines.Err()
}
