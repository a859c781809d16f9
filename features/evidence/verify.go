package evidence

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"tokenwright/features/capability"
	"tokenwright/features/verdict"
)

// ErrVerdict is given for a report whose verdicts do not follow from its transcript.
var ErrVerdict = errors.New("report: what it says does not follow from its transcript")

// Verify holds a report against its own transcript: the chain of hashes is whole, every result is what
// the judge makes of the recorded inputs, every recorded status word is the one on the wire, and the
// numbers at the head count what is there. Who made the report is not its matter: a signature says.
func (r *Report) Verify() error {
	if err := VerifyChain(r.Transcript, r.Root); err != nil {
		return err
	}
	if err := r.verifyHeader(); err != nil {
		return fmt.Errorf("%w: %w", ErrVerdict, err)
	}
	counts, at := map[verdict.Verdict]int{}, 0
	for _, v := range verdict.All() {
		counts[v] = 0
	}
	for _, res := range r.Results {
		if res.First <= at || r.Records(res) == nil {
			return fmt.Errorf("%w: case %s has no records of its own", ErrVerdict, res.ID)
		}
		at = res.Last
		if err := r.verifyResult(res); err != nil {
			return fmt.Errorf("%w: case %s: %w", ErrVerdict, res.ID, err)
		}
		counts[res.Finding.Verdict]++
	}
	judged := 0
	for _, rec := range r.Transcript {
		if rec.Kind == KindVerdict {
			judged++
		}
	}
	if judged != len(r.Results) {
		return fmt.Errorf("%w: it has %d cases, and its transcript %d", ErrVerdict, len(r.Results), judged)
	}
	if !maps.Equal(counts, r.Counts) {
		return fmt.Errorf("%w: its summary counts other verdicts", ErrVerdict)
	}
	return r.verifyTotals()
}

// verifyHeader wants the header of the transcript, and no other.
func (r *Report) verifyHeader() error {
	found := 0
	for _, rec := range r.Transcript {
		if rec.Kind != KindHeader {
			continue
		}
		found++
		if rec.Header == nil || !rec.Header.Started.Equal(r.Header.Started) {
			return errors.New("the header is another one")
		}
		inner, outer := *rec.Header, r.Header
		inner.Started = outer.Started // the same moment; time zones may be written in several ways
		if inner != outer {
			return errors.New("the header is another one")
		}
	}
	if found != 1 || r.Header.Schema != Schema {
		return fmt.Errorf("%d headers, want one", found)
	}
	if r.Disclaimer != Disclaimer {
		return errors.New("it does not say what it is not")
	}
	return nil
}

// verifyResult judges one case again.
func (r *Report) verifyResult(res Result) error {
	records := r.Records(res)
	if first := records[0]; first.Kind != KindCase || first.Text != res.Title {
		return errors.New("its records begin with another case")
	}
	last := records[len(records)-1]
	if last.Kind != KindVerdict || last.Input == nil || last.Finding == nil {
		return errors.New("its records end without a verdict")
	}
	in := *last.Input
	for _, rec := range records {
		if rec.Case != res.ID {
			return errors.New("it has records of another case")
		}
		if rec.Kind != KindCheck {
			continue
		}
		if rec.Check == nil {
			return errors.New("an input of the judge is missing")
		}
		if err := r.verifyWire(*rec.Check); err != nil {
			return err
		}
		in.Checks = append(in.Checks, *rec.Check)
	}
	switch {
	case in.Class != res.Class || in.Applies != res.Applies:
		return errors.New("it was judged as another kind of case")
	case !maps.Equal(capability.Restrict(in.Applies, r.Facts), in.Facts):
		return errors.New("it was judged by other facts")
	}
	finding := verdict.Judge(in)
	if !same(finding, *last.Finding) || !same(finding, res.Finding) {
		return fmt.Errorf("the verdict is %q by its inputs, and %q in the report", finding.Verdict, res.Finding.Verdict)
	}
	return nil
}

func same(a, b verdict.Finding) bool {
	return a.Verdict == b.Verdict && strings.Join(a.Reasons, "\n") == strings.Join(b.Reasons, "\n")
}

// verifyWire holds a status word against the exchange that it was taken from.
func (r *Report) verifyWire(c verdict.Check) error {
	if c.Kind != verdict.Status || c.Exchange == 0 {
		return nil
	}
	if c.Exchange < 1 || c.Exchange > len(r.Transcript) || r.Transcript[c.Exchange-1].Kind != KindExchange {
		return fmt.Errorf("%s: there is no exchange %d", c.Subject, c.Exchange)
	}
	resp := r.Transcript[c.Exchange-1].Resp
	if len(c.Got) != 1 || len(c.Got[0]) != 4 || !strings.HasSuffix(resp, c.Got[0]) {
		return fmt.Errorf("%s: another status word came in exchange %d", c.Subject, c.Exchange)
	}
	return nil
}

// verifyTotals counts the exchanges.
func (r *Report) verifyTotals() error {
	n, took := 0, int64(0)
	for _, x := range r.Transcript {
		if x.Kind == KindExchange {
			n++
			took += x.Took
		}
	}
	if n != r.Exchanges || took != r.CardTook {
		return fmt.Errorf("%w: it counts other exchanges", ErrVerdict)
	}
	return nil
}
