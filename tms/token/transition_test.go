package token_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/token"
)

func TestShippedTransitions(t *testing.T) {
	ops := token.OperationTransitions()
	require.Equal(t, "0:0,0:4,4:0,4:4,7:0", ops.String())
	manual := token.ManualTransitions()
	require.Equal(t, "0:1,0:2,0:3,0:6,3:0,3:2,3:4,3:6,4:1,4:2,4:3,4:6,6:7", manual.String())
	permitted := token.PermittedManualTransitions()
	require.Equal(t, "0:1,0:2,0:3,0:6,1:2,3:0,3:1,3:2,3:4,3:6,4:1,4:2,4:3,4:6,6:1,6:2,6:7,7:1,7:2",
		permitted.String())
	require.False(t, manual.Allows(token.Formatted, token.Unformatted))
	require.False(t, manual.Allows(token.State(5), token.Formatted))
	require.False(t, manual.Allows(token.Formatted, token.State(-1)))
	require.Len(t, manual.List(), 13)
}

func TestParseTransitions(t *testing.T) {
	permitted := token.PermittedManualTransitions()
	got, err := token.ParseTransitions(" 4:6, 0:1 ,4:6,3:5", permitted)
	require.NoError(t, err)
	require.Equal(t, token.NewTransitions(
		token.Transition{From: token.Formatted, To: token.Damaged},
		token.Transition{From: token.Suspended, To: token.PermLost}, // 5 reads as 2
		token.Transition{From: token.Active, To: token.Terminated},
	), got)
	require.Equal(t, "0:1,3:2,4:6", got.String())

	none, err := token.ParseTransitions("  ", permitted)
	require.NoError(t, err)
	require.Equal(t, token.Transitions{}, none)
	require.Empty(t, none.List())

	for text, want := range map[string]string{
		"0:1,0:7":                   `transition "0:7": FORMATTED to UNFORMATTED (0:7) is not among`,
		"2:0":                       "PERM_LOST to FORMATTED (2:0)",
		"0-1":                       "CODE:CODE",
		"0:1,":                      `transition "": not of the form`,
		",":                         "CODE:CODE",
		"0:8":                       "code 8 is not known",
		"0:-1":                      "CODE:CODE",
		"0:1:2":                     "CODE:CODE",
		"FORMATTED:ACTIVE":          "CODE:CODE",
		"0:99999":                   "CODE:CODE",
		"٠:١":                       "CODE:CODE",
		strings.Repeat("0:1,", 999): "3996 bytes",
	} {
		_, err := token.ParseTransitions(text, permitted)
		require.ErrorContains(t, err, want, "%.40q", text)
	}
	_, err = token.ParseTransitions("0:1", token.Transitions{})
	require.Error(t, err, "nothing is permitted")
}

// TestFoundAgain: a suspended token goes back to where it came from only.
func TestFoundAgain(t *testing.T) {
	manual := token.PermittedManualTransitions()
	var r token.Record
	fromFormatted := r.InState(token.Formatted).InState(token.Suspended)
	fromActive := r.InState(token.Active).InState(token.Suspended)
	require.Equal(t, []token.State{
		token.Formatted, token.Damaged, token.PermLost, token.Terminated,
	}, manual.NextByHand(fromFormatted))
	require.Equal(t, []token.State{
		token.Damaged, token.PermLost, token.Active, token.Terminated,
	}, manual.NextByHand(fromActive))
	require.False(t, manual.AllowsByHand(fromFormatted, token.Active), "although 3:4 is listed")
	require.Equal(t, []token.State{token.Damaged, token.PermLost, token.Unformatted},
		manual.NextByHand(r.InState(token.Terminated)))
	require.Empty(t, token.Transitions{}.NextByHand(r))
}

func FuzzParseTransitions(f *testing.F) {
	for _, text := range []string{
		"", "0:0,0:4,4:4,4:0,7:0", "0:1, 3:5", "0:7", ",,", ":", "0:1:2", "00:001",
	} {
		f.Add(text)
	}
	manual := token.ManualTransitions()
	f.Fuzz(func(t *testing.T, text string) {
		got, err := token.ParseTransitions(text, manual)
		if err != nil {
			if got != (token.Transitions{}) || len(err.Error()) > 2000 {
				t.Fatalf("error %q with transitions %q", err, got)
			}
			return
		}
		for _, step := range got.List() {
			if !manual.Allows(step.From, step.To) {
				t.Fatalf("%q lets %s through", text, step.Describe())
			}
		}
		again, err := token.ParseTransitions(got.String(), manual)
		if err != nil || again != got {
			t.Fatalf("%q reads as %q, which reads as %q, %v", text, got, again, err)
		}
	})
}
