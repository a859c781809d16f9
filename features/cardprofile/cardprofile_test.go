package cardprofile

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func steady(micros int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = micros + int64(i%3)
	}
	return out
}

// twin gives a card, and another of its stock and lot.
func twin() (a, b Profile) {
	a = Profile{
		Schema: Schema, Tool: "cardcert 1", Taken: "2026-11-24T10:00:00Z", Reader: "virtual", Protocol: "T=1",
		Fields: map[string]string{
			"atr": "3B9811", "scp": "03", "i": "70", "cuid": "01", "kdd": "02", "cplc.IC serial number": "0001",
			"cplc.IC type": "7160", "cplc.IC batch": "0005", "cplc.personalizer": "0005", "memory.persistent": "65536", "keys.0": "01 70 88 16",
		},
		Times: map[string][]int64{
			"apdu.GET DATA": steady(8000, 40), "crypto.RSA-2048 generate": steady(12_000_000, 12),
		},
	}
	b = a
	b.Fields, b.Times = maps.Clone(a.Fields), maps.Clone(a.Times)
	b.Fields["cuid"], b.Fields["kdd"], b.Fields["cplc.IC serial number"] = "11", "12", "0002"
	return a, b
}

func TestACardOfTheSameStockMatches(t *testing.T) {
	a, b := twin()
	c := Compare(a, b)
	assert.Equal(t, Match, c.Verdict)
	assert.Len(t, c.Findings, len(a.Fields)+len(a.Times))
	b.Fields["memory.persistent"] = "65000"
	b.Fields["cplc.IC batch"] = "0006"
	b.Times["apdu.GET DATA"] = steady(9000, 40)
	b.Times["crypto.RSA-2048 generate"] = steady(18_000_000, 12)
	assert.Equal(t, Match, Compare(a, b).Verdict)
}

func TestOneFieldThatDiffersTells(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Profile)
		want   Verdict
	}{
		{"scp", func(p *Profile) { p.Fields["scp"] = "02" }, Suspicious},
		{"cplc.IC type", func(p *Profile) { p.Fields["cplc.IC type"] = "7161" }, Suspicious},
		{"keys.0", func(p *Profile) { delete(p.Fields, "keys.0") }, Suspicious},
		{"getData.FF21", func(p *Profile) { p.Fields["getData.FF21"] = "yes" }, Suspicious},
		{"cuid", func(p *Profile) { p.Fields["cuid"] = "01" }, Suspicious},
		{"cplc.personalizer", func(p *Profile) { p.Fields["cplc.personalizer"] = "0006" }, Warn},
		{"memory.persistent", func(p *Profile) { p.Fields["memory.persistent"] = "61000" }, Warn},
		{"memory.persistent", func(p *Profile) { p.Fields["memory.persistent"] = "32768" }, Suspicious},
		{"memory.persistent", func(p *Profile) { p.Fields["memory.persistent"] = "lots" }, Suspicious},
		{"memory.persistent", func(p *Profile) { p.Fields["memory.persistent"] = "0" }, Suspicious},
		{"apdu.GET DATA", func(p *Profile) { p.Times["apdu.GET DATA"] = steady(11500, 40) }, Warn},
		{"apdu.GET DATA", func(p *Profile) { p.Times["apdu.GET DATA"] = steady(4000, 40) }, Suspicious},
		{"apdu.GET DATA", func(p *Profile) { delete(p.Times, "apdu.GET DATA") }, Warn},
		{"apdu.SELECT", func(p *Profile) { p.Times["apdu.SELECT"] = steady(1, 40) }, Warn},
		{"crypto.RSA-2048 generate", func(p *Profile) {
			p.Times["crypto.RSA-2048 generate"] = steady(40_000_000, 12)
		}, Suspicious},
	} {
		a, b := twin()
		c.change(&b)
		got := Compare(a, b)
		assert.Equal(t, c.want, got.Verdict, c.name)
		assert.Equal(t, c.name, got.Findings[0].Name)
		assert.NotEmpty(t, got.Findings[0].Why)
		assert.NotEqual(t, c.want, got.Findings[1].Verdict)
	}
}

func TestTimesOfAnotherReaderAreNotCompared(t *testing.T) {
	a, b := twin()
	b.Reader = "contactless"
	b.Times["apdu.GET DATA"] = steady(99000, 40)
	assert.Equal(t, Match, Compare(a, b).Verdict)
	a, b = twin()
	b.Times["apdu.GET DATA"] = steady(99000, fewest-1) // too few to judge by
	assert.Equal(t, Match, Compare(a, b).Verdict)
	a.Times["apdu.GET DATA"], b.Times["apdu.GET DATA"] = steady(10, 40), steady(900, 40) // too quick
	assert.Equal(t, Match, Compare(a, b).Verdict)
}

func TestQuantiles(t *testing.T) {
	var samples []int64
	for i := range int64(200) {
		samples = append(samples, 200-i)
	}
	assert.Equal(t, Quantiles{N: 200, P50: 100, P95: 190, P99: 198, Max: 200}, QuantilesOf(samples))
	assert.Equal(t, Quantiles{N: 1, P50: 7, P95: 7, P99: 7, Max: 7}, QuantilesOf([]int64{7}))
	assert.Equal(t, Quantiles{}, QuantilesOf(nil))
	assert.EqualValues(t, 200, samples[0])
}

func TestReadAndWrite(t *testing.T) {
	a, _ := twin()
	var out bytes.Buffer
	require.NoError(t, a.Write(&out))
	text := out.String()
	got, err := Read(&out)
	require.NoError(t, err)
	assert.Equal(t, a, got)
	for _, bad := range []string{
		"", "{}", "[]", text + "{}", strings.Replace(text, `"schema": 1`, `"schema": 2`, 1),
		strings.Replace(text, `"reader"`, `"raeder"`, 1),
		`{"schema":1,"fields":{"a":"b"},"times":{"x":[-1]}}`,
		strings.Repeat(" ", maxSize+1),
	} {
		_, err := Read(strings.NewReader(bad))
		require.ErrorIs(t, err, ErrProfile)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":1,"fields":{"scp":"03"},"times":{"a":[5,7]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		require.NoError(t, p.Write(&once))
		written := once.String()
		q, err := Read(&once)
		require.NoError(t, err)
		require.NoError(t, q.Write(&twice))
		require.Equal(t, written, twice.String())
	})
}
