package cardprofile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Verdict on a field, or on a card.
type Verdict string

// Verdicts, by weight.
const (
	Match      Verdict = "MATCH"      // as cards of one stock are
	Warn       Verdict = "WARN"       // as cards of one stock seldom are: look at it
	Suspicious Verdict = "SUSPICIOUS" // not the same stock
)

var weights = map[Verdict]int{Match: 0, Warn: 1, Suspicious: 2}

// Class is how much a field may differ between cards of one stock.
type Class string

// Classes.
const (
	Exact    Class = "exact"    // not at all
	Lot      Class = "lot"      // from lot to lot: dates, batches, equipment
	Own      Class = "own"      // each card has its own; the same value means the same card, or a copy
	Free     Class = "free"     // from card to card, and the same for some
	Size     Class = "size"     // memory: by a little
	Duration Class = "duration" // times: by more, and only where reader and protocol are the same
)

// own, lot and free name the fields of those classes, size the beginnings of theirs. All others are
// exact.
var (
	own = []string{"cuid", "kdd", "cplc.IC serial number"}
	lot = []string{
		"cplc.IC fabrication date", "cplc.module fabricator", "cplc.module packaging date",
		"cplc.IC manufacturer", "cplc.IC embedding date", "cplc.pre-personalizer",
		"cplc.pre-personalization date", "cplc.pre-personalization equipment", "cplc.personalizer",
		"cplc.personalization date",
	}
	free = []string{"cplc.IC batch", "cplc.personalization equipment"}
	size = []string{"memory."}
)

// ClassOf gives a field's class.
func ClassOf(field string) Class {
	switch {
	case slices.Contains(own, field):
		return Own
	case slices.Contains(lot, field):
		return Lot
	case slices.Contains(free, field):
		return Free
	case slices.ContainsFunc(size, func(p string) bool { return strings.HasPrefix(field, p) }):
		return Size
	}
	return Exact
}

// Bounds by which sizes and times may differ, as shares of the reference, and the fewest samples that a
// time is judged by.
const (
	sizeMatch, sizeWarn = 0.02, 0.10
	timeMatch, timeWarn = 0.20, 0.50
	fewest              = 10
	// keyFactor widens the bounds of making RSA keys: the search for primes is luck.
	keyFactor = 3
	// slack is how far medians may lie apart in any case, in microseconds: readers and hosts are no
	// better than that.
	slack = 1000
)

// Finding is what one field or operation tells.
type Finding struct {
	Name      string  `json:"name"`
	Class     Class   `json:"class"`
	Reference string  `json:"reference"`
	Card      string  `json:"card"`
	Verdict   Verdict `json:"verdict"`
	Why       string  `json:"why,omitempty"`
}

// Comparison is what a whole card tells.
type Comparison struct {
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings"`
}

// Compare holds a card against a reference. The findings come the weightiest first.
func Compare(reference, card Profile) Comparison {
	c := Comparison{Verdict: Match}
	for _, name := range names(reference.Fields, card.Fields) {
		c.add(field(name, reference.Fields, card.Fields))
	}
	if reference.Reader == card.Reader && reference.Protocol == card.Protocol {
		for _, name := range names(reference.Times, card.Times) {
			c.add(duration(name, reference.Times, card.Times))
		}
	}
	slices.SortStableFunc(c.Findings, func(a, b Finding) int {
		return cmp.Compare(weights[b.Verdict], weights[a.Verdict])
	})
	return c
}

func (c *Comparison) add(f Finding) {
	c.Findings = append(c.Findings, f)
	if weights[f.Verdict] > weights[c.Verdict] {
		c.Verdict = f.Verdict
	}
}

func field(name string, reference, card map[string]string) Finding {
	a, inA := reference[name]
	b, inB := card[name]
	f := Finding{Name: name, Class: ClassOf(name), Reference: a, Card: b, Verdict: Match}
	switch {
	case !inA:
		f.Verdict, f.Why = Suspicious, "the reference has none"
	case !inB:
		f.Verdict, f.Why = Suspicious, "the card has none"
	case f.Class == Own && a == b:
		f.Verdict, f.Why = Suspicious, "the same card, or a copy of it"
	case f.Class == Lot && a != b:
		f.Verdict, f.Why = Warn, "another lot"
	case f.Class == Exact && a != b:
		f.Verdict, f.Why = Suspicious, "differs"
	case f.Class == Size:
		f.Verdict, f.Why = sizes(a, b)
	}
	return f
}

func sizes(a, b string) (Verdict, string) {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		if a == b {
			return Match, ""
		}
		return Suspicious, "no number"
	}
	return within(x, y, sizeMatch, sizeWarn)
}

func duration(name string, reference, card map[string][]int64) Finding {
	a, b := QuantilesOf(reference[name]), QuantilesOf(card[name])
	f := Finding{
		Name: name, Class: Duration, Reference: median(a), Card: median(b), Verdict: Match,
	}
	switch {
	case a.N == 0:
		f.Verdict, f.Why = Warn, "the reference has not measured it"
	case b.N == 0:
		f.Verdict, f.Why = Warn, "the card was not measured"
	case min(a.N, b.N) < fewest:
		f.Why = fmt.Sprintf("fewer than %d samples: not judged", fewest)
	case max(a.P50, b.P50)-min(a.P50, b.P50) <= slack:
	default:
		wider := 1.0
		if strings.Contains(name, "RSA") && strings.Contains(name, "generate") {
			wider = keyFactor
		}
		f.Verdict, f.Why = within(float64(a.P50), float64(b.P50), timeMatch*wider, timeWarn*wider)
	}
	return f
}

func median(q Quantiles) string {
	if q.N == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(q.P50)/1000, 'f', 3, 64) + " ms"
}

// within judges y by its distance from x, in shares of the smaller of both: what is half as quick is
// as odd as what is twice as quick.
func within(x, y, match, warn float64) (Verdict, string) {
	if x == y {
		return Match, ""
	}
	least := math.Min(x, y)
	if least <= 0 {
		return Suspicious, "one is nothing"
	}
	off := math.Max(x, y)/least - 1
	why := fmt.Sprintf("%+.0f %%", (y/x-1)*100)
	switch {
	case off <= match:
		return Match, ""
	case off <= warn:
		return Warn, why
	}
	return Suspicious, why
}
