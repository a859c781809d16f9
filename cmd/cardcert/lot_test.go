package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePlanOfALot(t *testing.T) {
	code, out, _ := cardcert("lot", "--size", "10000", "--aql", "0.65", "--level", "II")
	require.Zero(t, code)
	assert.Contains(t, out, "n = 200 cards")
	assert.Contains(t, out, "Ac = 3 ")
	assert.Contains(t, out, "Re = 4 ")
	for _, args := range [][]string{
		{"--size", "1"}, {}, {"--size", "100", "--aql", "0.7"}, {"--size", "100", "--level", "IV"},
		{"--size", "100", "--severity", "kind"}, {"--size", "100", "--journal", "x", "--sim", "no-such"},
	} {
		if len(args) > 2 && args[2] == "--journal" {
			args[3] = filepath.Join(t.TempDir(), "x")
		}
		code, _, _ := cardcert(append([]string{"lot"}, args...)...)
		assert.Equal(t, exitUsage, code, args)
	}
}

// inspectLot inspects a lot of 150 virtual cards, 20 of which are looked at and none may be bad.
func inspectLot(journal string, more ...string) (code int, out, errOut string) {
	return cardcert(append([]string{
		"lot", "--size", "150", "--journal", journal, "--sim", "sce7-scp03", "--seed", "1", "--only", "SEL-02",
		"--only", "GDA-01",
	}, more...)...)
}

func TestALotIsAcceptedAndCountsNoCardTwice(t *testing.T) {
	dir := t.TempDir()
	journal, reports := filepath.Join(dir, "lot.jsonl"), filepath.Join(dir, "reports")
	private, public := keyPair(t)
	code, out, errOut := inspectLot(journal, "--sign", private)
	require.Equal(t, exitUsage, code, out)
	assert.Contains(t, errOut, "--reports")
	code, out, errOut = inspectLot(journal, "--reports", reports, "--sign", private, "--jobs", "4")
	require.Zero(t, code, "%s%s", out, errOut)
	assert.Contains(t, out, "verdict   ACCEPTED: 0 bad cards of 20, Ac = 0")
	cards, err := os.ReadDir(reports)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(cards), 20)
	code, _, errOut = cardcert("verify", filepath.Join(reports, cards[0].Name()), "--key", public)
	assert.Zero(t, code, errOut)

	again, out, _ := inspectLot(journal)
	require.Zero(t, again)
	assert.NotContains(t, out, "[21/", "the lot has its verdict")
	code, _, errOut = inspectLot(journal, "--size", "200")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errOut, "a lot of 150 cards")
}

func TestALotOfBadCardsIsRejected(t *testing.T) {
	dir := t.TempDir()
	series := filepath.Join(dir, "supplier.json")
	lot := func(name string) (int, string) {
		code, out, errOut := inspectLot(filepath.Join(dir, name), "--series", series,
			"--personality", "no-default-select", "--jobs", "1")
		assert.NotContains(t, errOut, "usage")
		return code, out
	}
	code, out := lot("1")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "verdict   REJECTED: 1 bad cards, Re = 1")
	assert.Contains(t, out, "next lot  normal inspection")
	_, out = lot("1")
	assert.Contains(t, out, "next lot  normal inspection", "the same lot does not count twice")
	_, out = lot("2")
	assert.Contains(t, out, "next lot  tightened inspection")
	_, out = lot("3")
	assert.Contains(t, out, "tightened inspection, code letter G")
	lot("4")
	lot("5")
	lot("6")
	_, out = lot("7")
	assert.Contains(t, out, "inspection is discontinued")
	code, _ = lot("8")
	assert.Equal(t, exitUsage, code)
}

func TestAnInspectionThatIsInterruptedGoesOn(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "lot.jsonl")
	ctx, cancel := context.WithCancel(context.Background())
	var out strings.Builder
	stop := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "[7/20]") {
			cancel()
		}
		return out.Write(p)
	})
	args := []string{"lot", "--size", "150", "--journal", journal, "--sim", "sce7-scp03", "--seed", "1",
		"--only", "SEL-01", "--jobs", "1"}
	code := run(ctx, args, strings.NewReader(""), stop, stop)
	require.NotZero(t, code, out.String())
	code, text, _ := cardcert("lot", "--journal", journal)
	assert.Equal(t, exitInconclusive, code)
	assert.Contains(t, text, "7 of 20 cards")
	code, text, errOut := cardcert(args...)
	require.Zero(t, code, errOut)
	assert.Contains(t, text, "[8/20]")
	assert.Contains(t, text, "ACCEPTED")

	dead := filepath.Join(t.TempDir(), "lot.jsonl")
	code, text, _ = cardcert("lot", "--size", "150", "--journal", dead, "--dead", "cracked")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, text, "dead:cracked: it could not be identified")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
