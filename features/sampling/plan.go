package sampling

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Level is an inspection level: how the sample grows with the lot (ISO 2859-1, 10.1). II is usual.
type Level string

// levels are the columns of Table 1.
var levels = []Level{"S-1", "S-2", "S-3", "S-4", "I", "II", "III"}

// Severity is how strict an inspection is (9.3). Series changes it from lot to lot.
type Severity int

// Severities.
const (
	Normal Severity = iota
	Tightened
	Reduced
)

var severityNames = []string{"normal", "tightened", "reduced"}

// String names the severity as the standard does.
func (s Severity) String() string {
	if s < Normal || s > Reduced {
		return "Severity(" + strconv.Itoa(int(s)) + ")"
	}
	return severityNames[s]
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) {
	if s < Normal || s > Reduced {
		return nil, fmt.Errorf("%w: %s", ErrPlan, s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a severity's name.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityNames, string(text))
	if i < 0 {
		return fmt.Errorf("%w: severity %q", ErrPlan, text)
	}
	*s = Severity(i)
	return nil
}

// ErrPlan is a question that the tables have no answer to.
var ErrPlan = errors.New("no sampling plan")

// aqls are the acceptance quality limits, in percent nonconforming, as the standard writes them. Those
// above 10 count nonconformities per hundred items, which a card that passes or fails has none of.
var aqls = []string{
	"0.010", "0.015", "0.025", "0.040", "0.065", "0.10", "0.15", "0.25", "0.40", "0.65",
	"1.0", "1.5", "2.5", "4.0", "6.5", "10",
}

// AQL is an acceptance quality limit of the standard's series.
type AQL int

// ParseAQL reads a limit in percent, such as "0.65" or ".4".
func ParseAQL(text string) (AQL, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err == nil {
		for i, a := range aqls {
			if w, _ := strconv.ParseFloat(a, 64); w == v {
				return AQL(i), nil
			}
		}
	}
	return 0, fmt.Errorf("%w: AQL %q, the series is %s", ErrPlan, text, strings.Join(aqls, ", "))
}

// String is the limit in percent, as the standard writes it.
func (a AQL) String() string {
	if a < 0 || int(a) >= len(aqls) {
		return "AQL(" + strconv.Itoa(int(a)) + ")"
	}
	return aqls[a]
}

// Plan is what to do with one lot.
type Plan struct {
	LotSize  int      `json:"lotSize"`
	Letter   string   `json:"letter"` // of the plan used, behind the arrows of the table
	Severity Severity `json:"severity"`
	// Sample is the number of cards to look at: all of them where the table asks for more than there are.
	Sample int `json:"sample"`
	// Accept (Ac) bad cards are too few to refuse the lot, Reject (Re) are enough.
	Accept int `json:"accept"`
	Reject int `json:"reject"`
}

// New looks a plan up.
func New(lotSize int, level Level, aql AQL, severity Severity) (Plan, error) {
	column := slices.Index(levels, level)
	switch {
	case lotSize < 2:
		return Plan{}, fmt.Errorf("%w: lot of %d, at least 2 are one", ErrPlan, lotSize)
	case column < 0:
		return Plan{}, fmt.Errorf("%w: level %q, there are %v", ErrPlan, level, levels)
	case aql < 0 || int(aql) >= len(aqls):
		return Plan{}, fmt.Errorf("%w: %s", ErrPlan, aql)
	case severity < Normal || severity > Reduced:
		return Plan{}, fmt.Errorf("%w: %s", ErrPlan, severity)
	}
	t := &tables[severity]
	row, accept := t.follow(letterOf(lotSize, column), int(aql))
	return Plan{
		LotSize: lotSize, Letter: string(letters[row]), Severity: severity,
		Sample: min(t.sizes[row], lotSize), Accept: accept, Reject: accept + 1,
	}, nil
}

// Verdict on a lot, as far as its sample tells.
type Verdict int

// Verdicts.
const (
	Open Verdict = iota // cards are left to look at, and they matter
	Accepted
	Rejected
)

// Judge tells what looked cards of the sample, bad of them nonconforming, say of the lot. It is
// final as soon as the rest can't change it in the lot's disfavour or favour.
func (p Plan) Judge(looked, bad int) Verdict {
	switch {
	case bad >= p.Reject:
		return Rejected
	case looked >= p.Sample:
		return Accepted
	}
	return Open
}
