package lot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"tokenwright/features/sampling"
)

// Schema is the version of the written form.
const Schema = "tokenwright.lot/1"

// Errors that a caller decides by.
var (
	// ErrCounted: this card is in the journal already.
	ErrCounted = errors.New("this card was counted already")
	// ErrDone: the lot has its verdict, and no card changes it.
	ErrDone = errors.New("the lot has its verdict")
	// ErrJournal: the file is no journal of a lot, or was changed.
	ErrJournal = errors.New("not the journal of a lot")
	// ErrBusy: another process inspects this lot.
	ErrBusy = errors.New("another process inspects this lot")
)

// Header says what is inspected, and how. It is the journal's first line.
type Header struct {
	Schema  string        `json:"schema"`
	Name    string        `json:"name"` // the lot's, as its owner calls it
	AQL     string        `json:"aql"`
	Level   string        `json:"level"`
	Plan    sampling.Plan `json:"plan"`
	Started time.Time     `json:"started"`
}

// Card is one card of the sample.
type Card struct {
	CUID    string    `json:"cuid"` // 20 hex digits
	Bad     bool      `json:"bad"`  // nonconforming
	Why     []string  `json:"why,omitempty"`
	Report  string    `json:"report,omitempty"` // root of the card's transcript, hex
	Moduli  []string  `json:"moduli,omitempty"` // of RSA keys that the card made, hex
	Reader  string    `json:"reader,omitempty"`
	Counted time.Time `json:"counted"`
}

// Bounds of what is read from a file, and of one card.
const (
	maxLine   = 1 << 20 // bytes
	maxCards  = 100000
	maxModuli = 64
)

// Journal is the inspection of one lot. It is safe for concurrent use: several readers may work
// at a time.
type Journal struct {
	mu     sync.Mutex
	header Header
	cards  []Card
	file   *os.File
}

// Create starts a journal in a file that does not exist yet.
func Create(path string, h Header) (*Journal, error) {
	h.Schema = Schema
	if err := h.check(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{header: h, file: f}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := j.append(h); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return j, nil
}

// Open goes on with a journal. A last line that was being written when the process died is cut off:
// its card was not counted.
func Open(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: f}
	if err := errors.Join(lock(f), j.read()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

func (h Header) check() error {
	aql, err := sampling.ParseAQL(h.AQL)
	if err != nil {
		return err
	}
	want, err := sampling.New(h.Plan.LotSize, sampling.Level(h.Level), aql, h.Plan.Severity)
	if err != nil {
		return err
	}
	if h.Schema != Schema || want != h.Plan {
		return errors.New("its plan is not the one that lot size, level and limit give")
	}
	return nil
}

// read takes what the file holds, and cuts off a line that has no end.
func (j *Journal) read() error {
	r := bufio.NewReaderSize(j.file, maxLine)
	var good int64
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrJournal, n+1, err)
		}
		if err := j.take(n, line); err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		good += int64(len(line))
	}
	if j.header.Schema == "" {
		return fmt.Errorf("%w: it is empty", ErrJournal)
	}
	if err := j.file.Truncate(good); err != nil {
		return err
	}
	_, err := j.file.Seek(good, io.SeekStart)
	return err
}

func (j *Journal) take(n int, line []byte) error {
	if n == 0 {
		if err := strict(line, &j.header); err != nil {
			return err
		}
		if err := j.header.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrJournal, err)
		}
		return nil
	}
	var c Card
	if err := strict(line, &c); err != nil {
		return err
	}
	if err := j.mayCount(c); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	j.cards = append(j.cards, c)
	return nil
}

func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return nil
}

// Count adds a card. When it returns nil the card is on disk. ErrCounted and ErrDone change nothing.
func (j *Journal) Count(c Card) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.mayCount(c); err != nil {
		return err
	}
	if err := j.append(c); err != nil {
		return err
	}
	j.cards = append(j.cards, c)
	return nil
}

// Counted says that the card is in the journal.
func (j *Journal) Counted(cuid string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.has(cuid)
}

func (j *Journal) has(cuid string) bool {
	return slices.ContainsFunc(j.cards, func(c Card) bool { return c.CUID == cuid })
}

func (j *Journal) mayCount(c Card) error {
	switch {
	case c.CUID == "" || len(c.CUID) > 64:
		return errors.New("a card without a CUID can't be told from others, and is not counted")
	case len(c.Moduli) > maxModuli || len(j.cards) >= maxCards:
		return errors.New("more than a journal holds")
	case j.has(c.CUID):
		return ErrCounted
	case j.verdict() != sampling.Open:
		return ErrDone
	}
	return nil
}

// append writes one line, and waits until it is on disk.
func (j *Journal) append(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) >= maxLine {
		return fmt.Errorf("entry of %d bytes, at most %d", len(b), maxLine-1)
	}
	if _, err := j.file.Write(append(b, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

// Header is what is inspected.
func (j *Journal) Header() Header { return j.header }

// Cards lists the cards so far, in the order in which they were counted.
func (j *Journal) Cards() []Card {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.cards)
}

// State is how far the inspection is: cards looked at, those that were bad, and the verdict.
func (j *Journal) State() (looked, bad int, verdict sampling.Verdict) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.cards), j.bad(), j.verdict()
}

func (j *Journal) bad() int {
	n := 0
	for _, c := range j.cards {
		if c.Bad {
			n++
		}
	}
	return n
}

func (j *Journal) verdict() sampling.Verdict { return j.header.Plan.Judge(len(j.cards), j.bad()) }

// Close gives the file back.
func (j *Journal) Close() error { return j.file.Close() }
