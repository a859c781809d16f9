package evidence_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/capability"
	"tokenwright/features/catalogue"
	"tokenwright/features/evidence"
	"tokenwright/features/verdict"
	"tokenwright/tms/gp/decode"
)

func sample(t *testing.T, sink *bytes.Buffer) *evidence.Report {
	t.Helper()
	rec := evidence.NewRecorder(sink)
	rec.SetCase("SEL-01")
	var tracker decode.Tracker
	first := rec.Exchange(&tracker, []byte{0, 0xA4, 4, 0, 0}, []byte{0x6A, 0x82}, time.Now(), time.Millisecond, nil, false)
	pin := append([]byte{0xB0, 0x42, 0, 0, 8}, "s3cr3t<>"...)
	last := rec.Exchange(&tracker, pin, []byte{0x90, 0x00}, time.Now(), time.Millisecond, nil, false)
	c := catalogue.Case{ID: "SEL-01", Title: "A title <b>", Clause: "gpcs-11.9", Class: verdict.Must}
	res := evidence.NewResult(c, verdict.Finding{Verdict: verdict.Fail, Reasons: []string{"why & how"}})
	res.First, res.Last = first, last
	return evidence.Finish(evidence.Header{CUID: "00"}, capability.Set{"scp": "3"}, []catalogue.Case{c},
		[]evidence.Result{res}, rec)
}

func TestTheChain(t *testing.T) {
	var sink bytes.Buffer
	r := sample(t, &sink)
	require.NoError(t, evidence.VerifyChain(r.Transcript, r.Root))
	for _, tamper := range []func([]evidence.Record) []evidence.Record{
		func(x []evidence.Record) []evidence.Record { x[0].Resp = "9000"; return x },
		func(x []evidence.Record) []evidence.Record { return x[1:] },
		func(x []evidence.Record) []evidence.Record { return x[:1] },
		func(x []evidence.Record) []evidence.Record { x[0], x[1] = x[1], x[0]; return x },
		func(x []evidence.Record) []evidence.Record { x[1].Took++; return x },
	} {
		changed := tamper(append([]evidence.Record(nil), r.Transcript...))
		require.ErrorIs(t, evidence.VerifyChain(changed, r.Root), evidence.ErrChain)
	}
	var lines []evidence.Record
	for line := range strings.Lines(sink.String()) {
		var x evidence.Record
		require.NoError(t, json.Unmarshal([]byte(line), &x))
		lines = append(lines, x)
	}
	require.NoError(t, evidence.VerifyChain(lines, r.Root), "what was written as it grew is the same")
}

func TestSecretsAreMasked(t *testing.T) {
	r := sample(t, &bytes.Buffer{})
	var all bytes.Buffer
	require.NoError(t, r.WriteJSON(&all))
	require.NoError(t, r.WriteHTML(&all))
	require.NoError(t, r.WriteJUnit(&all))
	require.NotContains(t, all.String(), "s3cr3t")
	require.NotContains(t, strings.ToUpper(all.String()), "733363723374")
	require.Contains(t, all.String(), "B042000008****************")
}

func TestFormsOfAReport(t *testing.T) {
	r := sample(t, &bytes.Buffer{})
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	again, err := evidence.ReadJSON(&b)
	require.NoError(t, err)
	require.NoError(t, evidence.VerifyChain(again.Transcript, again.Root))
	require.Equal(t, r.Results, again.Results)
	_, err = evidence.ReadJSON(strings.NewReader(`{"schema":"other/1"}`))
	require.ErrorContains(t, err, "schema")

	b.Reset()
	require.NoError(t, r.WriteHTML(&b))
	require.Contains(t, b.String(), "A title &lt;b&gt;")
	require.NotContains(t, b.String(), "<script")
	require.NotContains(t, b.String(), "http://")

	b.Reset()
	require.NoError(t, r.WriteJUnit(&b))
	var suite struct {
		Failures int `xml:"failures,attr"`
	}
	require.NoError(t, xml.Unmarshal(b.Bytes(), &suite))
	require.Equal(t, 1, suite.Failures)
}
