package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/token"
)

// The check can fail: each way in which a history can be wrong is found.
func TestHistoriesThatDoNotFit(t *testing.T) {
	step := func(from, to token.State) token.Transition { return token.Transition{From: from, To: to} }
	first := move{0, 2, step(token.Unformatted, token.Damaged)}
	second := move{0, 3, step(token.Damaged, token.PermLost)}
	good := func() history {
		return history{
			allowed: allowed(), made: []move{second, first}, logged: map[int][]move{0: {first, second}},
			final: map[int]token.Record{0: {Status: token.PermLost, Rev: 3}},
		}
	}
	require.Empty(t, good().check())
	for name, spoil := range map[string]func(*history){
		"an activity is lost":         func(h *history) { h.logged[0] = h.logged[0][:1] },
		"an activity comes twice":     func(h *history) { h.logged[0] = append(h.logged[0], second) },
		"activities change places":    func(h *history) { h.logged[0] = []move{second, first} },
		"an activity is of no change": func(h *history) { h.made = h.made[:1] },
		"two win":                     func(h *history) { h.made = append(h.made, second) },
		"the record is behind":        func(h *history) { h.final[0] = token.Record{Status: 1, Rev: 2} },
		"the record is elsewhere":     func(h *history) { h.final[0] = token.Record{Status: 4, Rev: 3} },
		"a move is not allowed": func(h *history) {
			bad := move{0, 3, step(token.Damaged, token.Active)}
			h.made, h.logged[0] = []move{first, bad}, []move{first, bad}
			h.final[0] = token.Record{Status: token.Active, Rev: 3}
		},
	} {
		h := good()
		spoil(&h)
		require.NotEmpty(t, h.check(), name)
	}
	m, err := parseMove(0, second.message(7))
	require.NoError(t, err)
	require.Equal(t, second, m)
	_, err = parseMove(0, "something else")
	require.Error(t, err)
}
