package evidence_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/capability"
	"tokenwright/features/certify"
	"tokenwright/features/evidence"
	"tokenwright/features/verdict"
	"tokenwright/fixtures/applets"
	"tokenwright/simcard/stock"
)

// run gives the report of a real run, as JSON.
func run(t *testing.T) []byte {
	t.Helper()
	st, err := stock.ByName("sce7-scp03")
	require.NoError(t, err)
	file, err := applets.File(certify.AppletFor(st))
	require.NoError(t, err)
	src := &certify.Simulated{Stock: st, Seed: 1}
	defer func() { require.NoError(t, src.Close()) }()
	r, err := certify.Run(context.Background(), certify.Config{
		Source: src, Only: []string{"SEL", "GDA"}, Seed: 1, Keys: certify.FactoryKeys(st), LoadFile: file,
		Tool: "test",
	})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, r.WriteJSON(&out))
	return out.Bytes()
}

// A forger changes something and makes the chain whole again.
func TestForgedReportsAreRefused(t *testing.T) {
	text := run(t)
	read := func() *evidence.Report {
		r, err := evidence.ReadJSON(bytes.NewReader(text))
		require.NoError(t, err)
		return r
	}
	require.NoError(t, read().Verify())

	record := func(r *evidence.Report, kind evidence.Kind) *evidence.Record {
		i := slices.IndexFunc(r.Transcript, func(x evidence.Record) bool { return x.Kind == kind })
		require.GreaterOrEqual(t, i, 0)
		return &r.Transcript[i]
	}
	status := func(r *evidence.Report) *evidence.Record {
		i := slices.IndexFunc(r.Transcript, func(x evidence.Record) bool {
			return x.Check != nil && x.Check.Kind == verdict.Status && x.Check.Exchange > 0
		})
		require.GreaterOrEqual(t, i, 0)
		return &r.Transcript[i]
	}
	passed := func(r *evidence.Report) *evidence.Result {
		i := slices.IndexFunc(r.Results, func(x evidence.Result) bool { return x.Finding.Verdict == verdict.Pass })
		require.GreaterOrEqual(t, i, 0)
		return &r.Results[i]
	}
	forgeries := map[string]func(r *evidence.Report){
		"a verdict":   func(r *evidence.Report) { passed(r).Finding = verdict.Finding{Verdict: verdict.Deviation} },
		"the summary": func(r *evidence.Report) { r.Counts[verdict.Fail]++ },
		"a case less": func(r *evidence.Report) {
			r.Counts[r.Results[0].Finding.Verdict]--
			r.Results = r.Results[1:]
		},
		"a case twice":           func(r *evidence.Report) { r.Results = append(r.Results, r.Results[0]) },
		"a title":                func(r *evidence.Report) { r.Results[0].Title = "Another" },
		"a class":                func(r *evidence.Report) { r.Results[0].Class = verdict.Beyond },
		"the card":               func(r *evidence.Report) { r.Header.CUID = "00" },
		"the disclaimer":         func(r *evidence.Report) { r.Disclaimer = "Certified." },
		"the number of commands": func(r *evidence.Report) { r.Exchanges++ },
		"no cases":               func(r *evidence.Report) { r.Results = nil },
		"a fact": func(r *evidence.Report) {
			for name := range r.Facts {
				r.Facts[name] = "7"
			}
		},
		"a record of the judge's inputs": func(r *evidence.Report) {
			status(r).Check.Got = []string{"6F00"}
			status(r).Check.Want = []string{"6F00"}
		},
		"an answer on the wire": func(r *evidence.Report) {
			x := &r.Transcript[status(r).Check.Exchange-1]
			x.Resp = x.Resp[:len(x.Resp)-4] + "6F00"
		},
		"an exchange gone": func(r *evidence.Report) {
			at := status(r).Check.Exchange - 1
			r.Transcript = slices.Delete(r.Transcript, at, at+1)
		},
		"the judge's input": func(r *evidence.Report) { record(r, evidence.KindVerdict).Input.LeftOut = "no consent" },
		"what applies": func(r *evidence.Report) {
			record(r, evidence.KindVerdict).Input.Applies = capability.Always + " and not " + capability.Always
		},
		"a second header": func(r *evidence.Report) {
			h := *record(r, evidence.KindHeader)
			r.Transcript = append(r.Transcript, h)
		},
	}
	for what, forge := range forgeries {
		r := read()
		forge(r)
		r.Relink()
		require.ErrorIs(t, r.Verify(), evidence.ErrVerdict, what)
	}
	r := read()
	record(r, evidence.KindExchange).Took++
	require.ErrorIs(t, r.Verify(), evidence.ErrChain)
}
