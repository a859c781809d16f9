package verdict

import (
	"fmt"
	"slices"
	"strings"
)

// Kind says how a check compares.
type Kind string

// The kinds of checks.
const (
	// Status: Got holds one status word, Want and Tolerated patterns of status words, such as 6A88,
	// 63CX, or "any error".
	Status Kind = "status"
	// Member: every value of Got is one of Want, or of Tolerated.
	Member Kind = "member"
	// Same: Got and Want hold the same values in the same order.
	Same Kind = "same"
	// Differ: no two values of Got are alike.
	Differ Kind = "differ"
	// Least: every value of Got, a decimal number, reaches that of Want.
	Least Kind = "least"
	// Note: what was seen, without judgement.
	Note Kind = "note"
)

// AnyError stands for every status word that reports an error.
const AnyError = "any error"

// Check is one typed input of the judge: what was found, and what it is held against.
type Check struct {
	Kind    Kind   `json:"kind"`
	Subject string `json:"subject"`
	// Exchange is the number of the exchange that Got was taken from, 0 for several or none. The
	// status word on the wire is never encrypted, so that anybody can hold Got against it.
	Exchange  int      `json:"exchange,omitempty"`
	Got       []string `json:"got"`
	Want      []string `json:"want,omitempty"`
	Tolerated []string `json:"tolerated,omitempty"`
	// Probe marks a look at the state after a refusal.
	Probe bool `json:"probe,omitempty"`
}

// Judge gives Pass, Deviation, Fail or Inconclusive, and why when it is not Pass.
func (c Check) Judge() (Verdict, string) {
	if c.Kind == Note {
		return Pass, ""
	}
	if len(c.Got) == 0 && c.Kind != Same {
		return Inconclusive, "nothing was recorded"
	}
	switch c.Kind {
	case Status:
		return c.each(matchSW)
	case Member:
		return c.each(func(got, want string) bool { return got == want })
	case Same:
		return c.same()
	case Differ:
		for i, a := range c.Got {
			if slices.Contains(c.Got[:i], a) {
				return Fail, fmt.Sprintf("%s came twice", a)
			}
		}
		return Pass, ""
	case Least:
		return c.least()
	}
	return Inconclusive, fmt.Sprintf("unknown kind of check %q", c.Kind)
}

func (c Check) each(match func(got, want string) bool) (Verdict, string) {
	v, why := Pass, ""
	for _, got := range c.Got {
		fits := func(want string) bool { return match(got, want) }
		switch {
		case slices.ContainsFunc(c.Want, fits):
		case slices.ContainsFunc(c.Tolerated, fits):
			v, why = Deviation, fmt.Sprintf("%s, where %s is right and this tolerated", got, oneOf(c.Want))
		default:
			return Fail, fmt.Sprintf("%s, want %s", got, oneOf(slices.Concat(c.Want, c.Tolerated)))
		}
	}
	return v, why
}

func (c Check) same() (Verdict, string) {
	if slices.Equal(c.Got, c.Want) {
		return Pass, ""
	}
	var gone, come []string
	for _, w := range c.Want {
		if !slices.Contains(c.Got, w) {
			gone = append(gone, w)
		}
	}
	for _, g := range c.Got {
		if !slices.Contains(c.Want, g) {
			come = append(come, g)
		}
	}
	return Fail, fmt.Sprintf("found %s, expected %s", list(come), list(gone))
}

func (c Check) least() (Verdict, string) {
	if len(c.Want) != 1 {
		return Inconclusive, "no bound"
	}
	want, err := number(c.Want[0])
	if err != nil {
		return Inconclusive, err.Error()
	}
	for _, g := range c.Got {
		n, err := number(g)
		if err != nil {
			return Inconclusive, err.Error()
		}
		if n < want {
			return Fail, fmt.Sprintf("%d, want at least %d", n, want)
		}
	}
	return Pass, ""
}

// matchSW holds a status word against a pattern, in which X is any digit.
func matchSW(got, pattern string) bool {
	if pattern == AnyError {
		return isError(got)
	}
	if len(got) != len(pattern) {
		return false
	}
	for i := range pattern {
		if pattern[i] != 'X' && pattern[i] != got[i] {
			return false
		}
	}
	return true
}

// isError tells an error from success (90, 91, 61) and warnings (62, 63 but 6300 and 63CX, which
// report a failed verification).
func isError(sw string) bool {
	if len(sw) != 4 {
		return false
	}
	switch sw[:2] {
	case "90", "91", "61", "62":
		return false
	case "63":
		return sw == "6300" || sw[2] == 'C'
	}
	return true
}

func number(s string) (int, error) {
	var n int
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n, nil
}

func oneOf(s []string) string { return strings.Join(s, " or ") }

func list(s []string) string {
	if len(s) == 0 {
		return "nothing else"
	}
	return strings.Join(s, "; ")
}
