package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const output = `goos: linux
pkg: tokenwright/vpcd
BenchmarkSocket/bytes=5/ours-2         	 2000	 40000 ns/op	 25000 apdu/s	 816 B/op	 13 allocs/op
BenchmarkSocket/bytes=5/ours-2         	 2000	 80000 ns/op	 12500 apdu/s	 816 B/op	 13 allocs/op
BenchmarkSocket/bytes=5/ours-2         	 2000	 50000 ns/op	 20000 apdu/s	 816 B/op	 13 allocs/op
BenchmarkSocket/bytes=5/baseline-2     	 2000	 10000 ns/op	100000 apdu/s
BenchmarkSocket/bytes=5/baseline-2     	 2000	 30000 ns/op	 50000 apdu/s
PASS
pkg: tokenwright/tms/gp/scp
BenchmarkWrap/SCP03/ours-2             	  100	  2000 ns/op	 0.5000 min-ratio
BenchmarkWrap/SCP03/baseline-2         	  100	  1000 ns/op
BenchmarkParse-2                       	  100	   500 ns/op	  10 MB/s
BenchmarkLonely/ours-2                 	  100	   500 ns/op
BenchmarkBroken-2                      	  100	   x ns/op
--- BENCH: BenchmarkParse-2
ok  	tokenwright/vpcd	0.220s
`

func TestPair(t *testing.T) {
	runs, err := collect(strings.NewReader(output))
	require.NoError(t, err)
	got := pair(runs)
	require.Len(t, got, 4)

	socket := got[0]
	assert.Equal(t, "tokenwright/vpcd", socket.Package)
	assert.Equal(t, "Socket/bytes=5", socket.Name)
	assert.Equal(t, "apdu/s", socket.Unit)
	assert.InDelta(t, 20000, socket.Value, 1e-9, "the median of three")
	assert.InDelta(t, 75000, *socket.Baseline, 1e-9, "the median of two")
	assert.InDelta(t, 20.0/75, *socket.Ratio, 1e-9)
	assert.Equal(t, 3, socket.Runs)

	wrap := got[1]
	assert.Equal(t, "tokenwright/tms/gp/scp", wrap.Package)
	assert.Equal(t, "op/s", wrap.Unit)
	assert.InDelta(t, 500000, wrap.Value, 1e-6)
	assert.InDelta(t, 0.5, *wrap.Ratio, 1e-9)
	require.NoError(t, missed(got))
	wrap.MinRatio = 0.6
	require.ErrorContains(t, missed([]Figure{wrap}), "Wrap/SCP03 0.50 (at least 0.60)")

	for _, alone := range got[2:] {
		assert.Nil(t, alone.Baseline, alone.Name)
		assert.InDelta(t, 2e6, alone.Value, 1e-6)
	}
}

func TestBaselineInTurns(t *testing.T) {
	runs, err := collect(strings.NewReader(`pkg: tokenwright/tms/esc/pcsc
BenchmarkService-2  10  900 ns/op  100 apdu/s  200 baseline-apdu/s  0.6000 min-ratio
BenchmarkService-2  10  900 ns/op  900 apdu/s  1000 baseline-apdu/s  0.6000 min-ratio
BenchmarkService-2  10  900 ns/op  300 apdu/s  400 baseline-apdu/s  0.6000 min-ratio
`))
	require.NoError(t, err)
	got := pair(runs)
	require.Len(t, got, 1)
	assert.InDelta(t, 300, got[0].Value, 1e-9)
	assert.InDelta(t, 400, *got[0].Baseline, 1e-9)
	assert.InDelta(t, 0.75, *got[0].Ratio, 1e-9, "the median of 0.5, 0.9 and 0.75")
	require.NoError(t, missed(got))
	got[0].MinRatio = 0.8
	require.Error(t, missed(got))
}

func TestTable(t *testing.T) {
	runs, err := collect(strings.NewReader(output))
	require.NoError(t, err)
	var table bytes.Buffer
	printTable(&table, pair(runs))
	lines := strings.Split(table.String(), "\n")
	assert.Equal(t, []string{"figure", "unit", "value", "baseline", "ratio"}, strings.Fields(lines[0]))
	assert.Equal(t, []string{"vpcd", "Socket/bytes=5", "apdu/s", "20000", "75000", "0.27"},
		strings.Fields(lines[1]))
	assert.Contains(t, lines[2], "0.50 (at least 0.50)")
	assert.Equal(t, []string{"scp", "Parse", "op/s", "2000000", "-", "-"}, strings.Fields(lines[3]))
}

func TestJSON(t *testing.T) {
	runs, err := collect(strings.NewReader(output))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "bench.json")
	require.NoError(t, writeJSON(file, pair(runs)))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var back []map[string]any
	require.NoError(t, json.Unmarshal(text, &back))
	require.Len(t, back, 4)
	assert.Equal(t, "Socket/bytes=5", back[0]["figure"])
	assert.InDelta(t, 0.2666, back[0]["ratio"], 1e-3)
	assert.NotContains(t, back[2], "baseline", "no baseline is told from a baseline of zero")
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0.5: "0.50", 9.999: "10.00", 12.34: "12.3", 123.4: "123"} {
		assert.Equal(t, want, number(v))
	}
}
