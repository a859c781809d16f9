package mapping_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/tps/mapping"
)

// What is explained is what is decided.
func TestExplainTellsEveryFilter(t *testing.T) {
	r := resolver(t, "mapping.order=1,0,2",
		"mapping.1.filter.tokenType=soKey", "mapping.1.filter.appletMajorVersion=1",
		"mapping.1.target.tokenType=so",
		"mapping.0.filter.tokenATR=3B", "mapping.0.target.tokenType=a", "mapping.0.target.keySet=b",
		"mapping.2.target.tokenType=rest")
	e, ok := r.(mapping.Explainer)
	require.True(t, ok)
	in := mapping.Input{AppletMajor: 1, ATR: "3b"}
	require.Equal(t, []mapping.Explanation{
		{Mapping: "1", Filters: []mapping.FilterCheck{
			{Filter: "appletMajorVersion", Want: "1", Got: "1", Passes: true},
			{Filter: "tokenType", Want: "soKey"},
		}, Targets: map[mapping.Target]string{"tokenType": "so"}},
		{Mapping: "0", Fits: true, First: true, Filters: []mapping.FilterCheck{
			{Filter: "tokenATR", Want: "3B", Got: "3b", Passes: true},
		}, Targets: map[mapping.Target]string{"tokenType": "a", "keySet": "b"}},
		{Mapping: "2", Fits: true, Filters: []mapping.FilterCheck{},
			Targets: map[mapping.Target]string{"tokenType": "rest"}},
	}, e.Explain(in))
	got, err := r.Resolve(in, mapping.TargetTokenType)
	require.NoError(t, err)
	require.Equal(t, "0", got.Mapping)
}

func TestRegisteringTwiceIsAMistake(t *testing.T) {
	require.Panics(t, func() { mapping.Register(mapping.FilterClassID, mapping.NewFilter) })
	require.Panics(t, func() { mapping.Register("", mapping.NewFilter) })
	require.Panics(t, func() { mapping.Register("nothing", nil) })
	mapping.Register("twice", mapping.NewFilter)
	require.Panics(t, func() { mapping.Register("twice", mapping.NewFilter) })
}
