package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"tokenwright/tms/esc"
)

// traceFlags say whether and where to write a trace.
type traceFlags struct{ file string }

func (f *traceFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "trace", "",
		"write every command and answer of the card to `file`, decoded, secrets masked")
}

// tracing is a card, with or without a trace of what is said to it.
type tracing struct {
	esc.Transmitter
	trace *esc.Trace
	file  *os.File
}

// open makes the file, for its owner's eyes, and puts the trace before the card.
func (f traceFlags) open(card esc.Transmitter) (*tracing, error) {
	if f.file == "" {
		return &tracing{Transmitter: card}, nil
	}
	file, err := os.OpenFile(f.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening trace: %w", err)
	}
	trace := esc.NewTrace(card, file, time.Now)
	trace.Note(version)
	return &tracing{Transmitter: trace, trace: trace, file: file}, nil
}

func (t *tracing) session(id string) {
	if t.trace != nil {
		t.trace.Session(id)
	}
}

func (t *tracing) note(text string) {
	if t.trace != nil {
		t.trace.Note(text)
	}
}

// close ends the trace; what went wrong with it is told after what went wrong before.
func (t *tracing) close(err error) error {
	if t.file == nil {
		return err
	}
	if werr := errors.Join(t.trace.Err(), t.file.Close()); werr != nil {
		err = errors.Join(err, fmt.Errorf("writing trace: %w", werr))
	}
	return err
}
