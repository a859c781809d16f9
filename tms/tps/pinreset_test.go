package tps_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// resetPIN runs a PIN reset by a user.
func (l *lab) resetPIN(user, pin string, card *simcard.Card) wire.EndOp {
	l.t.Helper()
	c := &client{
		user: user, password: "secret123", pin: pin, progress: true, card: inReader(card),
	}
	end, err := c.run(l.t.Context(), l.http.URL, wire.OpResetPIN)
	require.NoError(l.t, err)
	return end
}

func TestPINReset(t *testing.T) {
	for _, s := range stocks {
		t.Run(s.name, func(t *testing.T) {
			l := enrollLab(t, s.keySet)
			card := newCard(t, s.name)
			l.mustEnroll(card)
			l.setPolicy(card, "PIN_RESET=YES")
			require.True(t, verifyPIN(t, card, "1234"))
			for range 2 {
				end := l.resetPIN("alice", "p+n %&=", card)
				assert.Equal(t, wire.EndOp{Operation: wire.OpResetPIN}, end, "%s", l.log)
			}
			assert.False(t, verifyPIN(t, card, "1234"))
			assert.True(t, verifyPIN(t, card, "p+n %&="))
			assert.Equal(t, token.Active, l.record(card.CUID()).Status)
			l.checkInvariants(card)
			assert.Equal(t, 2, strings.Count(fmt.Sprint(l.history(card.CUID())), "pin_reset success"))
			assert.NotContains(t, l.log.String(), "p+n")
		})
	}
}

func TestPINResetOnce(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.setPolicy(card, "PIN_RESET=YES;RESET_PIN_RESET_TO_NO=YES")
	assert.Equal(t, wire.EndOp{Operation: wire.OpResetPIN}, l.resetPIN("alice", "567890", card))
	assert.Contains(t, l.record(card.CUID()).Policy.String(), "PIN_RESET=NO")
	assert.Equal(t, wire.StatusNotPINResetable, l.resetPIN("alice", "999999", card).Status)
	assert.True(t, verifyPIN(t, card, "567890"))
}

func TestPINResetRefusals(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	unknown := newCard(t, "gp211-scp02", simcard.WithSeed(9))
	assert.Equal(t, wire.StatusUnknownToken, l.resetPIN("alice", "5678", unknown).Status)
	formatted := newCard(t, "gp211-scp02", simcard.WithSeed(8))
	l.mustFormat(formatted)
	assert.Equal(t, wire.StatusNotPINResetable, l.resetPIN("alice", "5678", formatted).Status)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	assert.Equal(t, wire.StatusNotPINResetable, l.resetPIN("alice", "5678", card).Status)
	l.setPolicy(card, "PIN_RESET=YES")
	assert.Equal(t, wire.StatusNotTokenOwner, l.resetPIN("bob", "5678", card).Status)
	assert.Equal(t, wire.StatusLogin, l.resetPIN("mallory", "5678", card).Status)
	for _, pin := range []string{"", "567", "12345678901"} {
		assert.Equal(t, wire.StatusMACResetPINPDU, l.resetPIN("alice", pin, card).Status, pin)
	}
	assert.True(t, verifyPIN(t, card, "1234"), "the PIN is what it was")
	assert.Contains(t, l.history(card.CUID()), "pin_reset failure")
}

// Another applet takes the keys along: no record may go on promising them, and no certificate be good for
// a key that is gone.
func TestPINResetThatReplacesTheApplet(t *testing.T) {
	l := enrollLab(t, "defKeySet",
		"op.pinReset.userKey.issuerinfo.enable=true", "op.pinReset.userKey.issuerinfo.value="+issuerURL,
		"op.pinReset.userKey.update.applet.enable=true",
		"op.pinReset.userKey.update.applet.requiredVersion.prot.2=1.5.65cbf5a6")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.setPolicy(card, "PIN_RESET=YES")
	assert.Equal(t, wire.EndOp{Operation: wire.OpResetPIN}, l.resetPIN("alice", "567890", card), "%s", l.log)
	assert.True(t, verifyPIN(t, card, "567890"))
	rec := l.record(card.CUID())
	assert.Equal(t, token.Formatted, rec.Status)
	assert.Empty(t, rec.UserID)
	assert.Equal(t, "1.5.65cbf5a6", rec.AppletID)
	assert.Equal(t, issuerURL, issuerOn(t, card))
	for _, c := range l.certRecords(card.CUID()) {
		assert.Equal(t, "revoked 4", l.ca.state(c.Serial))
	}
	assert.Empty(t, l.openIntents(card.CUID()))
	l.mustEnroll(card)
	l.checkInvariants(card)
}
