package tps_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/wire"
)

func TestRenewKeepsKeys(t *testing.T) {
	for _, keep := range []bool{true, false} {
		l := enrollLab(t, "defKeySet", serverSide...)
		card := newCard(t, "gp211-scp02")
		l.mustEnroll(card)
		l.setPolicy(card, fmt.Sprintf("RENEW=YES;RENEW_KEEP_OLD_ENC_CERTS=%t", keep))
		before := contentOf(t, card)
		l.mustEnroll(card)
		want := []string{"signing gone renewed", "encryption gone renewed", "signing held active",
			"encryption held active"}
		if keep {
			want[1] = "encryption held renewed"
		}
		assert.Equal(t, want, l.certs(card.CUID()))
		after := contentOf(t, card)
		assert.Equal(t, before.Keys, after.Keys)
		assert.Len(t, after.Certificates, len(want)-2+map[bool]int{true: 1}[keep])
		l.checkInvariants(card)
		recs := l.certRecords(card.CUID())
		for i := range 2 {
			assert.Equal(t, "valid", l.ca.state(recs[i].Serial), "a renewed certificate is not revoked")
			assert.Equal(t, connector.Serial(recs[i].Serial),
				l.ca.issued[connector.Serial(recs[i+2].Serial)].renews)
			assert.Equal(t, recs[i].KeyID, recs[i+2].KeyID)
		}
		assert.Equal(t, "renewal success", slices.Max(l.history(card.CUID())))
	}
}

func TestRenewOutsideGracePeriodChangesNothing(t *testing.T) {
	l := enrollLab(t, "defKeySet",
		"op.enroll.userKey.renewal.signing.gracePeriod.enable=true",
		"op.enroll.userKey.renewal.encryption.gracePeriod.enable=true")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.setPolicy(card, "RENEW=YES")
	before := contentOf(t, card)
	l.mustEnroll(card)
	assert.Equal(t, before, contentOf(t, card))
	assert.Len(t, l.certs(card.CUID()), 2)
	l.checkInvariants(card)
}

func TestRenewWithoutTheCA(t *testing.T) {
	for _, after := range []bool{false, true} {
		l := enrollLab(t, "defKeySet")
		card := newCard(t, "gp211-scp02")
		l.mustEnroll(card)
		l.setPolicy(card, "RENEW=YES")
		l.ca.setDown(true, after)
		assert.Equal(t, wire.StatusRecoveryFailed, l.enroll(card).Status)
		l.ca.setDown(false, false)
		require.NoError(t, l.server.Reconcile(t.Context(), l.store))
		l.checkInvariants(card)
		assert.Equal(t, token.Active, l.record(card.CUID()).Status)
		l.mustEnroll(card)
		l.checkInvariants(card)
	}
}

func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		state token.State
		typ   string
		want  []string
		// same tells that the encryption certificate is the lost token's.
		same bool
	}{
		{token.Damaged, "userKey", []string{"signing", "encryption"}, true},
		{token.PermLost, "userKey", []string{"signing", "encryption"}, false},
		{token.Suspended, "userKeyTemporary", []string{"auth", "signing", "encryption"}, true},
	} {
		t.Run(c.state.String(), func(t *testing.T) {
			l := enrollLab(t, "defKeySet", serverSide...)
			lost := newCard(t, "gp211-scp02")
			l.mustEnroll(lost)
			l.setState(lost, c.state)
			old := l.certRecords(lost.CUID())[1]
			if c.state == token.Suspended {
				l.hold(t, lost)
			}
			card := newCard(t, "gp211-scp02", simcard.WithSeed(8))
			l.mustEnroll(card)
			rec := l.record(card.CUID())
			assert.Equal(t, token.Active, rec.Status)
			assert.Equal(t, c.typ, rec.Type)
			var types []string
			for _, n := range l.certRecords(card.CUID()) {
				types = append(types, n.KeyType)
				if n.KeyType == "encryption" {
					assert.Equal(t, c.same, n.CertID == old.CertID)
					assert.Equal(t, c.same, n.Origin == lost.CUID())
					assert.Equal(t, token.CertActive, n.Status)
					assert.Equal(t, "valid", l.ca.state(n.Serial))
				}
			}
			assert.Equal(t, c.want, types)
			assert.Contains(t, l.history(card.CUID()), "recovery success")
			if c.state == token.Suspended {
				assert.Contains(t, l.history(card.CUID()), "cert_unrevocation success")
			}
			l.checkHeld(card)
			assert.Empty(t, l.openIntents(card.CUID()))
		})
	}
}

// hold has the CA hold the certificates of a token, as suspending it does.
func (l *lab) hold(t *testing.T, card *simcard.Card) {
	t.Helper()
	for _, n := range l.certRecords(card.CUID()) {
		require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{
			Serial: connector.Serial(n.Serial), Reason: connector.ReasonCertificateHold,
		}))
	}
}

func TestRecoverLastBesideANewKey(t *testing.T) {
	l := enrollLab(t, "defKeySet", append(slices.Clone(serverSide),
		"op.enroll.userKey.keyGen.encryption.recovery.destroyed.scheme=GenerateNewKeyAndRecoverLast")...)
	lost := newCard(t, "gp211-scp02")
	l.mustEnroll(lost)
	l.setState(lost, token.Damaged)
	card := newCard(t, "gp211-scp02", simcard.WithSeed(8))
	l.mustEnroll(card)
	assert.Equal(t, []string{
		"signing held active", "encryption held active", "encryption held active",
	}, l.certs(card.CUID()))
	assert.Len(t, contentOf(t, card).Pairs(), 3)
	l.checkHeld(card)
}

func TestRecoveryRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  wire.Status
	}{
		"key not archived": {nil, wire.StatusRecoveryFailed},
		"no certificate": {
			[]string{"op.enroll.userKey.keyGen.encryption.serverKeygen.enable=true"},
			wire.StatusInactiveTokenNotFound,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := enrollLab(t, "defKeySet")
			lost := newCard(t, "gp211-scp02")
			l.mustEnroll(lost)
			l.setState(lost, token.Damaged)
			l.configure(enrollConfig("defKeySet", c.lines...)...)
			card := newCard(t, "gp211-scp02", simcard.WithSeed(8))
			assert.Equal(t, c.want, l.enroll(card).Status, "%s", l.log)
		})
	}
}

// A recovery that fails leaves the earlier token's certificate as it was.
func TestFailedRecoveryTouchesNothingOfTheEarlierToken(t *testing.T) {
	l := enrollLab(t, "defKeySet", serverSide...)
	lost := newCard(t, "gp211-scp02")
	l.mustEnroll(lost)
	l.setState(lost, token.Damaged)
	l.onFailpoint(func(name string) error {
		if name == op.FailContentIntent {
			return context.Canceled
		}
		return nil
	})
	card := newCard(t, "gp211-scp02", simcard.WithSeed(8))
	_, err := (&client{user: "alice", password: "secret123", pin: "1234", card: inReader(card)}).
		run(t.Context(), l.http.URL, wire.OpEnroll)
	require.Error(t, err)
	l.onFailpoint(nil)
	require.NoError(t, l.server.Reconcile(t.Context(), l.store))
	assert.Equal(t, []string{"signing gone revoked"}, l.certs(card.CUID()))
	assert.Equal(t, []string{"signing held active", "encryption held active"}, l.certs(lost.CUID()))
	for _, n := range l.certRecords(lost.CUID()) {
		assert.Equal(t, "valid", l.ca.state(n.Serial))
	}
	replug(t, card)
	l.mustEnroll(card)
	l.checkHeld(card)
}
