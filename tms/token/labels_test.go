package token_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/token"
)

func TestShippedLabels(t *testing.T) {
	var l token.Labels
	for s, want := range map[token.State]string{
		token.Formatted: "Formatted (uninitialized)", token.Damaged: "Physically damaged",
		token.PermLost: "Permanently lost", token.Suspended: "Suspended (temporarily lost)",
		token.Active: "Active", token.Terminated: "Terminated", token.Unformatted: "Unformatted",
	} {
		require.Equal(t, want, l.State(s))
	}
	for _, step := range token.PermittedManualTransitions().List() {
		text := l.Move(step)
		require.NotContains(t, text, " to ", step.Describe()) // each has a sentence of its own
		require.True(t, strings.HasSuffix(text, "."), text)
	}
}

func TestLabelsOfAFile(t *testing.T) {
	l, err := token.ParseLabels([]byte("# German\r\n! or not\n\n" +
		"ACTIVE = Aktiv\nDAMAGED: defekt\nPERM_LOST \\\n   endg\\u00fcltig \\\n  verloren\n" +
		"ACTIVE.SUSPENDED=Dieses Token ist weg.\nTEMP_LOST = gesperrt\n" +
		"TEMP_LOST_PERM_LOST = Temporarily lost then permanently lost\n"))
	require.NoError(t, err)
	require.Equal(t, "Aktiv", l.State(token.Active))
	require.Equal(t, "defekt", l.State(token.Damaged))
	require.Equal(t, "endg\u00fcltig verloren", l.State(token.PermLost))
	require.Equal(t, "gesperrt", l.State(token.Suspended))
	require.Equal(t, "Terminated", l.State(token.Terminated))
	require.Equal(t, "Dieses Token ist weg.",
		l.Move(token.Transition{From: token.Active, To: token.Suspended}))
	l, err = token.ParseLabels([]byte("ACTIVE=t\xe4tig"))
	require.NoError(t, err)
	require.Equal(t, "t\u00e4tig", l.State(token.Active))
	l, err = token.ParseLabels(nil)
	require.NoError(t, err)
	require.Equal(t, "Active", l.State(token.Active))
}

// What is written as an example to edit is read back as it was.
func TestFileOfLabels(t *testing.T) {
	var shipped token.Labels
	text := shipped.File()
	require.Contains(t, text, "FORMATTED = Formatted (uninitialized)\n")
	require.Contains(t, text, "SUSPENDED.ACTIVE = This suspended (temporarily lost) token has been found.\n")
	l, err := token.ParseLabels([]byte(strings.ReplaceAll(text, "= Active", "= In use")))
	require.NoError(t, err)
	require.Equal(t, "In use", l.State(token.Active))
	require.Equal(t, strings.ReplaceAll(text, "= Active", "= In use"), l.File())
}

func TestHostileLabels(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("#", token.MaxLabelFile+1):   "65537 bytes",
		"ACTIVE=" + strings.Repeat("a", 3000):       "at most 2048",
		"ACTIVE=" + strings.Repeat("a", 300):        "at most 200",
		"ACTIVE=a\\u001b[31mred":                    "control character U+001B",
		"ACTIVE=a\x00b":                             "control character",
		"ACTIVE=\\u12":                              "four hexadecimal digits",
		"ACTIVE=\\u12xy":                            "four hexadecimal digits",
		"ACTIVE=":                                   "is empty",
		"ACTIVE":                                    "NAME = label",
		"SLEEPING = zzz":                            `"SLEEPING" is the name of no state`,
		"ACTIVE.SLEEPING = zzz":                     `"SLEEPING"`,
		"4 = Active":                                `"4"`,
		"\x7fELF\x02\x01\x01\x00 = not a text file": "no state",
	} {
		_, err := token.ParseLabels([]byte(text))
		require.ErrorContains(t, err, want, "%.40q", text)
		require.Less(t, len(err.Error()), 300)
	}
}

func FuzzParseLabels(f *testing.F) {
	for _, text := range []string{"ACTIVE = a", "A\\\nB", "ACTIVE.DAMAGED:x\\u0041", "#", "\\", "=", "\xff"} {
		f.Add([]byte(text))
	}
	if self, err := os.ReadFile("labels.go"); err == nil {
		f.Add(self)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := token.ParseLabels(text)
		if err != nil {
			return
		}
		for _, s := range token.States() {
			if l.State(s) == "" || len(l.State(s)) > 200 {
				t.Fatalf("label %q of %s", l.State(s), s)
			}
		}
	})
}
