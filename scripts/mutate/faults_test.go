package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const handler = `package card

func handle(p1 byte, data []byte) error {
	if len(data) == 0 {
		return apdu.SW6700
	}
	if p1 > 3 {
		return nil
	}
	switch {
	case p1 == 1, locked():
		return apdu.SW6985
	}
	switch p1 {
	case 2:
		return apdu.SW6A86
	}
	return apdu.SW9000
}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestMechanicalFaults(t *testing.T) {
	path := write(t, "handle.go", handler)
	faults, err := mechanical([]string{filepath.Dir(path)})
	require.NoError(t, err)
	var what []string
	for _, f := range faults {
		what = append(what, f.kind+" "+f.what)
		changed, err := f.apply([]byte(handler))
		require.NoError(t, err)
		assert.NotEqual(t, handler, string(changed))
		assert.Contains(t, string(changed), f.new)
	}
	assert.Equal(t, []string{
		"dropped line 4: len(data) == 0",
		"swapped line 5: SW6700 by SW6985",
		"dropped line 11: p1 == 1",
		"dropped line 11: locked()",
		"swapped line 12: SW6985 by SW6A80",
		"swapped line 16: SW6A86 by SW6985",
	}, what)
	_, err = faults[0].apply([]byte("package other"))
	assert.Error(t, err)
}

func TestPlantedFaultsStandOnce(t *testing.T) {
	card := write(t, "card.go", handler)
	list := write(t, "planted.json", `[{"File": "`+card+`", "Old": "p1 > 3", "New": "p1 > 4", "What": "one more"}]`)
	faults, err := readPlanted(list)
	require.NoError(t, err)
	require.Len(t, faults, 1)
	assert.Equal(t, kindPlanted, faults[0].kind)
	twice := write(t, "planted.json", `[{"File": "`+card+`", "Old": "return", "New": "panic", "What": "all"}]`)
	_, err = readPlanted(twice)
	assert.ErrorContains(t, err, "5 times")
}

func TestChoiceFollowsTheSeed(t *testing.T) {
	faults := make([]fault, 50)
	for i := range faults {
		faults[i].at = i
	}
	a := choose(append([]fault{}, faults...), 5, 7)
	assert.Equal(t, a, choose(append([]fault{}, faults...), 5, 7))
	assert.Len(t, a, 5)
	assert.NotEqual(t, a, choose(append([]fault{}, faults...), 5, 8))
}

func TestRuns(t *testing.T) {
	assert.Equal(t, [][]string{{"run", "-q"}, {"list"}}, runs([]string{"run", "-q", "--", "list"}))
}
