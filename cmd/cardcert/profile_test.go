package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func takeProfile(t *testing.T, stock, seed string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), stock+seed+".json")
	code, out, errOut := cardcert("profile", "--sim", stock, "--seed", seed, "--samples", "20", "-o", file)
	require.Zero(t, code, errOut)
	assert.Empty(t, out)
	assert.Contains(t, errOut, "measuring GET STATUS, 20 times")
	return file
}

func TestCardsOfAStockAreTold(t *testing.T) {
	for _, stock := range []string{"op201-scp01", "gp211-scp02", "sce7-scp03"} {
		reference, card := takeProfile(t, stock, "1"), takeProfile(t, stock, "2")
		code, out, errOut := cardcert("compare", reference, card)
		assert.Zero(t, code, "%s%s", out, errOut)
		assert.Contains(t, out, "2.json: MATCH")
		code, out, _ = cardcert("compare", reference, card, reference)
		assert.Equal(t, exitFailed, code)
		assert.Contains(t, out, "the same card, or a copy of it")

		// one field of the right stock is changed
		text, err := os.ReadFile(card)
		require.NoError(t, err)
		changed := strings.Replace(string(text), `"cplc.IC type": "`, `"cplc.IC type": "F`, 1)
		require.NotEqual(t, string(text), changed)
		require.NoError(t, os.WriteFile(card, []byte(changed), 0o600))
		code, out, _ = cardcert("compare", "--json", reference, card)
		assert.Equal(t, exitFailed, code)
		assert.Contains(t, out, `"verdict": "SUSPICIOUS"`)
	}
	code, out, _ := cardcert("compare", takeProfile(t, "sce6-scp03", "1"), takeProfile(t, "sce7-scp03", "1"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "atr")
}

func TestWhatIsNoProfileIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"compare", "missing.json", "missing.json"}, {"compare", "one.json"},
		{"profile"}, {"profile", "--sim", "sce7-scp03", "--samples", "0"},
	} {
		code, _, _ := cardcert(args...)
		assert.NotZero(t, code, args)
	}
}
