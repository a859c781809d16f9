package capability_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/capability"
)

func TestEval(t *testing.T) {
	set := capability.Set{"scp": "3", "rmac": "true", "kvn": "255", "cplc": "false"}
	for expr, want := range map[string]bool{
		"always":                               true,
		"not always":                           false,
		"scp == 3":                             true,
		"scp != 3":                             false,
		"scp < 3":                              false,
		"scp >= 2 and rmac":                    true,
		"cplc or rmac and scp == 2":            false,
		"(cplc or rmac) and scp == 3":          true,
		"not cplc and not (kvn == 255)":        false,
		"channels":                             false,
		"channels == 0":                        true,
		"kvn > 254 and kvn <= 255 or channels": true,
	} {
		got, err := capability.Eval(expr, set)
		require.NoError(t, err, expr)
		require.Equal(t, want, got, expr)
	}
}

func TestUnreadableExpressions(t *testing.T) {
	for _, expr := range []string{
		"", "scp ==", "scp = 3", "nonsense", "(scp == 3", "scp == 3 cplc", "scp < three", "and",
		strings.Repeat("(", 100) + "cplc", strings.Repeat("not ", 200) + "cplc",
	} {
		require.ErrorIs(t, capability.Check(expr), capability.ErrExpression, expr)
	}
}

func FuzzEval(f *testing.F) {
	f.Add("scp == 3 and (cplc or not rmac)")
	f.Fuzz(func(_ *testing.T, expr string) {
		_, _ = capability.Eval(expr, capability.Set{"scp": "3"})
	})
}
