package verdict_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/capability"
	"tokenwright/features/verdict"
)

func sw(got string, want, tolerated []string) verdict.Check {
	return verdict.Check{
		Kind: verdict.Status, Subject: "status word", Got: []string{got}, Want: want,
		Tolerated: tolerated,
	}
}

func TestChecks(t *testing.T) {
	tests := []struct {
		check verdict.Check
		want  verdict.Verdict
	}{
		{sw("9000", []string{"9000"}, nil), verdict.Pass},
		{sw("6A88", []string{"6985"}, []string{"6A88"}), verdict.Deviation},
		{sw("6A88", []string{"6985"}, []string{"6A80"}), verdict.Fail},
		{sw("63C2", []string{"63CX"}, nil), verdict.Pass},
		{sw("6300", []string{verdict.AnyError}, nil), verdict.Pass},
		{sw("6310", []string{verdict.AnyError}, nil), verdict.Fail},
		{sw("6283", []string{verdict.AnyError}, nil), verdict.Fail},
		{sw("9000", []string{verdict.AnyError}, nil), verdict.Fail},
		{verdict.Check{Kind: verdict.Member, Got: []string{"28"}, Want: []string{"28", "29"}}, verdict.Pass},
		{verdict.Check{Kind: verdict.Member, Got: []string{"30"}, Want: []string{"28"}}, verdict.Fail},
		{verdict.Check{Kind: verdict.Member, Want: []string{"28"}}, verdict.Inconclusive},
		{verdict.Check{Kind: verdict.Same}, verdict.Pass},
		{verdict.Check{Kind: verdict.Same, Got: []string{"a"}, Want: []string{"b"}}, verdict.Fail},
		{verdict.Check{Kind: verdict.Differ, Got: []string{"a", "b"}}, verdict.Pass},
		{verdict.Check{Kind: verdict.Differ, Got: []string{"a", "b", "a"}}, verdict.Fail},
		{verdict.Check{Kind: verdict.Least, Got: []string{"5"}, Want: []string{"5"}}, verdict.Pass},
		{verdict.Check{Kind: verdict.Least, Got: []string{"4"}, Want: []string{"5"}}, verdict.Fail},
		{verdict.Check{Kind: verdict.Least, Got: []string{"x"}, Want: []string{"5"}}, verdict.Inconclusive},
		{verdict.Check{Kind: "guess", Got: []string{"x"}}, verdict.Inconclusive},
	}
	for _, tt := range tests {
		got, why := tt.check.Judge()
		require.Equal(t, tt.want, got, "%+v: %s", tt.check, why)
		require.Equal(t, got == verdict.Pass, why == "")
	}
}

func TestJudge(t *testing.T) {
	good := sw("9000", []string{"9000"}, nil)
	bad := sw("6F00", []string{"9000"}, nil)
	probe := good
	probe.Probe = true
	on := func(in verdict.Input) verdict.Input {
		if in.Applies == "" {
			in.Applies = capability.Always
		}
		if in.Class == "" {
			in.Class = verdict.Must
		}
		return in
	}
	tests := []struct {
		name string
		in   verdict.Input
		want verdict.Verdict
	}{
		{"all is well", verdict.Input{Checks: []verdict.Check{good}}, verdict.Pass},
		{"one thing is wrong", verdict.Input{Checks: []verdict.Check{good, bad}}, verdict.Fail},
		{"a deviation is one", verdict.Input{
			Checks: []verdict.Check{sw("6A88", []string{"6985"}, []string{"6A88"})},
		}, verdict.Deviation},
		{"strictly a deviation is a failure", verdict.Input{
			Strict: true, Checks: []verdict.Check{sw("6A88", []string{"6985"}, []string{"6A88"})},
		}, verdict.Fail},
		{"but not of a policy", verdict.Input{
			Strict: true, Class: verdict.Policy,
			Checks: []verdict.Check{sw("6A88", []string{"6985"}, []string{"6A88"})},
		}, verdict.Deviation},
		{"a policy is recorded", verdict.Input{
			Class: verdict.Policy, Checks: []verdict.Check{bad},
		}, verdict.Deviation},
		{"nothing was checked", verdict.Input{}, verdict.Inconclusive},
		{"notes check nothing", verdict.Input{
			Checks: []verdict.Check{{Kind: verdict.Note, Got: []string{"x"}}},
		}, verdict.Inconclusive},
		{"it broke off", verdict.Input{
			Broken: "the card is mute", Checks: []verdict.Check{good},
		}, verdict.Inconclusive},
		{"it broke off after a failure", verdict.Input{
			Broken: "the card is mute", Checks: []verdict.Check{bad},
		}, verdict.Fail},
		{"a refusal without a probe", verdict.Input{
			Negative: true, Checks: []verdict.Check{good},
		}, verdict.Inconclusive},
		{"a refusal with a probe", verdict.Input{
			Negative: true, Checks: []verdict.Check{good, probe},
		}, verdict.Pass},
		{"another kind of card", verdict.Input{
			Applies: "scp == 3", Facts: capability.Set{"scp": "2"}, Checks: []verdict.Check{bad},
		}, verdict.NotApplicable},
		{"it was left out", verdict.Input{LeftOut: "no consent"}, verdict.NotApplicable},
		{"nobody can tell whether it applies", verdict.Input{
			Applies: "nonsense", Checks: []verdict.Check{good},
		}, verdict.Inconclusive},
	}
	for _, tt := range tests {
		got := verdict.Judge(on(tt.in))
		require.Equal(t, tt.want, got.Verdict, tt.name)
		require.Equal(t, got.Verdict != verdict.Pass, len(got.Reasons) > 0, tt.name)
	}
}
