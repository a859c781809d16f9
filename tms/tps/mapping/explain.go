package mapping

// Explainer is a resolver that can tell how it decides, for people who want to know
// before a card comes. A resolver that is none is asked for its decision alone.
type Explainer interface {
	Resolver
	// Explain tells of every mapping how it takes the input, in order; the first that
	// fits decides.
	Explain(in Input) []Explanation
}

// Explanation is how one mapping takes an input.
type Explanation struct {
	Mapping string        `json:"mapping"`
	Filters []FilterCheck `json:"filters"`
	// Fits tells that all filters let the input through, First that no mapping before
	// did.
	Fits    bool              `json:"fits"`
	First   bool              `json:"first"`
	Targets map[Target]string `json:"targets"`
}

// FilterCheck is how one filter takes an input. Filters without a value are left out:
// they let everything through.
type FilterCheck struct {
	Filter string `json:"filter"`
	Want   string `json:"want"`
	Got    string `json:"got"` // empty when nothing was given
	Passes bool   `json:"passes"`
}

// Explain tells of every mapping how its filters take the input.
func (f *Filter) Explain(in Input) []Explanation {
	out := make([]Explanation, 0, len(f.mappings))
	found := false
	for _, m := range f.mappings {
		e := Explanation{Mapping: m.name, Filters: []FilterCheck{}, Fits: true,
			Targets: make(map[Target]string, len(m.targets))}
		for _, fl := range m.filters {
			got, ok := fl.pass(in)
			e.Filters = append(e.Filters, FilterCheck{fl.key, fl.want, got, ok})
			e.Fits = e.Fits && ok
		}
		for t, v := range m.targets {
			e.Targets[t] = v
		}
		e.First = e.Fits && !found
		found = found || e.Fits
		out = append(out, e)
	}
	return out
}
