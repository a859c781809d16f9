package judge

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca/certdb"
)

// What openssl said of one good certificate and one that is revoked.
const (
	verifySaid = "0.pem: OK\nUID = alice\nerror 23 at 0 depth lookup: certificate revoked\n" +
		"error 1.pem: verification failed\n"
	ocspSaid = "Response verify OK\n0.pem: good\n\tThis Update: Nov 24 10:55:38 2026 GMT\n" +
		"1.pem: revoked\n\tThis Update: Nov 24 10:55:38 2026 GMT\n\tReason: superseded\n"
)

func records(states ...certdb.State) (out []subject) {
	for i, s := range states {
		out = append(out, subject{Record: certdb.Record{State: s}, file: []string{"0.pem", "1.pem"}[i]})
	}
	out[1].Reason = 4
	return out
}

func TestVerdictsThatAgree(t *testing.T) {
	part := records(certdb.Valid, certdb.Revoked)
	require.NoError(t, verified(part, verifySaid, true))
	require.NoError(t, answered(part, ocspSaid))
}

func TestVerdictsThatDiffer(t *testing.T) {
	for name, part := range map[string][]subject{
		"a valid certificate is turned down": records(certdb.Valid, certdb.Valid),
		"a revoked one is accepted":          records(certdb.Revoked, certdb.Revoked),
		"one on hold is accepted":            records(certdb.OnHold, certdb.Revoked),
	} {
		require.Error(t, verified(part, verifySaid, true), name)
		require.Error(t, answered(part, ocspSaid), name)
	}
	part := records(certdb.Valid, certdb.Revoked)
	assert.ErrorContains(t, verified(part, verifySaid+"error 3 at 0 depth lookup: no list\n", true), "another fault")
	part[1].Reason = 1
	assert.ErrorContains(t, answered(part, ocspSaid), "keyCompromise")
	assert.ErrorContains(t, answered(part, "0.pem: good\n"), "does not accept")
}
