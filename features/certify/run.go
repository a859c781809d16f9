// Package certify runs the conformance catalogue on one card: it finds out which card it is, asks
// for consent, runs the cases that apply, puts back what they changed and makes the report. It must
// not know what any case does.
package certify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"tokenwright/features/capability"
	"tokenwright/features/catalogue"
	"tokenwright/features/evidence"
	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp/keys"
)

// Config says what to run on which card.
type Config struct {
	Source Source
	// Consent and Destroy are the CUID of the card whose owner allows changes that are taken back,
	// and such as cannot be. A card that the harness made itself needs neither.
	Consent, Destroy string
	// Only selects cases by identifier, group, file or tag; empty takes all but those apart.
	Only []string
	Seed int64
	// Strict tolerates nothing where a case is binding.
	Strict bool
	// Keys are the card's own; Set nil means that there are none.
	Keys bench.KeySource
	// LoadFile may be loaded to the card, nil where none may.
	LoadFile []byte
	Journal  Journal
	Tool     string
	Progress io.Writer // nil shows none
	// Announce is told who somebody's card is, before anything else is sent to it; nil leaves that
	// to Progress.
	Announce io.Writer
	// Declared are facts about the card that its vendor states; they stand over what is found out.
	Declared capability.Set
	Sink     io.Writer // gets the transcript as it grows; may be nil
	// StopAt, when not nil, ends the run behind the first result for which it is true.
	StopAt func(evidence.Result) bool
}

// Errors of a run that did not take place.
var (
	// ErrConsent means that consent was given for another card.
	ErrConsent = errors.New("consent was given for another card")
	// ErrUnfinished means that an earlier run was cut off, and nobody allowed to put the card back.
	ErrUnfinished = errors.New("an earlier run has changed this card and was cut off")
	// ErrSynthetic means that a load file made for virtual cards was to go to another one.
	ErrSynthetic = errors.New("the load file is a synthetic one, which goes to virtual cards alone")
	// ErrFact means that a fact was declared that no case asks for.
	ErrFact = errors.New("unknown fact about a card")
	// ErrNothing means that no case was selected.
	ErrNothing = errors.New("no case is selected")
)

// run is a run under way.
type run struct {
	Config
	cases    []bound
	bench    *bench.Bench
	recorder *evidence.Recorder
	results  []evidence.Result
	stopped  bool
	touched  bool // a case that changes the card was played on it
	keep     bool // the load file may stay behind the case under way
}

// Run runs what the configuration selects. The report is there even when the run was interrupted; an
// error without one means that nothing was judged.
func Run(ctx context.Context, c Config) (*evidence.Report, error) {
	r := &run{Config: c, recorder: evidence.NewRecorder(c.Sink)}
	if r.Progress == nil {
		r.Progress = io.Discard
	}
	all, err := loaded()
	if err != nil {
		return nil, err
	}
	for name := range c.Declared {
		if _, ok := capability.Known[name]; !ok {
			return nil, fmt.Errorf("%w: %q; there are %s", ErrFact, name, strings.Join(capability.Names(), ", "))
		}
	}
	if err := r.choose(all); err != nil {
		return nil, err
	}
	header, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	r.perform(ctx)
	restored := r.finish(ctx)
	cases := make([]catalogue.Case, len(r.cases))
	for i, c := range r.cases {
		cases[i] = c.Case
	}
	report := evidence.Finish(header, r.bench.Facts, cases, r.results, r.recorder)
	report.Took = time.Since(began).Microseconds()
	if restored != nil {
		report.Remarks = append(report.Remarks, restored.Error())
	}
	return report, errors.Join(restored, r.recorder.Err())
}

// choose keeps the cases that are selected, in the order of the catalogue.
func (r *run) choose(all []bound) error {
	for _, c := range all {
		if selected(c.Case, r.Only) {
			r.cases = append(r.cases, c)
		}
	}
	if len(r.cases) == 0 {
		return fmt.Errorf("%w by %s", ErrNothing, strings.Join(r.Only, ", "))
	}
	return nil
}

func selected(c catalogue.Case, only []string) bool {
	for _, word := range only {
		if c.Matches(word) {
			return true
		}
	}
	return len(only) == 0 && !c.Apart
}

// prepare identifies the card, holds the consent against it and finds out what the card can do.
func (r *run) prepare(ctx context.Context) (evidence.Header, error) {
	dev, err := r.Source.Open(ctx)
	if err != nil {
		return evidence.Header{}, err
	}
	failures := &counter{journal: r.Journal}
	link := bench.NewLink(dev, r.recorder, false, failures.set)
	r.bench = bench.New(link, uint64(r.Seed))
	if err := r.bench.Identify(ctx); err != nil {
		return evidence.Header{}, fmt.Errorf("identifying the card: %w", err)
	}
	cuid := r.bench.CUID.String()
	header := evidence.Header{
		Schema: evidence.Schema, Tool: r.Tool, Started: r.recorder.Begun().UTC(), Card: r.Source.Name(),
		Reader: r.Source.Reader(), ATR: fmt.Sprintf("%X", link.ATR()), CUID: cuid, Seed: r.Seed,
	}
	shown := r.Progress
	if r.Announce != nil && r.Source.Foreign() {
		shown = r.Announce
	}
	fmt.Fprintf(shown, "Card under test: %s (%s)\nCUID %s, ATR %s, seed %d\n",
		header.Card, header.Reader, header.CUID, header.ATR, header.Seed)
	for _, consent := range []string{r.Consent, r.Destroy} {
		if consent != "" && !strings.EqualFold(consent, cuid) {
			return header, fmt.Errorf("%w: it is for %s, and the card is %s", ErrConsent, consent, cuid)
		}
	}
	if r.Source.Foreign() && synthetic(r.LoadFile) && !virtual(link.ATR()) {
		return header, ErrSynthetic
	}
	link.Identified()
	r.recorder.Add(evidence.Record{Kind: evidence.KindHeader, Header: &header})
	return header, r.discover(ctx, failures, link)
}

