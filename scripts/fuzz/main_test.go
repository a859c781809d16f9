package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for file, text := range map[string]string{
		"a/a_test.go":          "package a\n\nfunc FuzzOne(f *testing.F) {}\nfunc FuzzTwo(f *testing.F) {}\n",
		"a/a.go":               "package a\n\nfunc FuzzNoTest(f *testing.F) {}\n",
		"b/b_test.go":          "package b\n\nfunc FuzzThree(fz *testing.F) {\n// func FuzzNo(f *testing.F)\n}\n",
		"b/testdata/x_test.go": "package x\n\nfunc FuzzData(f *testing.F) {}\n",
		".c/c_test.go":         "package c\n\nfunc FuzzHidden(f *testing.F) {}\n",
	} {
		file = filepath.Join(dir, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	a, b := filepath.ToSlash(dir)+"/a", filepath.ToSlash(dir)+"/b"
	got, err := find(dir, regexp.MustCompile("."))
	require.NoError(t, err)
	assert.Equal(t, []target{{a, "FuzzOne"}, {a, "FuzzTwo"}, {b, "FuzzThree"}}, got)
	got, err = find(dir, regexp.MustCompile("b.FuzzT"))
	require.NoError(t, err)
	assert.Equal(t, []target{{b, "FuzzThree"}}, got)
	_, err = find(filepath.Join(dir, "none"), regexp.MustCompile("."))
	require.Error(t, err)
}

func TestLastFigures(t *testing.T) {
	out := "fuzz: elapsed: 3s, execs: 1\nfuzz: elapsed: 5s, execs: 9 (2/sec)\nPASS\nok\n"
	assert.Equal(t, "5s, execs: 9 (2/sec)", lastFigures([]byte(out)))
	assert.Empty(t, lastFigures(nil))
}

func TestOnlyOutOfTime(t *testing.T) {
	const end = "--- FAIL: FuzzParse (30.12s)\n    context deadline exceeded\nFAIL\n"
	require.True(t, onlyOutOfTime([]byte(end)))
	require.False(t, onlyOutOfTime([]byte(end+"    Failing input written to testdata/fuzz/F/1\n")))
	require.False(t, onlyOutOfTime([]byte("--- FAIL: FuzzParse (0.00s)\n    f_test.go:1: wrong\n")))
}
