package tps_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
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

func TestStateStaysWhenTheCADoesNotAnswer(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.ca.setDown(true, false)
	err := l.changeState(card, token.PermLost)
	require.ErrorIs(t, err, connector.ErrUnavailable)
	assert.Equal(t, wire.StatusRevokeCertificates, contact.StatusOf(err))
	l.ca.setDown(false, false)
	assert.Equal(t, token.Active, l.record(card.CUID()).Status)
	assert.Contains(t, l.history(card.CUID()), "cert_revocation failure")
	require.NoError(t, l.server.Reconcile(t.Context(), l.store))
	assert.Equal(t, []string{"valid", "valid"}, l.caStates(card), "it was called off")
	l.checkInvariants(card)
	require.NoError(t, l.changeState(card, token.PermLost))
	assert.Equal(t, []string{"revoked 1", "revoked 1"}, l.caStates(card))
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
