package certify_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/certify"
	"tokenwright/features/evidence"
	"tokenwright/features/verdict"
	"tokenwright/fixtures/applets"
	"tokenwright/simcard/stock"
)

// simulated runs cases on a virtual card of a stock.
func simulated(t *testing.T, name string, only ...string) *evidence.Report {
	t.Helper()
	st, err := stock.ByName(name)
	require.NoError(t, err)
	file, err := applets.File(certify.AppletFor(st))
	require.NoError(t, err)
	src := &certify.Simulated{Stock: st, Seed: 1}
	t.Cleanup(func() { require.NoError(t, src.Close()) })
	report, err := certify.Run(context.Background(), certify.Config{
		Source: src, Only: only, Seed: 1, Keys: certify.FactoryKeys(st), LoadFile: file, Tool: "test",
		Strict: true,
	})
	require.NoError(t, err)
	return report
}

// Every stock comes back from a loss of power at any write with its old state or the new one.
func TestStocksOutliveCuts(t *testing.T) {
	if testing.Short() {
		t.Skip("some 50,000 commands for each stock")
	}
	for _, name := range stock.Names() {
		t.Run(name, func(t *testing.T) {
			for _, res := range simulated(t, name, "tear").Results {
				require.NotContains(t, []verdict.Verdict{verdict.Fail, verdict.Inconclusive},
					res.Finding.Verdict, "%s: %v", res.ID, res.Finding.Reasons)
			}
		})
	}
}

// Every stock passes the catalogue: what does not apply says why, and nothing stays open.
func TestStocksPass(t *testing.T) {
	for _, name := range stock.Names() {
		t.Run(name, func(t *testing.T) {
			report := simulated(t, name)
			for _, res := range report.Results {
				switch res.Finding.Verdict {
				case verdict.Fail, verdict.Inconclusive:
					t.Errorf("%s %s: %s: %s", res.ID, res.Title, res.Finding.Verdict,
						strings.Join(res.Finding.Reasons, "; "))
				case verdict.NotApplicable, verdict.Deviation:
					require.NotEmpty(t, res.Finding.Reasons, res.ID)
				}
			}
			require.NotZero(t, report.Counts[verdict.Pass])
			require.NoError(t, evidence.VerifyChain(report.Transcript, report.Root))
		})
	}
}