// synthetic tells the load files that are made for virtual cards: they hold a component of their own
// under this name.
func synthetic(file []byte) bool { return bytes.Contains(file, []byte("TW-BUILD")) }

// virtual tells the answers to reset of virtual cards.
func virtual(atr []byte) bool { return bytes.Contains(atr, []byte("TW-")) }

// discover finds out what the card can do and what it holds.
func (r *run) discover(ctx context.Context, failures *counter, link *bench.Link) error {
	b := r.bench
	b.Base, b.LoadFile = r.Keys, r.LoadFile
	b.Known = bench.TestKeys()
	b.Spare, b.SpareAt = r.spare, r.spareAt
	n, err := failures.open(b.CUID)
	if err != nil {
		return err
	}
	link.Failed(n)
	if err := r.patiently(ctx, func() error { return b.Discover(ctx) }); err != nil {
		return err
	}
	b.Facts["virtual"] = fmt.Sprint(!r.Source.Foreign())
	b.Facts["t"] = "1"
	if strings.Contains(r.Source.Reader(), "T=0") {
		b.Facts["t"] = "0"
	}
	again, err := r.recover(ctx)
	if err == nil && again {
		err = b.Discover(ctx) // what was found out was of the card as it had been left
	}
	if err != nil {
		return err
	}
	maps.Copy(b.Facts, r.Declared)
	_, err = b.Baseline(ctx)
	return err
}

// allowed says why a case is left out on this card, "" when it may run.
func (r *run) allowed(c catalogue.Case) string {
	foreign := r.Source.Foreign()
	final := c.Risk == catalogue.Irreversible || c.Keys && r.bench.Facts["replaceable"] != "true"
	switch {
	case !foreign:
		return ""
	case final && r.Destroy == "":
		return "what it changes cannot be put back, and nobody allowed that (--consent-destroy)"
	case c.Risk != catalogue.None && r.Consent == "" && r.Destroy == "":
		return fmt.Sprintf("it %s, and the owner has not consented (--consent)", c.Risk)
	}
	return ""
}

// spare makes the bench of a card that may be used up. Facts and keys are those of the first one.
func (r *run) spare(ctx context.Context) (*bench.Bench, error) {
	dev, err := r.Source.Spare(ctx)
	if err != nil {
		return nil, err
	}
	return r.sibling(dev), nil
}

// spareAt makes the bench of a card with a chosen sequence counter.
func (r *run) spareAt(ctx context.Context, counter []byte) (*bench.Bench, error) {
	s, ok := r.Source.(interface {
		SpareAt(ctx context.Context, counter []byte) (bench.Device, error)
	})
	if !ok {
		return nil, ErrNoSpare
	}
	dev, err := s.SpareAt(ctx, counter)
	if err != nil {
		return nil, err
	}
	return r.sibling(dev), nil
}

// sibling is the bench of another card of the same kind.
func (r *run) sibling(dev bench.Device) *bench.Bench {
	b := bench.New(bench.NewLink(dev, r.recorder, true, nil), uint64(r.Seed)+1)
	b.Identified()
	main := r.bench
	b.Facts, b.Base, b.Known, b.Variant = main.Facts, main.Base, main.Known, main.Variant
	b.Tagged, b.ISD, b.CPLC, b.CUID, b.KDD = main.Tagged, main.ISD, main.CPLC, main.CUID, main.KDD
	b.LoadFile, b.Spare, b.SpareAt = main.LoadFile, main.Spare, main.SpareAt
	return b
}

// counter keeps the failed authentications of a card in the journal.
type counter struct {
	journal Journal
	cuid    keys.CUID
	ready   bool
}

func (c *counter) open(id keys.CUID) (int, error) {
	c.cuid, c.ready = id, true
	if c.journal == nil {
		return 0, nil
	}
	e, err := c.journal.Load(id)
	return e.Failures, err
}

func (c *counter) set(n int) error {
	if c.journal == nil || !c.ready {
		return nil
	}
	e, err := c.journal.Load(c.cuid)
	if err != nil {
		return err
	}
	e.Failures = n
	return c.journal.Save(c.cuid, e)
}

// Refused says whether a run did not take place, or ended early, to protect the card or its owner.
func Refused(err error) bool {
	for _, rule := range []error{ErrConsent, bench.ErrIdentify, bench.ErrUnproven, bench.ErrBudget, ErrUnfinished,
		ErrSynthetic} {
		if errors.Is(err, rule) {
			return true
		}
	}
	return false
}
