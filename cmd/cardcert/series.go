package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"tokenwright/features/lot"
	"tokenwright/features/sampling"
)

// record is what is kept of a supplier between lots.
type record struct {
	sampling.Series
	// Lots are the journals that were counted, so that none counts twice.
	Lots []string `json:"lots"`
}

func readRecord(path string) (record, error) {
	var r record
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, fmt.Errorf("record of the supplier: %w", err)
	}
	return r, nil
}

// write replaces the record in one step.
func (r record) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// due is the severity of a new lot.
func (f *lotFlags) due() (sampling.Severity, error) {
	s := sampling.Normal
	if f.series != "" {
		r, err := readRecord(f.series)
		if err != nil {
			return s, err
		}
		if r.Stopped {
			return s, sampling.ErrStopped
		}
		s = r.Severity
	}
	if f.severity == "" {
		return s, nil
	}
	asked := s
	if err := asked.UnmarshalText([]byte(f.severity)); err != nil {
		return s, err
	}
	if f.series != "" && asked != s {
		return s, fmt.Errorf("the switching rules ask for %s inspection, not %s", s, asked)
	}
	return asked, nil
}

// conclude shows where the inspection stands, and tells the supplier's record when it is over.
func (f *lotFlags) conclude(out io.Writer, j *lot.Journal) error {
	outcome := showState(out, j)
	_, bad, verdict := j.State()
	if f.series == "" || verdict == sampling.Open {
		return outcome
	}
	r, err := readRecord(f.series)
	if err != nil {
		return err
	}
	name, err := filepath.Abs(f.journal)
	if err != nil {
		return err
	}
	if !slices.Contains(r.Lots, name) {
		aql, err := sampling.ParseAQL(j.Header().AQL)
		if err != nil {
			return err
		}
		if err := r.Add(j.Header().Plan, aql, bad); err != nil {
			return err
		}
		r.Lots = append(r.Lots, name)
		if err := r.write(f.series); err != nil {
			return err
		}
	}
	showNext(out, r)
	return outcome
}

func showNext(out io.Writer, r record) {
	switch {
	case r.Stopped:
		_, _ = fmt.Fprintln(out, "next lot  none: inspection is discontinued until the supplier has mended the cause")
	case r.MayReduce():
		_, _ = fmt.Fprintf(out, "next lot  %s inspection; reduced is allowed (switching score %d)\n", r.Severity, r.Score)
	default:
		_, _ = fmt.Fprintf(out, "next lot  %s inspection, switching score %d\n", r.Severity, r.Score)
	}
}
