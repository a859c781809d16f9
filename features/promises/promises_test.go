package promises_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"tokenwright/features"
	"tokenwright/features/promises"
)

func TestEveryPromiseIsHeld(t *testing.T) {
	require.NoError(t, promises.Check(features.FS, features.Promises))
	list, err := promises.Parse(features.Promises)
	require.NoError(t, err)
	require.Greater(t, len(list), 80, "the table is read to its end")
}

func TestPromisesThatNobodyHolds(t *testing.T) {
	files := fstest.MapFS{"a.feature": {Data: []byte(
		"Feature: a\n  Scenario: one\n    Given x\n  Scenario Outline: two\n    Given <y>\n    Examples:\n" +
			"      | y |\n      | z |\n")}}
	head := "# Title\n\n| No | Promise | Held by |\n|---|---|---|\n"
	require.NoError(t, promises.Check(files, head+"| 1 | p | a: one |\n| 2 | q | a: two<br>a: one |\n"))
	for text, want := range map[string]string{
		"":                       "nothing is promised",
		"| 1 | p | |\n":          "held by no scenario",
		"| 1 | | a: one |\n":     "held by no scenario",
		"| 1 | p | a: three |\n": `no scenario "a: three"`,
		"| 1 | p | b: one |\n":   `no scenario "b: one"`,
		"| 2 | p | a: one |\n":   "promise 2 stands where 1 should",
		"| 1 | p | a: one |\n| 1 | q | a: one |\n": "promise 1 stands where 2 should",
		"| 1 | p | a: one | more |\n":              "4 cells",
		"| x | p | a: one |\n":                     "no number",
	} {
		require.ErrorContains(t, promises.Check(files, head+text), want)
	}
	files["b.feature"] = &fstest.MapFile{Data: []byte("nonsense")}
	require.ErrorContains(t, promises.Check(files, head+"| 1 | p | a: one |\n"), "b.feature")
}
