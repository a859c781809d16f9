package sampling

import "sort"

// letters are the sample size code letters; S exists in tightened inspection only.
const letters = "ABCDEFGHJKLMNPQRS"

// lotLimits are the greatest lot sizes of the rows of Table 1, the last having none.
var lotLimits = []int{
	8, 15, 25, 50, 90, 150, 280, 500, 1200, 3200, 10000, 35000, 150000, 500000,
}

// lotLetters are the rows of Table 1; the columns are levels.
var lotLetters = []string{
	"AAAAAAB", "AAAAABC", "AABBBCD", "ABBCCDE", "BBCCCEF", "BBCDDFG", "BCDEEGH", "BCDEFHJ",
	"CCEFGJK", "CDEGHKL", "CDFGJLM", "CDFHKMN", "DEGJLNP", "DEGJMPQ", "DEHKNQR",
}

// letterOf is the row of the master tables for a lot (Table 1).
func letterOf(lotSize, level int) int {
	letter := lotLetters[sort.SearchInts(lotLimits, lotSize)][level]
	for i := range letters {
		if letters[i] == letter {
			return i
		}
	}
	return 0
}

// Arrows of the master tables.
const (
	up   = -1 // use the plan above
	down = -2 // use the plan below
)

// lastZero is the last column, AQL 6.5, with a plan that accepts no bad card.
const lastZero = 14

// master is one of Tables 2-A to 2-C. All columns hold the same sequence, each a row further
// up than the one before: it starts with the plan that accepts no bad card.
type master struct {
	sizes []int
	// zero is the row of Ac 0 in the first column, AQL 0.010.
	zero int
	// from is what the column holds from there on down; beyond its end arrows point up.
	from []int
}

var tables = [...]master{
	Normal: { // Table 2-A
		sizes: []int{2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000},
		zero:  14,
		from:  []int{0, up, down, 1, 2, 3, 5, 7, 10, 14, 21},
	},
	Tightened: { // Table 2-B
		sizes: []int{2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000, 3150},
		zero:  15,
		from:  []int{0, down, down, 1, 2, 3, 5, 8, 12, 18},
	},
	Reduced: { // Table 2-C; Ac and Re have no gap, which earlier editions and ANSI/ASQ Z1.4 have
		sizes: []int{2, 2, 2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800},
		zero:  14,
		from:  []int{0, up, down, down, 1, 2, 3, 5, 6, 8, 10},
	},
}

// cell is the table's entry: an acceptance number or an arrow.
func (m *master) cell(row, aql int) int {
	i := row - (m.zero - aql)
	switch {
	case i < 0:
		return down
	case i == 0 && aql > lastZero:
		return down
	case i >= len(m.from):
		return up
	}
	return m.from[i]
}

// follow goes where the arrows point and returns the row and acceptance number there. Where the
// arrows lead out of the table they are followed the other way.
func (m *master) follow(row, aql int) (int, int) {
	for _, step := range m.directions(row, aql) {
		for r := row; r >= 0 && r < len(m.sizes); r += step {
			if ac := m.cell(r, aql); ac >= 0 {
				return r, ac
			}
		}
	}
	return row, 0 // no column is without a plan
}

func (m *master) directions(row, aql int) [2]int {
	if m.cell(row, aql) == up {
		return [2]int{-1, 1}
	}
	return [2]int{1, -1}
}
