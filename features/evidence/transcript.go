// Package evidence keeps what a run of conformance cases saw, so that others can believe it: every
// exchange with the card, every input of the judge and every verdict, each record chained to the one
// before it by a hash. Secrets are masked before a record is made.
//
// It must not decide anything, and it never holds a key.
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"tokenwright/features/verdict"
	"tokenwright/tms/gp/decode"
)

// Schema names the form of transcripts and reports. It changes with any change of meaning.
const Schema = "tokenwright.cardcert/1"

// Kind says what a record is about.
type Kind string

// The kinds of records.
const (
	KindHeader   Kind = "header"
	KindCase     Kind = "case"
	KindExchange Kind = "exchange"
	KindReset    Kind = "reset"
	KindCheck    Kind = "check"
	KindNote     Kind = "note"
	KindVerdict  Kind = "verdict"
)

// Record is one line of a transcript. Chain is the SHA-256 of the previous record's chain value and
// the record's own JSON without it, in hex.
type Record struct {
	N     int    `json:"n"`
	Kind  Kind   `json:"kind"`
	Case  string `json:"case,omitempty"`
	At    int64  `json:"at"`              // microseconds since the start of the run
	Took  int64  `json:"took,omitempty"`  // microseconds that the card took
	Cmd   string `json:"cmd,omitempty"`   // wire bytes in hex, secrets as **
	Resp  string `json:"resp,omitempty"`  // likewise; empty when no answer came
	Name  string `json:"name,omitempty"`  // what the command is
	Means string `json:"means,omitempty"` // what the answer is
	Text  string `json:"text,omitempty"`  // of a note, or why no answer came
	Spare bool   `json:"spare,omitempty"` // it was another card of the stock, to be used up
	Chain string `json:"chain,omitempty"`

	Check   *verdict.Check   `json:"check,omitempty"`
	Input   *verdict.Input   `json:"input,omitempty"` // of a verdict, without its checks
	Finding *verdict.Finding `json:"finding,omitempty"`
	Header  *Header          `json:"header,omitempty"`
}

// Header says what was run, on what, with what.
type Header struct {
	Schema  string    `json:"schema"`
	Tool    string    `json:"tool"`
	Started time.Time `json:"started"`
	Card    string    `json:"card"`   // where it is: a stock's name, or a reader's
	Reader  string    `json:"reader"` // how it is reached
	ATR     string    `json:"atr"`
	CUID    string    `json:"cuid"`
	Seed    int64     `json:"seed"`
}

// Recorder makes a transcript. It is safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	begun   time.Time
	records []Record
	chain   string
	current string
	sink    io.Writer
	err     error
}

// NewRecorder starts a transcript. sink, when not nil, gets every record as a line of JSON as soon as
// it is made.
func NewRecorder(sink io.Writer) *Recorder {
	return &Recorder{begun: time.Now(), sink: sink}
}

// Begun is when the run began.
func (r *Recorder) Begun() time.Time { return r.begun }

// SetCase names the case that the next records belong to; empty for none.
func (r *Recorder) SetCase(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = id
}

// Add appends a record, whose number, case, time and chain value it fills in, and gives its number,
// from 1.
func (r *Recorder) Add(rec Record) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec.N, rec.Case = len(r.records)+1, r.current
	if rec.At == 0 {
		rec.At = time.Since(r.begun).Microseconds()
	}
	chain, line, err := link(r.chain, rec)
	if err != nil {
		r.err = errors.Join(r.err, err)
		return rec.N
	}
	rec.Chain, r.chain = chain, chain
	r.records = append(r.records, rec)
	if r.sink != nil {
		// The line in the sink is the record with its chain value put in at the end.
		_, err := fmt.Fprintf(r.sink, "%s,\"chain\":%q}\n", line[:len(line)-1], chain)
		r.err = errors.Join(r.err, err)
	}
	return rec.N
}

// Exchange records a command and its answer, masked by what tracker knows of the conversation. resp
// is nil when none came, and failed says why.
func (r *Recorder) Exchange(tracker *decode.Tracker, cmd, resp []byte, began time.Time,
	took time.Duration, failed error, spare bool) int {
	c := tracker.Command(cmd)
	rec := Record{
		Kind: KindExchange, At: max(1, began.Sub(r.begun).Microseconds()), Took: took.Microseconds(),
		Cmd: c.Hex, Name: c.String(), Spare: spare,
	}
	if resp != nil {
		a := tracker.Response(resp)
		rec.Resp, rec.Means = a.Hex, a.String()
	}
	if failed != nil {
		rec.Text = failed.Error()
	}
	return r.Add(rec)
}

// Records gives the transcript so far, and the last chain value, its root.
func (r *Recorder) Records() (records []Record, root string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[:len(r.records):len(r.records)], r.chain
}

// Err is what went wrong in keeping the transcript.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// link gives the chain value of a record behind the value before it, and the JSON it was made from.
func link(before string, rec Record) (chain string, line []byte, err error) {
	rec.Chain = ""
	line, err = json.Marshal(rec)
	if err != nil {
		return "", nil, fmt.Errorf("transcript: %w", err)
	}
	h := sha256.New()
	h.Write([]byte(before))
	h.Write(line)
	return hex.EncodeToString(h.Sum(nil)), line, nil
}

// ErrChain is given for a transcript that was changed.
var ErrChain = errors.New("transcript: the chain of hashes is broken")

// VerifyChain follows the chain through a transcript up to its root.
func VerifyChain(records []Record, root string) error {
	chain := ""
	for i, rec := range records {
		next, _, err := link(chain, rec)
		if err != nil {
			return err
		}
		if rec.N != i+1 || rec.Chain != next {
			return fmt.Errorf("%w at record %d", ErrChain, i+1)
		}
		chain = next
	}
	if chain != root {
		return fmt.Errorf("%w: it ends elsewhere than the report says", ErrChain)
	}
	return nil
}
