package esc

import (
	"context"
	"fmt"
	"io"
	"time"

	"tokenwright/tms/gp/decode"
)

// Trace is a Transmitter that writes what passes through it, decoded, with PINs, keys and other
// secrets masked. Each command gets a number and two lines, what it is and its bytes, and so
// does its answer. It is used by one goroutine, like the card behind it. A trace that cannot be
// written never disturbs the card; Err tells of it afterwards.
type Trace struct {
	card    Transmitter
	w       io.Writer
	now     func() time.Time
	tracker decode.Tracker
	n       int
	err     error
}

// NewTrace traces card to w. now is the clock, for the time that answers take.
func NewTrace(card Transmitter, w io.Writer, now func() time.Time) *Trace {
	return &Trace{card: card, w: w, now: now}
}

// Session writes the server's name of the conversation that begins; pass it as Client.Session.
func (t *Trace) Session(id string) {
	if id == "" {
		id = "without a name"
	}
	t.printf("# %s session %s\n", t.now().UTC().Format(time.RFC3339), id)
}

// Note writes a line of one's own. It must hold no secret.
func (t *Trace) Note(text string) { t.printf("# %s\n", text) }

// Reset says that the card was reset or powered: what is known of its state is forgotten.
func (t *Trace) Reset() { t.tracker.Reset() }

// Transmit implements Transmitter.
func (t *Trace) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	t.n++
	line := t.tracker.Command(cmd)
	t.printf("%4d > %s\n       %s\n", t.n, line, line.Hex)
	begun := t.now()
	resp, err := t.card.Transmit(ctx, cmd)
	took := t.now().Sub(begun).Round(10 * time.Microsecond)
	if err != nil {
		// The reader's error is its own; the card has said nothing.
		t.printf("%4d < no answer (%s)\n", t.n, took)
		return nil, err
	}
	line = t.tracker.Response(resp)
	t.printf("%4d < %s (%s)\n       %s\n", t.n, line, took, line.Hex)
	return resp, nil
}

// Err is the first error of writing the trace.
func (t *Trace) Err() error { return t.err }

func (t *Trace) printf(format string, args ...any) {
	if t.err != nil {
		return
	}
	_, t.err = fmt.Fprintf(t.w, format, args...)
}
