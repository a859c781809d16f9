// Package verdict judges what conformance cases recorded of a card. Everything in it is a pure
// function of typed inputs that stand in the transcript beside the bytes, so that anybody can judge
// again from the transcript alone.
//
// It must not send anything, nor know what a command means.
package verdict

import (
	"fmt"

	"tokenwright/features/capability"
)

// Verdict is the outcome of a case.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"
	Deviation     Verdict = "pass with deviation"
	Fail          Verdict = "fail"
	Inconclusive  Verdict = "inconclusive"
	NotApplicable Verdict = "not applicable"
)

// All lists the verdicts, the gravest first.
func All() []Verdict { return []Verdict{Fail, Inconclusive, Deviation, Pass, NotApplicable} }

// Class says how binding a case is.
type Class string

// The classes of cases.
const (
	Must        Class = "must"        // the cited text says "shall"
	Conditional Class = "conditional" // binding for cards that have the capability
	Policy      Class = "policy"      // left to the card: recorded, never failed
	Beyond      Class = "beyond"      // outside the cited text: what token management needs
)

// Input is everything that a verdict on one case follows from.
type Input struct {
	Class    Class `json:"class"`
	Negative bool  `json:"negative,omitempty"`
	// Strict tolerates nothing where a case is binding: for cards that are to be exactly what their
	// makers meant, as virtual ones are.
	Strict bool `json:"strict,omitempty"`
	// Applies is the expression of applicability over Facts, those of the facts that it needs.
	Applies string         `json:"applies"`
	Facts   capability.Set `json:"facts,omitempty"`
	// LeftOut, when not empty, is why the case did not run although it applies.
	LeftOut string `json:"leftOut,omitempty"`
	// Broken, when not empty, is what kept the case from coming to its end.
	Broken string  `json:"broken,omitempty"`
	Checks []Check `json:"checks,omitempty"`
}

// Finding is a verdict with its reasons, the decisive ones alone.
type Finding struct {
	Verdict Verdict  `json:"verdict"`
	Reasons []string `json:"reasons,omitempty"`
}

// Judge gives the verdict. A case that did not run to its end is inconclusive unless something had
// failed before, and so is one that checked nothing, or a negative one without a look at the state
// afterwards.
func Judge(in Input) Finding {
	applies, err := capability.Eval(in.Applies, in.Facts)
	switch {
	case err != nil:
		return Finding{Inconclusive, []string{err.Error()}}
	case !applies:
		return Finding{NotApplicable, []string{"the case applies to cards with: " + in.Applies}}
	case in.LeftOut != "":
		return Finding{NotApplicable, []string{"left out: " + in.LeftOut}}
	}
	by, judged, probed := weigh(in.Checks)
	switch {
	case len(by[Fail]) > 0 && in.Class == Policy:
		return Finding{Deviation, by[Fail]}
	case len(by[Fail]) > 0:
		return Finding{Fail, by[Fail]}
	case in.Broken != "":
		return Finding{Inconclusive, []string{in.Broken}}
	case len(by[Inconclusive]) > 0:
		return Finding{Inconclusive, by[Inconclusive]}
	case judged == 0:
		return Finding{Inconclusive, []string{"nothing was checked"}}
	case in.Negative && !probed:
		return Finding{Inconclusive, []string{"nobody looked whether the refusal left the state as it was"}}
	case len(by[Deviation]) > 0 && in.Strict && in.Class != Policy:
		return Finding{Fail, by[Deviation]}
	case len(by[Deviation]) > 0:
		return Finding{Deviation, by[Deviation]}
	}
	return Finding{Verdict: Pass}
}

// weigh collects reasons by verdict; judged is the number of checks that decide something.
func weigh(checks []Check) (by map[Verdict][]string, judged int, probed bool) {
	by = map[Verdict][]string{}
	for _, c := range checks {
		v, why := c.Judge()
		if c.Kind != Note {
			judged++
		}
		probed = probed || c.Probe
		if v != Pass {
			by[v] = append(by[v], fmt.Sprintf("%s: %s", c.Subject, why))
		}
	}
	return by, judged, probed
}
