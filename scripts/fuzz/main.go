// Command fuzz finds every native fuzz target below a folder and fuzzes each for a while.
//
// With -jobs above 1 that many targets run at once, on one worker each, so that a machine of few
// cores stays busy; the time of a target is wall-clock time either way. A target that fails leaves
// its input in testdata/fuzz, as go test does, and the others still run.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// target is one fuzz function.
type target struct{ dir, name string }

var declaration = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	match := flag.String("fuzz", ".", "regular expression of targets, as FOLDER.NAME")
	fuzztime := flag.Duration("fuzztime", 30*time.Second, "time for each target")
	tags := flag.String("tags", "", "build tags")
	jobs := flag.Int("jobs", 1, "targets at once")
	list := flag.Bool("list", false, "list the targets and do nothing")
	flag.Parse()
	wanted, err := regexp.Compile(*match)
	if err != nil {
		return fmt.Errorf("-fuzz: %w", err)
	}
	if flag.NArg() != 1 || *jobs < 1 {
		return errors.New("usage: fuzz [flags] FOLDER, with -jobs of 1 or more")
	}
	targets, err := find(flag.Arg(0), wanted)
	if err != nil {
		return err
	}
	if *list {
		for _, t := range targets {
			fmt.Println(t)
		}
		return nil
	}
	if len(targets) == 0 {
		return fmt.Errorf("no target matches %q", *match)
	}
	return fuzzAll(ctx, targets, *fuzztime, *tags, *jobs)
}

func (t target) String() string { return t.dir + "." + t.name }

// find reads the test files; it does not build them.
func find(root string, wanted *regexp.Regexp) (targets []target, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && p != root && (strings.HasPrefix(name, ".") || name == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(filepath.Clean(p))
		for _, m := range declaration.FindAllSubmatch(text, -1) {
			t := target{filepath.ToSlash(filepath.Dir(p)), string(m[1])}
			if wanted.MatchString(t.String()) {
				targets = append(targets, t)
			}
		}
		return err
	})
	return targets, err
}

func fuzzAll(ctx context.Context, targets []target, d time.Duration, tags string, jobs int) error {
	fmt.Printf("%d fuzz targets, %s each, %d at once\n", len(targets), d, jobs)
	queue, failed := make(chan target), 0
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range jobs {
		wg.Go(func() {
			for t := range queue {
				out, err := fuzz(ctx, t, d, tags, jobs)
				mu.Lock()
				if err != nil {
					failed++
					fmt.Printf("FAIL %s: %v\n%s\n", t, err, out)
				} else {
					fmt.Printf("ok   %s  %s\n", t, lastFigures(out))
				}
				mu.Unlock()
			}
		})
	}
	for _, t := range targets {
		if ctx.Err() != nil {
			break
		}
		queue <- t
	}
	close(queue)
	wg.Wait()
	fmt.Printf("%d passed, %d failed\n", len(targets)-failed, failed)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case failed > 0:
		return fmt.Errorf("%d of %d targets failed", failed, len(targets))
	}
	return nil
}

func fuzz(ctx context.Context, t target, d time.Duration, tags string, jobs int) ([]byte, error) {
	args := []string{
		"test", "-tags", tags, "-run", "^$", "-fuzz", "^" + t.name + "$",
		"-fuzztime", d.String(), "-fuzzminimizetime", "1x",
	}
	if jobs > 1 {
		args = append(args, "-parallel", "1")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+t.dir)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.CombinedOutput()
	if err != nil && onlyOutOfTime(out) {
		err = nil
	}
	return out, err
}

// onlyOutOfTime tells a target that go test failed because its time ended in the midst of an input,
// which it reports in these words and without an input that fails.
// WORKAROUND(go 1.26)
func onlyOutOfTime(out []byte) bool {
	return bytes.Contains(out, []byte("    context deadline exceeded\n")) &&
		!bytes.Contains(out, []byte("Failing input written"))
}

// lastFigures is what go test said last about its progress.
func lastFigures(out []byte) string {
	last := ""
	for line := range bytes.Lines(out) {
		if after, ok := bytes.CutPrefix(line, []byte("fuzz: elapsed: ")); ok {
			last = string(bytes.TrimSpace(after))
		}
	}
	return last
}
