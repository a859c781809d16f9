package sampling

import (
	"errors"
	"fmt"
	"strings"
)

// Series is a supplier's run of lots of one kind of card, and the switching rules' memory of it
// (9.3). The zero value is a new series. It may be kept as JSON.
type Series struct {
	Severity Severity `json:"severity"`
	// Score is the switching score (9.3.3.2); from 30 on, reduced inspection may be asked for.
	Score int `json:"score"`
	// Recent are the verdicts of the last lots under the present severity, at most 5, true for accepted.
	Recent []bool `json:"recent,omitempty"`
	// Refused counts the lots not accepted since tightened inspection began.
	Refused int `json:"refused,omitempty"`
	// Stopped: five lots were refused under tightened inspection. The supplier has to mend what is
	// wrong before Resume (9.4).
	Stopped bool `json:"stopped,omitempty"`
}

// Bounds of the switching rules.
const (
	recentLots    = 5
	refusedNormal = 2  // of 5 lots or fewer: normal to tightened (9.3.1)
	refusedStop   = 5  // under tightened inspection: no more lots are taken (9.4)
	scoreReduced  = 30 // normal to reduced (9.3.3)
)

// Errors of a series.
var (
	// ErrStopped: inspection was discontinued, and no lot is taken before Resume.
	ErrStopped = errors.New("inspection is discontinued until the supplier has mended the cause")
	// ErrNotReduced: the switching score does not allow reduced inspection.
	ErrNotReduced = errors.New("reduced inspection is not allowed yet")
)

// Add takes the verdict of the next lot, presented for the first time. bad is the number of nonconforming
// cards in the whole sample. It changes the severity of the lots to come.
func (s *Series) Add(p Plan, aql AQL, bad int) error {
	if s.Stopped {
		return ErrStopped
	}
	if p.Severity != s.Severity {
		return fmt.Errorf("%w: %s plan in a series under %s inspection", ErrPlan, p.Severity, s.Severity)
	}
	accepted := bad <= p.Accept
	s.Recent = append(s.Recent, accepted)
	if len(s.Recent) > recentLots {
		s.Recent = s.Recent[len(s.Recent)-recentLots:]
	}
	switch s.Severity {
	case Normal:
		s.addNormal(p, aql, bad)
	case Tightened:
		s.addTightened(accepted)
	case Reduced:
		if !accepted {
			s.change(Normal)
		}
	}
	return nil
}

func (s *Series) addNormal(p Plan, aql AQL, bad int) {
	if count(s.Recent, false) >= refusedNormal {
		s.change(Tightened)
		return
	}
	if p.Accept < 2 {
		s.score(bad <= p.Accept, 2)
		return
	}
	// had the limit been one step tighter, would the lot have been accepted?
	_, accept := tables[Normal].follow(strings.Index(letters, p.Letter), int(max(aql-1, 0)))
	s.score(bad <= accept, 3)
}

func (s *Series) score(good bool, points int) {
	if good {
		s.Score += points
	} else {
		s.Score = 0
	}
}

func (s *Series) addTightened(accepted bool) {
	switch {
	case !accepted:
		if s.Refused++; s.Refused >= refusedStop {
			s.Stopped = true
		}
	case len(s.Recent) == recentLots && count(s.Recent, false) == 0:
		s.change(Normal)
	}
}

// MayReduce says that the switching score allows reduced inspection. It also takes a steady production
// and the consent of whoever is responsible (9.3.3.1), which no program knows.
func (s *Series) MayReduce() bool { return s.Severity == Normal && s.Score >= scoreReduced }

// Reduce begins reduced inspection.
func (s *Series) Reduce() error {
	if !s.MayReduce() {
		return fmt.Errorf("%w: %s inspection, switching score %d of %d",
			ErrNotReduced, s.Severity, s.Score, scoreReduced)
	}
	s.change(Reduced)
	return nil
}

// Irregular goes back from reduced to normal inspection, as production has become irregular (9.3.4).
func (s *Series) Irregular() {
	if s.Severity == Reduced {
		s.change(Normal)
	}
}

// Resume takes lots again, under tightened inspection, after the supplier has mended the cause (9.4).
func (s *Series) Resume() {
	if s.Stopped {
		s.change(Tightened)
	}
}

func (s *Series) change(to Severity) { *s = Series{Severity: to} }

func count(list []bool, v bool) int {
	n := 0
	for _, x := range list {
		if x == v {
			n++
		}
	}
	return n
}
