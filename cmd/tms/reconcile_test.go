package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReconcileAnEmptyInstance(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "instance")
	code, _, errOut := tms("init", dir)
	require.Zero(t, code, errOut)
	code, out, errOut := tms("reconcile", "--dir", dir)
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "0 differences")
	code, out, errOut = tms("reconcile", "--dir", dir, "--json", "--repair")
	require.Zero(t, code, errOut)
	var said struct {
		Differences []any          `json:"differences"`
		Summary     map[string]any `json:"summary"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &said))
	assert.Empty(t, said.Differences)
	assert.Equal(t, true, said.Summary["complete"])
}

// Whatever goes wrong, it is not taken for differences, nor for none.
func TestReconcileThatIsAskedWrongly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "instance")
	code, _, errOut := tms("init", dir)
	require.Zero(t, code, errOut)
	for _, args := range [][]string{
		{"--dir", dir + "-not-there"}, {"--dir", dir, "--grace", "-1h"}, {"--dir", dir, "surplus"},
		{"--dir", dir, "--ask", "ca1=https://localhost:1"},
		{"--dir", dir, "--ask", "ca1=https://localhost:1", "--as", filepath.Join(dir, "tps", "certs", "none")},
		{"--dir", dir, "--ask", "ca1=https://localhost:1", "--as",
			filepath.Join(dir, "tps", "certs", "subsystemCert")},
	} {
		code, _, errOut := tms(append([]string{"reconcile"}, args...)...)
		assert.Equal(t, exitNotReconcile, code, "%q: %s", args, errOut)
		assert.NotEmpty(t, errOut)
	}
}
