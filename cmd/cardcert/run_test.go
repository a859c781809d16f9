package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/evidence"
)

func TestRunWritesItsReports(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	code, out, errOut := cardcert("run", "--sim", "sce7-scp03", "--only", "SEL", "--seed", "4711",
		"--json", at("r.json"), "--html", at("r.html"), "--junit", at("r.xml"), "--transcript", at("t.jsonl"))
	require.Zero(t, code, errOut)
	require.Contains(t, out, "SEL-02  pass")
	require.Contains(t, out, "0 fail, 0 inconclusive")
	file, err := os.Open(at("r.json"))
	require.NoError(t, err)
	defer file.Close()
	report, err := evidence.ReadJSON(file)
	require.NoError(t, err)
	require.NoError(t, evidence.VerifyChain(report.Transcript, report.Root))
	require.EqualValues(t, 4711, report.Header.Seed)
	for _, name := range []string{"r.html", "r.xml", "t.jsonl"} {
		st, err := os.Stat(at(name))
		require.NoError(t, err)
		require.NotZero(t, st.Size(), name)
	}
}

// The same seed asks the same of the same card.
func TestTheSeedRepeatsARun(t *testing.T) {
	var cuid [2]string
	for i := range cuid {
		_, out, _ := cardcert("run", "--sim", "gp211-scp02", "--only", "SEL-02", "--seed", "5")
		cuid[i] = strings.Split(out, "\n")[1]
	}
	require.Equal(t, cuid[0], cuid[1])
}

func TestWrongCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"}, {"run"}, {"run", "--sim", "sce7-scp03", "--reader", "x"}, {"run", "--sim", "nope"},
		{"run", "--sim", "sce7-scp03", "--stock", "sce7-scp03"}, {"run", "--unknown"},
		{"run", "--reader", "x", "--keys", "/nowhere/keys"}, {"run", "--sim", "sce7-scp03", "--applet", "/nowhere"},
	} {
		code, _, errOut := cardcert(args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, errOut)
	}
}

func TestNothingSelected(t *testing.T) {
	code, _, errOut := cardcert("run", "--sim", "sce7-scp03", "--only", "NOPE-01")
	require.Equal(t, exitInconclusive, code)
	require.Contains(t, errOut, "no case is selected")
}

func TestDeclaredFacts(t *testing.T) {
	code, out, errOut := cardcert("run", "--sim", "gp211-scp02", "--only", "LCY-19", "--only", "GDA-12",
		"--declare", "capabilities=true")
	require.Equal(t, exitFailed, code, errOut) // the card does not do what was declared
	require.Contains(t, out, "GDA-12  fail")
	require.Contains(t, out, "LCY-19  not applicable")
	code, _, errOut = cardcert("run", "--sim", "gp211-scp02", "--declare", "moon=true")
	require.Equal(t, exitInconclusive, code)
	require.Contains(t, errOut, "unknown fact")
	code, out, _ = cardcert("facts")
	require.Zero(t, code)
	require.Contains(t, out, "pseudorandom")
}

func TestListAndCoverage(t *testing.T) {
	code, out, _ := cardcert("list", "--only", "SEL")
	require.Zero(t, code)
	require.Contains(t, out, "SEL-01  gpcs-6.4.2.1.1")
	require.NotContains(t, out, "GDA-01")
	code, out, _ = cardcert("coverage")
	require.Zero(t, code)
	require.Contains(t, out, "GlobalPlatform Card Specification 2.3.1")
	require.Contains(t, out, "SEL-04")
}
