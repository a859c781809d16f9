package catalogue_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"tokenwright/features/catalogue"
	"tokenwright/features/conformance"
	"tokenwright/features/verdict"
)

func feature(scenario string) fstest.MapFS {
	return fstest.MapFS{"a.feature": {Data: []byte("Feature: group\n" + scenario)}}
}

func TestTheCatalogueLoads(t *testing.T) {
	cases, err := catalogue.Load(conformance.FS)
	require.NoError(t, err)
	for _, c := range cases {
		require.NotEmpty(t, c.Document(), c.ID)
		require.NotEmpty(t, c.Steps, c.ID)
	}
}

func TestCase(t *testing.T) {
	cases, err := catalogue.Load(feature(`
  Background:
    Given a
  @gpcs-11.9 @conditional @negative @content @tries
  Scenario: SEL-01 A title
    Applies: scp == 3 and rmac
    A note.
    When b
    Then c
`))
	require.NoError(t, err)
	require.Len(t, cases, 1)
	c := cases[0]
	require.Equal(t, "SEL-01", c.ID)
	require.Equal(t, "A title", c.Title)
	require.Equal(t, "11.9", c.Section())
	require.Equal(t, verdict.Conditional, c.Class)
	require.True(t, c.Negative)
	require.Equal(t, catalogue.Tries, c.Risk)
	require.Equal(t, "scp == 3 and rmac", c.Applies)
	require.Equal(t, []string{"A note."}, c.Notes)
	require.Equal(t, []string{"Given a", "When b", "Then c"}, c.Steps)
	for _, word := range []string{"SEL-01", "sel", "a", "@negative", "gpcs-11.9"} {
		require.True(t, c.Matches(word), word)
	}
	require.False(t, c.Matches("GDA"))
}

func TestTablesAndTheExpressionOfAFeature(t *testing.T) {
	cases, err := catalogue.Load(feature(`
  Applies: keys
  @gpcs-11.9 @must
  Scenario: SEL-01 A title
    Applies: scp == 3 or rmac
    Then these:
      | a | b |
      | c | d |
  @gpcs-11.9 @must
  Scenario: SEL-02 Another
    Then b
`))
	require.NoError(t, err)
	require.Equal(t, []string{"Then these:\na | b\nc | d"}, cases[0].Steps)
	require.Equal(t, "(keys) and (scp == 3 or rmac)", cases[0].Applies)
	require.Equal(t, "keys", cases[1].Applies)
}

func TestNoCatalogue(t *testing.T) {
	for name, scenario := range map[string]string{
		"no identifier":  "@gpcs-1 @must\nScenario: A title\n  Given a",
		"no clause":      "@must\nScenario: SEL-01 A title\n  Given a",
		"two clauses":    "@gpcs-1 @gpcs-2 @must\nScenario: SEL-01 A title\n  Given a",
		"no class":       "@gpcs-1\nScenario: SEL-01 A title\n  Given a",
		"two classes":    "@gpcs-1 @must @policy\nScenario: SEL-01 A title\n  Given a",
		"unknown tag":    "@gpcs-1 @must @wip\nScenario: SEL-01 A title\n  Given a",
		"bad expression": "@gpcs-1 @must\nScenario: SEL-01 A title\n  Applies: moon\n  Given a",
		"twice": "@gpcs-1 @must\nScenario: SEL-01 A title\n  Given a\n" +
			"@gpcs-1 @must\nScenario: SEL-01 A title\n  Given a",
		"nothing": "",
	} {
		_, err := catalogue.Load(feature(scenario))
		require.ErrorIs(t, err, catalogue.ErrCatalogue, name)
	}
}

func TestCoverageIsInTheOrderOfSections(t *testing.T) {
	cases := []catalogue.Case{
		{ID: "A-01", Clause: "gpcs-11.10"}, {ID: "A-02", Clause: "gpcs-11.9.2"},
		{ID: "A-03", Clause: "gpcs-E.5"}, {ID: "A-04", Clause: "gpcs-11.10"},
	}
	var sections []string
	for _, c := range catalogue.Coverage(cases) {
		sections = append(sections, c.Section)
	}
	require.Equal(t, []string{"11.9.2", "11.10", "E.5"}, sections)
}
