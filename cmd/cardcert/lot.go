package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenwright/features/lot"
	"tokenwright/features/sampling"
)

// lotFlags are the flags of lot.
type lotFlags struct {
	runFlags
	size             int
	aql, level       string
	severity, name   string
	journal, reports string
	readers          []string
	consents, dead   string
	series           string
	jobs             int
}

func lotCommand() *cobra.Command {
	var f lotFlags
	cmd := &cobra.Command{
		Use:   "lot --size N --aql PERCENT --level LEVEL [--journal FILE [--reader NAME]...]",
		Short: "Accept or reject a lot by a sample of its cards (ISO 2859-1)",
		Long: `Plans the sample by ISO 2859-1:1999, single sampling, and takes it: each card that is put
into one of the readers is identified, runs the catalogue and counts once, good or bad. The
lot is accepted or rejected as soon as the numbers say so.

Without --journal only the plan is shown. The journal keeps what was found: an inspection
that was interrupted goes on with the same command. The plan is the journal's then.

A card fails when a case failed on it. One that could not be judged does not count the
first time; put it in again. A card that cannot be identified at all is counted as bad by
--dead with a label of your own. --consents names a file with the CUIDs, one a line, of
cards that the owner lets be changed; on the others only harmless cases run.

--severity is what the switching rules ask for now; after each lot the command says what
they ask for next, if --series names the file that keeps the supplier's record.`,
		Example: `  cardcert lot --size 10000 --aql 0.65 --level II
  cardcert lot --size 10000 --aql 0.65 --level II --journal box7.jsonl \
      --reader "Reader 00 00" --reader "Reader 01 00" --stock gp211-scp02`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.lot(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	fl := cmd.Flags()
	f.registerCommon(fl)
	fl.StringArrayVar(&f.readers, "reader", nil, "reader that cards are put into; may be repeated")
	fl.IntVar(&f.size, "size", 0, "cards in the lot")
	fl.StringVar(&f.aql, "aql", "0.65", "acceptance quality limit, percent nonconforming")
	fl.StringVar(&f.level, "level", "II", "inspection level: S-1 to S-4, I, II, III")
	fl.StringVar(&f.severity, "severity", "", "normal, tightened or reduced; what --series says, or normal")
	fl.StringVar(&f.name, "name", "", "what the lot is called")
	fl.StringVar(&f.journal, "journal", "", "`file` that keeps the inspection")
	fl.StringVar(&f.series, "series", "", "`file` that keeps the supplier's lots for the switching rules")
	fl.StringVar(&f.reports, "reports", "", "write each card's report to a folder of its own below this `folder`")
	fl.StringVar(&f.sign, "sign", "", "seal the reports with this private key")
	fl.StringVar(&f.consents, "consents", "", "`file` with the CUIDs of cards that may be changed")
	fl.StringVar(&f.dead, "dead", "", "count a card that cannot be identified, under this label, and end")
	fl.StringArrayVar(&f.only, "only", nil, "cases: SEL-01, SEL, a tag or a feature; may be repeated")
	fl.IntVar(&f.jobs, "jobs", 2, "virtual cards at a time")
	return cmd
}

func (f *lotFlags) lot(ctx context.Context, in io.Reader, out io.Writer) error {
	if f.journal == "" {
		h, err := f.header()
		if err != nil {
			return usageError{err}
		}
		showPlan(out, h)
		return nil
	}
	if err := checkKey(f.sign, f.reports, "reports"); err != nil {
		return usageError{err}
	}
	j, err := f.open()
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = j.Close() }()
	showPlan(out, j.Header())
	if f.dead != "" {
		return errors.Join(j.Count(lot.Card{
			CUID: "dead:" + f.dead, Bad: true, Why: []string{"it could not be identified"}, Counted: time.Now().UTC(),
		}), showState(out, j))
	}
	if len(f.readers) > 0 || f.sim != "" {
		if err := f.inspect(ctx, in, out, j); err != nil {
			return err
		}
	}
	return f.conclude(out, j)
}

// header makes the plan that the flags ask for.
func (f *lotFlags) header() (lot.Header, error) {
	aql, err := sampling.ParseAQL(f.aql)
	if err != nil {
		return lot.Header{}, err
	}
	severity, err := f.due()
	if err != nil {
		return lot.Header{}, err
	}
	plan, err := sampling.New(f.size, sampling.Level(f.level), aql, severity)
	return lot.Header{
		Schema: lot.Schema, Name: f.name, AQL: aql.String(), Level: f.level, Plan: plan,
		Started: time.Now().UTC().Truncate(time.Second),
	}, err
}

// open goes on with the journal, or starts it. Flags that say something else than it does are refused.
func (f *lotFlags) open() (*lot.Journal, error) {
	j, err := lot.Open(f.journal)
	if errors.Is(err, os.ErrNotExist) {
		h, err := f.header()
		if err != nil {
			return nil, err
		}
		return lot.Create(f.journal, h)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.journal, err)
	}
	if size := j.Header().Plan.LotSize; f.size != 0 && f.size != size {
		return nil, errors.Join(fmt.Errorf("the journal is of a lot of %d cards", size), j.Close())
	}
	return j, nil
}

func showPlan(out io.Writer, h lot.Header) {
	p := h.Plan
	if h.Name != "" {
		_, _ = fmt.Fprintf(out, "lot       %s\n", h.Name)
	}
	_, _ = fmt.Fprintf(out, "lot size  %d\nplan      AQL %s %%, level %s, %s inspection, code letter %s\n"+
		"sample    n = %d cards\naccept    Ac = %d bad cards or fewer\nreject    Re = %d or more\n",
		p.LotSize, h.AQL, h.Level, p.Severity, p.Letter, p.Sample, p.Accept, p.Reject)
}

func showState(out io.Writer, j *lot.Journal) error {
	looked, bad, verdict := j.State()
	p := j.Header().Plan
	_, _ = fmt.Fprintf(out, "so far    %d of %d cards, %d bad\n", looked, p.Sample, bad)
	for _, c := range j.Cards() {
		if c.Bad {
			_, _ = fmt.Fprintf(out, "          %s: %s\n", c.CUID, strings.Join(c.Why, "; "))
		}
	}
	findings, err := lot.Keys(j.Cards())
	if err != nil {
		return err
	}
	for _, f := range findings {
		_, _ = fmt.Fprintf(out, "keys      %s\n", f)
	}
	switch {
	case verdict == sampling.Rejected:
		_, _ = fmt.Fprintf(out, "verdict   REJECTED: %d bad cards, Re = %d\n", bad, p.Reject)
		return lotOutcome{exitFailed, "the lot is rejected"}
	case len(findings) > 0:
		_, _ = fmt.Fprintln(out, "verdict   REJECTED: the cards make keys that can be broken")
		return lotOutcome{exitFailed, "the lot is rejected"}
	case verdict == sampling.Accepted:
		_, _ = fmt.Fprintf(out, "verdict   ACCEPTED: %d bad cards of %d, Ac = %d\n", bad, looked, p.Accept)
		return nil
	}
	_, _ = fmt.Fprintln(out, "verdict   open: go on with the same command")
	return lotOutcome{exitInconclusive, "the sample is not complete"}
}

// lotOutcome is an inspection that did not end with an accepted lot.
type lotOutcome struct {
	exit int
	why  string
}

func (l lotOutcome) Error() string { return l.why }

func (l lotOutcome) code() int { return l.exit }
