package tokendb_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// Mending one thing of a certificate's record leaves what became of the others meanwhile.
func TestMendKeepsWhatOthersRecorded(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Add(t.Context(), agent("1", ""), cuid, tokendb.Edit{})
	require.NoError(t, err)
	cert := token.Certificate{
		CertID: token.CertID{Issuer: "CN=CA", Serial: "1"}, CUID: cuid, Origin: cuid,
		Status: token.CertActive, Presence: token.Held, NotBefore: w.now, NotAfter: w.now.AddDate(1, 0, 0),
	}
	_, err = w.store.Apply(t.Context(), store.Change{
		CUID: cuid, Certs: []token.Certificate{cert}, Actor: "a session", Why: "enrolled", At: w.now,
	})
	require.NoError(t, err)
	c := w.by("2", "")
	require.NoError(t, w.by("3", "").MendStatus(t.Context(), cert.CertID, token.CertRevoked, "the CA says so"))
	require.NoError(t, c.MendKey(t.Context(), cert.CertID, "kra1", "7", "it is there"))
	list := w.by("4", "").Certificates()
	require.Len(t, list, 1)
	require.Equal(t, token.CertRevoked, list[0].Status)
	require.Equal(t, "kra1", list[0].KRA)
	require.Equal(t, "7", list[0].KeyID)
}
