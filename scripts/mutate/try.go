package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// result is what became of a fault.
type result struct {
	fault
	caught  bool
	invalid bool // the program does not build with it
}

// try tries the faults, some at a time. Before that the program has to pass without any.
func try(ctx context.Context, o options, faults []fault) ([]result, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sound, err := one(ctx, o, dir, nil)
	switch {
	case err != nil:
		return nil, err
	case sound.invalid || sound.caught:
		return nil, fmt.Errorf("%s does not build, or fails without any fault", o.build)
	}
	work, out := make(chan fault), make(chan result)
	var workers sync.WaitGroup
	var failed error
	var once sync.Once
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := range o.jobs {
		workers.Go(func() {
			for f := range work {
				r, err := one(ctx, o, filepath.Join(dir, fmt.Sprint(i)), &f)
				if err != nil {
					once.Do(func() { failed = err })
					cancel()
					return
				}
				out <- r
			}
		})
	}
	go func() {
		defer close(work)
		for _, f := range faults {
			select {
			case work <- f:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { workers.Wait(); close(out) }()
	return collect(out, len(faults)), failedOr(ctx, &failed)
}

func failedOr(ctx context.Context, failed *error) error {
	if *failed != nil {
		return *failed
	}
	return ctx.Err()
}

// collect takes the results and shows progress.
func collect(out <-chan result, of int) []result {
	began := time.Now()
	var results []result
	for r := range out {
		results = append(results, r)
		if n := len(results); n%10 == 0 || n == of {
			fmt.Fprintf(os.Stderr, "%d of %d faults tried, %s\n", n, of, time.Since(began).Round(time.Second))
		}
	}
	return results
}

// one builds the program with a fault and runs it.
func one(ctx context.Context, o options, dir string, f *fault) (result, error) {
	var r result
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	program := filepath.Join(dir, "program")
	args := []string{"build", "-o", program}
	if f != nil {
		r.fault = *f
		overlay, err := writeOverlay(dir, *f)
		if err != nil {
			return r, err
		}
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, o.build)...)
	if f == nil {
		build.Stderr = os.Stderr
	}
	if err := build.Run(); err != nil {
		r.invalid = true
		return r, ctx.Err()
	}
	for _, args := range o.args {
		if r.caught = fails(ctx, o.timeout, dir, program, args); r.caught {
			break
		}
	}
	return r, ctx.Err()
}

// fails runs the program, and says that it ended in failure or not at all.
func fails(ctx context.Context, most time.Duration, dir, program string, args []string) bool {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	return cmd.Run() != nil
}

// writeOverlay writes the file with the fault, and what tells the go command of it.
func writeOverlay(dir string, f fault) (string, error) {
	text, err := os.ReadFile(f.file)
	if err != nil {
		return "", err
	}
	if text, err = f.apply(text); err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(f.file)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, b, 0o600)
}
