package certify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokenwright/features/capability"
	"tokenwright/features/catalogue"
	"tokenwright/features/evidence"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp/scp"
)

// perform runs the cases one after the other, in the order of the catalogue.
func (r *run) perform(ctx context.Context) {
	for i, c := range r.cases {
		if r.stopped {
			return
		}
		r.keep = r.fileNeeded(r.cases[i+1:])
		r.attempt(ctx, c)
	}
}

// fileNeeded says whether the next case that changes this card begins with the load file on it: then
// it may stay there. Loading is most of what a run sends.
func (r *run) fileNeeded(next []bound) bool {
	for _, c := range next {
		applies, err := capability.Eval(c.Applies, r.bench.Facts)
		if err != nil || !applies || r.allowed(c.Case) != "" || c.Risk != catalogue.Content || r.apart(c.Case) {
			continue
		}
		return len(c.Steps) > 0 && slices.ContainsFunc(setUps, func(text string) bool {
			_, step, _ := strings.Cut(c.Steps[0], " ")
			return strings.HasPrefix(step, text)
		})
	}
	return false
}

// setUps start the sentences that put the load file on the card unless it is there.
var setUps = []string{"the load file is on the card", "the applet is on the card", "instance ", "many applications"}

// apart says whether a case gets a card of its own, if there is one.
func (r *run) apart(c catalogue.Case) bool {
	return c.Risk == catalogue.Irreversible || c.Keys && r.bench.Facts["replaceable"] != "true"
}

// attempt runs a case and judges it.
func (r *run) attempt(ctx context.Context, c bound) {
	r.recorder.SetCase(c.ID)
	began := time.Now()
	first := r.recorder.Add(evidence.Record{Kind: evidence.KindCase, Text: c.Title})
	in := verdict.Input{
		Class: c.Class, Negative: c.Negative, Strict: r.Strict, Applies: c.Applies,
		Facts:   capability.Restrict(c.Applies, r.bench.Facts),
		LeftOut: r.allowed(c.Case),
	}
	applies, err := capability.Eval(c.Applies, r.bench.Facts)
	if applies && in.LeftOut == "" {
		in.Checks, err = r.play(ctx, c)
	}
	if err != nil {
		in.Broken = err.Error()
	}
	finding := verdict.Judge(in)
	in.Checks = nil // they stand before, each in a record of its own
	last := r.recorder.Add(evidence.Record{Kind: evidence.KindVerdict, Input: &in, Finding: &finding})
	r.recorder.SetCase("")
	res := evidence.NewResult(c.Case, finding)
	res.Took, res.First, res.Last = time.Since(began).Microseconds(), first, last
	r.results = append(r.results, res)
	r.show(res)
	r.stopped = r.stopped || r.StopAt != nil && r.StopAt(res)
}

// play runs the steps of a case on the card that it may have, and makes the card ready for the next.
func (r *run) play(ctx context.Context, c bound) ([]verdict.Check, error) {
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	b, err := r.benchFor(ctx, c.Case)
	if err != nil {
		return nil, fmt.Errorf("the case could not begin: %w", err)
	}
	r.touched = r.touched || b == r.bench && c.Risk != catalogue.None
	ctx, work := bench.Begin(ctx, b, c.Case, r.recorder)
	for _, s := range c.steps {
		if err = s.Run(ctx); err != nil {
			break
		}
	}
	if b == r.bench {
		if serr := r.settle(ctx, c.Case); serr != nil {
			r.recorder.Add(evidence.Record{Kind: evidence.KindNote, Text: serr.Error()})
			r.stopped = true
			fmt.Fprintf(r.Progress, "The run ends here: %v\n", serr)
			err = errors.Join(err, serr)
		}
	}
	return work.Checks, err
}

var errInterrupted = errors.New("the run was interrupted")

// benchFor gives the card for a case, in its initial state: the security domain selected, no channel.
func (r *run) benchFor(ctx context.Context, c catalogue.Case) (*bench.Bench, error) {
	b := r.bench
	if r.apart(c) {
		spare, err := r.spare(ctx)
		if err != nil && !errors.Is(err, ErrNoSpare) {
			return nil, err
		}
		if err == nil {
			b = spare
		}
	}
	if b.Broken() {
		if err := b.Reset(ctx); err != nil {
			return nil, err
		}
	}
	if b == r.bench && c.Risk == catalogue.Content {
		if err := r.intend(ctx); err != nil {
			return nil, err
		}
	}
	if c.Negative {
		if _, err := b.Baseline(ctx); err != nil {
			return nil, err
		}
	}
	_, err := b.SelectISD(ctx)
	return b, err
}

// settle puts an authentication that succeeds behind those that failed, and what a case has changed
// back to what it was. It goes on when the run is interrupted.
func (r *run) settle(ctx context.Context, c catalogue.Case) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	return r.patiently(ctx, func() error { return r.settled(ctx, c) })
}

// patience is how often something is tried with a card that stops answering on the way: some do so
// behind each DELETE.
const patience = 40

// patiently tries something again with the card reset, as long as it is the card's silence that ends it.
func (r *run) patiently(ctx context.Context, do func() error) error {
	var err error
	for range patience {
		if r.bench.Broken() {
			if err = r.bench.Reset(ctx); err != nil {
				continue
			}
		}
		if err = do(); err == nil || !r.bench.Broken() {
			return err
		}
	}
	return err
}

func (r *run) settled(ctx context.Context, c catalogue.Case) error {
	b := r.bench
	if b.Failures() > 0 {
		if _, err := b.SelectISD(ctx); err != nil {
			return err
		}
		if _, err := b.Open(ctx, 0, scp.CMAC); err != nil {
			return fmt.Errorf("the card does not authenticate any more after %s: %w", c.ID, err)
		}
	}
	if c.Risk != catalogue.None {
		return r.restore(ctx, r.keep)
	}
	return nil
}

// settleTime is what putting a card back may take; the slowest card needs more than a minute for one
// key.
const settleTime = 10 * time.Minute

func (r *run) show(res evidence.Result) {
	fmt.Fprintf(r.Progress, "[%3d/%d] %-7s %-19s %s\n", len(r.results), len(r.cases), res.ID,
		res.Finding.Verdict, res.Title)
	if res.Finding.Verdict == verdict.NotApplicable || res.Finding.Verdict == verdict.Pass {
		return
	}
	for _, why := range res.Finding.Reasons {
		fmt.Fprintf(r.Progress, "          %s\n", why)
	}
}
