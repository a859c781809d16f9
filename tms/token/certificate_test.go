package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

func TestCertificateIsValidUntilRevokedOrExpired(t *testing.T) {
	end := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		status token.CertStatus
		before time.Duration
		want   bool
	}{
		{token.CertActive, time.Second, true},
		{token.CertRenewed, time.Second, true},
		{token.CertOnHold, time.Second, true},
		{token.CertRevoked, time.Second, false},
		{token.CertActive, 0, false},
	} {
		cert := token.Certificate{Status: c.status, NotAfter: end}
		require.Equal(t, c.want, cert.Valid(end.Add(-c.before)), "%s, %s before", c.status, c.before)
	}
}

func TestCertificateWordsAreReadBack(t *testing.T) {
	for _, s := range []token.CertStatus{
		token.CertActive, token.CertRevoked, token.CertOnHold, token.CertRenewed,
	} {
		got, err := token.ParseCertStatus(strings.ToUpper(string(s)))
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
	for _, p := range []token.Presence{token.Pending, token.Held, token.Replaced, token.Gone} {
		got, err := token.ParsePresence(strings.ToUpper(string(p)))
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
	_, err := token.ParseCertStatus("good")
	require.ErrorContains(t, err, `"good"`)
	_, err = token.ParsePresence("")
	require.Error(t, err)
}

func TestCertificateIsSharedWithTheTokenItWasIssuedFor(t *testing.T) {
	c := token.Certificate{CUID: keys.CUID{1}, Origin: keys.CUID{1}}
	require.False(t, c.Shared())
	c.Origin = keys.CUID{2}
	require.True(t, c.Shared())
}

// Steps at a CA or KRA stay open whatever later happens to the card.
func TestIntentKindsOnTheCard(t *testing.T) {
	for kind, on := range map[token.IntentKind]bool{
		token.IntentPutKey: true, token.IntentLoadApplet: true, token.IntentSetPIN: true,
		token.IntentWriteKey: true, token.IntentWriteContent: true,
		token.IntentArchiveKey: false, token.IntentIssueCert: false, token.IntentRevokeCert: false,
	} {
		require.True(t, kind.Valid())
		require.Equal(t, on, kind.OnCard(), kind)
	}
	require.False(t, token.IntentKind("dance").Valid())
	require.False(t, token.IntentKind("dance").OnCard())
}
