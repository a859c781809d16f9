package tps_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/connector"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// changeState moves a card's token to a state, as an agent.
func (l *lab) changeState(card *simcard.Card, to token.State) error {
	_, err := l.server.ChangeState(l.t.Context(), card.CUID(), to, "agent")
	return err
}

// caStates gives the CA's word on each certificate of a card.
func (l *lab) caStates(card *simcard.Card) (out []string) {
	l.t.Helper()
	for _, c := range l.certRecords(card.CUID()) {
		out = append(out, l.ca.state(c.Serial))
	}
	return out
}

func TestStatesRevokeAsTheTokenTypeSays(t *testing.T) {
	for state, want := range map[token.State][]string{
		token.PermLost:   {"revoked 1", "revoked 1"},
		token.Damaged:    {"revoked 0", "valid"},
		token.Suspended:  {"revoked_on_hold", "revoked_on_hold"},
		token.Terminated: {"revoked 1", "revoked 1"},
	} {
		t.Run(state.String(), func(t *testing.T) {
			l := enrollLab(t, "defKeySet", serverSide...)
			card := newCard(t, "gp211-scp02")
			l.mustEnroll(card)
			require.NoError(t, l.changeState(card, state))
			require.NoError(t, l.changeState(card, state), "again changes nothing")
			assert.Equal(t, want, l.caStates(card))
			assert.Equal(t, state, l.record(card.CUID()).Status)
			assert.Empty(t, l.openIntents(card.CUID()))
			assert.Equal(t, "token_status_change success", slices.Max(l.history(card.CUID())))
			for i, c := range l.certRecords(card.CUID()) {
				assert.Equal(t, want[i] == "valid", c.Status == token.CertActive)
			}
		})
	}
}

func TestFoundTokenIsReleased(t *testing.T) {
	l := enrollLab(t, "defKeySet", serverSide...)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	require.NoError(t, l.changeState(card, token.Suspended))
	require.NoError(t, l.changeState(card, token.Active))
	assert.Equal(t, []string{"valid", "valid"}, l.caStates(card))
	assert.Contains(t, l.history(card.CUID()), "cert_unrevocation success")
	l.checkInvariants(card)
}

func TestStateWaitsForTheCA(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.ca.setDown(true, false)
	for range 2 { // asking again changes nothing
		err := l.changeState(card, token.PermLost)
		require.ErrorIs(t, err, connector.ErrUnavailable)
		require.ErrorIs(t, err, op.ErrLater)
		assert.Equal(t, wire.StatusRevokeCertificates, contact.StatusOf(err))
		assert.Equal(t, token.Active, l.record(card.CUID()).Status)
		assert.Equal(t, []string{"revoke_cert", "revoke_cert"}, l.openIntents(card.CUID()))
	}
	require.Error(t, l.server.Reconcile(t.Context(), l.store))
	assert.Equal(t, token.Active, l.record(card.CUID()).Status)
	l.ca.setDown(false, false)
	require.NoError(t, l.server.Reconcile(t.Context(), l.store))
	assert.Equal(t, []string{"revoked 1", "revoked 1"}, l.caStates(card))
	assert.Equal(t, token.PermLost, l.record(card.CUID()).Status)
	assert.Empty(t, l.openIntents(card.CUID()))
	page, err := l.store.Activities(t.Context(), store.ActivityQuery{
		CUID: card.CUID(), Op: token.OpStatusChange, Result: token.Success,
	})
	require.NoError(t, err)
	require.Len(t, page.Activities, 1)
	assert.Equal(t, "agent", page.Activities[0].Actor, "who asked for it")
}

// Whoever finds the token again says so, and what waits is given up.
func TestChangeThatWaitsIsGivenUp(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.ca.setDown(true, false)
	require.ErrorIs(t, l.changeState(card, token.PermLost), op.ErrLater)
	require.NoError(t, l.changeState(card, token.Active))
	assert.Empty(t, l.openIntents(card.CUID()))
	l.ca.setDown(false, false)
	require.NoError(t, l.server.Reconcile(t.Context(), l.store))
	assert.Equal(t, []string{"valid", "valid"}, l.caStates(card))
	l.ca.setDown(true, false)
	require.ErrorIs(t, l.changeState(card, token.PermLost), op.ErrLater)
	require.ErrorIs(t, l.changeState(card, token.Suspended), op.ErrLater)
	l.ca.setDown(false, false)
	require.NoError(t, l.server.Reconcile(t.Context(), l.store))
	assert.Equal(t, token.Suspended, l.record(card.CUID()).Status)
	assert.Equal(t, []string{"revoked_on_hold", "revoked_on_hold"}, l.caStates(card))
	l.checkInvariants(card)
}

