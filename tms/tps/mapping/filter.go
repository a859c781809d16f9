package mapping

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FilterClassID is the class id of FilterMappingResolver in configuration.
const FilterClassID = "filterMappingResolverImpl"

// Bounds of a resolver's configuration.
const (
	maxMappings = 1000
	cuidDigits  = 20
)

// Filter is FilterMappingResolver: an ordered list of mappings, each with
// filters and targets. The first mapping whose filters all let the input
// through decides. An empty filter lets everything through; a filter with a
// value stops an input that lacks it. Token types and key sets are compared
// exactly, versions as decimal text, hexadecimal values without regard to case.
type Filter struct {
	name     string
	mappings []filterMapping
}

type filterMapping struct {
	name    string
	filters []filter
	targets map[Target]string
}

// filter is one configured condition.
type filter struct {
	key  string // as configuration names it
	want string
	pass func(Input) (got string, ok bool)
}

// NewFilter reads mappingResolver.<instance>.mapping.* and returns the
// resolver. It is the [Factory] of FilterClassID.
func NewFilter(c Config, instance string) (Resolver, error) {
	base := "mappingResolver." + instance + ".mapping."
	bad := func(format string, args ...any) error {
		return &Error{Kind: ErrConfig, Resolver: instance, Detail: fmt.Sprintf(format, args...)}
	}
	order := c.String(base + "order")
	if strings.TrimSpace(order) == "" {
		return nil, bad("%sorder is not set", base)
	}
	f := &Filter{name: instance}
	for name := range strings.SplitSeq(order, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			return nil, bad("%sorder=%.100q has an empty item", base, order)
		case f.has(name):
			return nil, bad("%sorder=%.100q names %q twice", base, order, name)
		case len(f.mappings) == maxMappings:
			return nil, bad("%sorder names more than %d mappings", base, maxMappings)
		}
		m, err := readMapping(c, base, name)
		if err != nil {
			return nil, bad("%v", err)
		}
		f.mappings = append(f.mappings, m)
	}
	return f, nil
}

func (f *Filter) has(name string) bool {
	return slices.ContainsFunc(f.mappings, func(m filterMapping) bool { return m.name == name })
}

// readMapping reads one mapping, asking for every key it may have so that none
// of them counts as unread.
func readMapping(c Config, base, name string) (filterMapping, error) {
	m := filterMapping{name: name, targets: make(map[Target]string)}
	prefix := base + name + "."
	for _, key := range filterKeys {
		want := strings.TrimSpace(c.String(prefix + "filter." + key))
		if want == "" {
			continue
		}
		fl, err := newFilter(key, want)
		if err != nil {
			return filterMapping{}, fmt.Errorf("%sfilter.%s=%.100q: %w", prefix, key, want, err)
		}
		m.filters = append(m.filters, fl)
	}
	for _, t := range []Target{
		TargetTokenType, TargetKeySet, TargetKeyWrapAlg, TargetAppletVer, TargetKeyGenUsages,
	} {
		if v := strings.TrimSpace(c.String(prefix + "target." + string(t))); v != "" {
			m.targets[t] = v
		}
	}
	if len(m.targets) == 0 {
		return filterMapping{}, fmt.Errorf("%starget.* is not set", prefix)
	}
	return m, nil
}

// filterKeys are the filters in the order they are applied.
var filterKeys = []string{
	"appletMajorVersion", "appletMinorVersion", "tokenATR",
	"tokenCUID.start", "tokenCUID.end", "tokenType", "keySet", "symKeySize",
}

func newFilter(key, want string) (filter, error) {
	fl := filter{key: key, want: want}
	switch key {
	case "appletMajorVersion":
		fl.pass = func(in Input) (string, bool) { return equal(strconv.Itoa(in.AppletMajor), want) }
	case "appletMinorVersion":
		fl.pass = func(in Input) (string, bool) { return equal(strconv.Itoa(in.AppletMinor), want) }
	case "tokenATR":
		fl.pass = func(in Input) (string, bool) { return in.ATR, strings.EqualFold(in.ATR, want) }
	case "tokenCUID.start", "tokenCUID.end":
		return newRange(fl)
	case "tokenType":
		fl.pass = func(in Input) (string, bool) { return equal(in.TokenType, want) }
	case "keySet":
		fl.pass = func(in Input) (string, bool) { return equal(in.KeySet, want) }
	case "symKeySize":
		fl.pass = func(in Input) (string, bool) { return symKeySize(in, want) }
	}
	return fl, nil
}

func equal(got, want string) (string, bool) { return got, got == want }

func symKeySize(in Input, want string) (string, bool) {
	if in.SymKeySize == 0 {
		return "", false
	}
	return equal(strconv.Itoa(in.SymKeySize), want)
}

// newRange makes one end of the inclusive CUID range. Both ends have the same
// number of digits, so that the order of the text is the order of the numbers.
func newRange(fl filter) (filter, error) {
	bound := strings.ToUpper(fl.want)
	if !isCUID(bound) {
		return filter{}, fmt.Errorf("not %d hexadecimal digits", cuidDigits)
	}
	lower := strings.HasSuffix(fl.key, ".start")
	fl.pass = func(in Input) (string, bool) {
		got := strings.ToUpper(in.CUID)
		if !isCUID(got) {
			return in.CUID, false
		}
		if lower {
			return got, got >= bound
		}
		return got, got <= bound
	}
	return fl, nil
}

func isCUID(text string) bool {
	if len(text) != cuidDigits {
		return false
	}
	_, err := hex.DecodeString(text)
	return err == nil
}

// Resolve returns the target of the first mapping that fits.
func (f *Filter) Resolve(in Input, target Target) (Result, error) {
	var res Result
	for _, m := range f.mappings {
		failed := m.failed(in)
		res.Tried = append(res.Tried, Attempt{Mapping: m.name, Failed: failed})
		if failed != "" {
			continue
		}
		res.Mapping, res.Value = m.name, m.targets[target]
		if res.Value == "" {
			return res, f.none(res, fmt.Sprintf("mapping %s fits but has no target %s", m.name, target))
		}
		return res, nil
	}
	return res, f.none(res, "no mapping for target "+string(target))
}

func (f *Filter) none(res Result, what string) error {
	return &Error{Kind: ErrNoMapping, Resolver: f.name, Detail: what + " (" + res.Explain() + ")"}
}

// failed returns in words which filter stops the input, empty when none does.
func (m filterMapping) failed(in Input) string {
	for _, fl := range m.filters {
		got, ok := fl.pass(in)
		switch {
		case ok:
		case got == "":
			return fmt.Sprintf("filter %s wants %.100q, nothing was given", fl.key, fl.want)
		default:
			return fmt.Sprintf("filter %s wants %.100q, got %.100q", fl.key, fl.want, got)
		}
	}
	return ""
}
