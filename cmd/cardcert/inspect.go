package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tokenwright/features/certify"
	"tokenwright/features/evidence"
	"tokenwright/features/lot"
	"tokenwright/features/sampling"
	"tokenwright/features/verdict"
	"tokenwright/tms/esc/pcsc"
)

// attempts is how often a card may end without a verdict before it counts as bad.
const attempts = 2

// inspection is a sample being taken.
type inspection struct {
	flags    *lotFlags
	journal  *lot.Journal
	consents []string
	keys     []byte

	mu    sync.Mutex
	out   io.Writer
	tries map[string]int
	next  int64 // of virtual cards
}

// inspect takes the sample, in all readers at a time, until the lot has its verdict.
func (f *lotFlags) inspect(ctx context.Context, in io.Reader, out io.Writer, j *lot.Journal) error {
	i := &inspection{flags: f, journal: j, out: out, tries: map[string]int{}, next: int64(len(j.Cards()))}
	if err := i.prepare(in); err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	places := f.readers
	if f.sim != "" {
		places = make([]string, max(1, f.jobs))
	}
	var work sync.WaitGroup
	errs := make([]error, len(places))
	for n, place := range places {
		work.Go(func() {
			for ctx.Err() == nil && errs[n] == nil && i.open() {
				errs[n] = i.one(ctx, place)
			}
			if !i.open() || errs[n] != nil {
				cancel() // those who wait for a card wait for nothing
			}
		})
	}
	work.Wait()
	if !i.open() {
		return nil
	}
	return errors.Join(errs...)
}

// prepare reads what all cards share.
func (i *inspection) prepare(in io.Reader) error {
	f := i.flags
	if (f.sim == "") == (len(f.readers) == 0) {
		return errors.New("give either --sim or --reader")
	}
	if f.keys != "" {
		if f.keys != "-" {
			file, err := os.Open(f.keys)
			if err != nil {
				return err
			}
			defer file.Close()
			in = file
		}
		var err error
		if i.keys, err = io.ReadAll(io.LimitReader(in, 1<<16)); err != nil {
			return err
		}
		f.keys = "-"
	}
	if err := knownReaders(f.readers); err != nil || f.consents == "" {
		return err
	}
	b, err := os.ReadFile(f.consents)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		i.consents = append(i.consents, strings.ToUpper(strings.TrimSpace(lines.Text())))
	}
	return lines.Err()
}

func (i *inspection) open() bool {
	_, _, v := i.journal.State()
	return v == sampling.Open
}

// one takes one card: waits for it, judges and counts it, and waits until it is out.
func (i *inspection) one(ctx context.Context, reader string) error {
	if reader != "" {
		i.say(reader, "put in a card")
		if err := waitCard(ctx, reader, true); err != nil {
			return err
		}
	}
	if err := i.judge(ctx, reader); err != nil {
		return err
	}
	if reader == "" {
		return nil
	}
	i.say(reader, "take the card out")
	return waitCard(ctx, reader, false)
}

func (i *inspection) judge(ctx context.Context, reader string) error {
	conf, err := i.config(reader)
	if err != nil {
		return err
	}
	cuid, err := certify.Identify(ctx, conf.Source)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		i.say(reader, "this card cannot be identified (%v): set it aside, and count it by --dead LABEL", err)
		return nil
	case i.journal.Counted(cuid):
		i.say(reader, "card %s was counted already", cuid)
		return nil
	}
	if slices.Contains(i.consents, cuid) {
		conf.Consent = cuid
	}
	report, err := certify.Run(ctx, conf)
	err = errors.Join(err, conf.Source.Close())
	if report == nil || ctx.Err() != nil {
		i.say(reader, "card %s: %v", cuid, err)
		return ctx.Err()
	}
	return i.count(reader, report, err)
}

// config makes a card's own configuration.
func (i *inspection) config(reader string) (certify.Config, error) {
	f := i.flags.runFlags
	f.reader = reader
	if f.sim != "" {
		i.mu.Lock()
		i.next++
		f.seed = f.seed*1_000_000 + i.next
		i.mu.Unlock()
	}
	return f.config(bytes.NewReader(i.keys))
}

// count adds the card that the report is of: it may be another one than was identified before. failed is
// why the run did not end as it should.
func (i *inspection) count(reader string, r *evidence.Report, failed error) error {
	cuid := r.Header.CUID
	card := lot.Card{CUID: cuid, Report: r.Root, Reader: reader, Counted: time.Now().UTC()}
	for _, res := range r.Results {
		if res.Finding.Verdict == verdict.Fail {
			card.Bad = true
			card.Why = append(card.Why, res.ID)
		}
	}
	if open := r.Counts[verdict.Inconclusive]; (open > 0 || failed != nil) && !card.Bad {
		why := fmt.Sprintf("%d cases could not be judged", open)
		if failed != nil {
			why = failed.Error()
		}
		if i.again(cuid) {
			i.say(reader, "card %s: %s; put it in again", cuid, why)
			return nil
		}
		card.Bad, card.Why = true, []string{why}
	}
	if i.flags.reports != "" {
		if err := writeFolder(filepath.Join(i.flags.reports, cuid), i.flags.sign, r); err != nil {
			return err
		}
	}
	err := i.journal.Count(card)
	if errors.Is(err, lot.ErrCounted) || errors.Is(err, lot.ErrDone) {
		return nil
	}
	if err == nil {
		i.counted(card)
	}
	return err
}

// again says whether a card that could not be judged has another try.
func (i *inspection) again(cuid string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tries[cuid]++
	return i.tries[cuid] < attempts
}

func (i *inspection) counted(c lot.Card) {
	looked, bad, _ := i.journal.State()
	p := i.journal.Header().Plan
	how := "good"
	if c.Bad {
		how = "bad (" + strings.Join(c.Why, ", ") + ")"
	}
	if i.flags.quiet {
		return
	}
	i.say(c.Reader, "[%d/%d] %s %s; %d bad, Ac %d", looked, p.Sample, c.CUID, how, bad, p.Accept)
}

// say tells the operator something, about a reader if it is in one.
func (i *inspection) say(reader, format string, args ...any) {
	if reader != "" {
		reader += ": "
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	_, _ = fmt.Fprintf(i.out, "%s%s\n", reader, fmt.Sprintf(format, args...))
}

// knownReaders refuses readers that are not there: nobody waits for a card in one.
func knownReaders(names []string) error {
	if len(names) == 0 {
		return nil
	}
	there, err := pcsc.Readers()
	if err != nil {
		return err
	}
	for _, n := range names {
		if !slices.Contains(there, n) {
			return fmt.Errorf("there is no reader %q, only %q", n, there)
		}
	}
	return nil
}

// waitCard waits until the reader holds a card, or holds none.
func waitCard(ctx context.Context, reader string, present bool) error {
	states, err := pcsc.States()
	for {
		if err != nil {
			return err
		}
		for _, s := range states {
			if s.Name == reader && s.Card == present {
				return nil
			}
		}
		states, err = pcsc.WaitChange(ctx, states)
	}
}