// A server that dies in the midst of a change of state leaves one that is finished.
func TestChangeOfStateOutlivesTheServer(t *testing.T) {
	for _, point := range []string{routing.FailRevokeDone, routing.FailRevokeOutcome} {
		for nth := 1; nth <= 2; nth++ {
			l := enrollLab(t, "defKeySet")
			card := newCard(t, "gp211-scp02")
			l.mustEnroll(card)
			seen := 0
			l.onFailpoint(func(name string) error {
				if name == point {
					seen++
				}
				if seen == nth {
					return contact.ErrKilled
				}
				return nil
			})
			_ = l.changeState(card, token.PermLost) // it may be done at the last point
			l.onFailpoint(nil)
			require.GreaterOrEqual(t, seen, nth, point)
			require.NoError(t, l.server.Reconcile(t.Context(), l.store))
			assert.Equal(t, []string{"revoked 1", "revoked 1"}, l.caStates(card), point)
			assert.Equal(t, token.PermLost, l.record(card.CUID()).Status, point)
			assert.Empty(t, l.openIntents(card.CUID()))
		}
	}
}

// A card that is reported lost while its CA is away is no use to whoever has it.
func TestTokenThatWaitsIsRefusedOnceTheCAAnswers(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.ca.setDown(true, false)
	require.ErrorIs(t, l.changeState(card, token.PermLost), op.ErrLater)
	l.ca.setDown(false, false)
	end := l.enroll(card)
	assert.Equal(t, wire.StatusUnusableKeyCompromise, end.Status)
	assert.Equal(t, token.PermLost, l.record(card.CUID()).Status)
}

// What was renewed is for the same keys: whoever has them must not go on with the certificates before.
func TestLostTokenTakesItsRenewedCertificatesAlong(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.setPolicy(card, "RENEW=YES;RENEW_KEEP_OLD_ENC_CERTS=NO")
	l.mustEnroll(card)
	require.NoError(t, l.changeState(card, token.Suspended))
	hold := "revoked_on_hold"
	assert.Equal(t, []string{hold, hold, hold, hold}, l.caStates(card))
	require.NoError(t, l.changeState(card, token.Active))
	assert.Equal(t, []string{"valid", "valid", "valid", "valid"}, l.caStates(card))
	require.NoError(t, l.changeState(card, token.PermLost))
	assert.Equal(t, []string{"revoked 1", "revoked 1", "revoked 1", "revoked 1"}, l.caStates(card))
	l.checkInvariants(card)
}

// A certificate that the new token holds too is spared only where its type says so.
func TestSharedCertificateOfATerminatedToken(t *testing.T) {
	for _, hold := range []bool{true, false} {
		l := enrollLab(t, "defKeySet", append(slices.Clone(serverSide), fmt.Sprintf(
			"op.enroll.userKey.keyGen.encryption.recovery.terminated."+
				"holdRevocationUntilLastCredential=%t", hold))...)
		lost := newCard(t, "gp211-scp02")
		l.mustEnroll(lost)
		require.NoError(t, l.changeState(lost, token.Damaged))
		l.mustEnroll(newCard(t, "gp211-scp02", simcard.WithSeed(8)))
		l.edit(lost, func(r *token.Record) { *r = r.InState(token.Suspended) })
		require.NoError(t, l.changeState(lost, token.Terminated))
		want := "revoked 1"
		if hold {
			want = "valid"
		}
		assert.Equal(t, want, l.caStates(lost)[1])
	}
}

func TestStatesThatAreNotAllowed(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	require.ErrorIs(t, l.changeState(card, token.Damaged), tokendb.ErrUnknownToken)
	l.mustEnroll(card)
	require.ErrorIs(t, l.changeState(card, token.Formatted), tokendb.ErrNotAllowed)
	require.NoError(t, l.changeState(card, token.Terminated))
	require.NoError(t, l.changeState(card, token.Unformatted))
	rec := l.record(card.CUID())
	assert.Empty(t, rec.UserID+rec.Type+rec.AppletID+rec.KeyInfo)
	l.configure(enrollConfig("defKeySet", "tokendb.allowedTransitions=0:1")...)
	require.ErrorIs(t, l.changeState(card, token.PermLost), tokendb.ErrNotAllowed)
	l.mustEnroll(card)
	l.checkHeld(card)
}
