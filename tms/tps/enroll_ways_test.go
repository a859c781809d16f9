package tps_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

const otherApplet = "1.4.54de790f"

// Another version than the required one is replaced in either direction, and what the
// card held goes with it.
func TestEnrollReplacesTheApplet(t *testing.T) {
	l := enrollLab(t, "defKeySet", serverSide...)
	l.writeApplet(otherApplet, otherApplet)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	for _, version := range []string{otherApplet, applet14} {
		old := l.certRecords(card.CUID())
		l.configure(enrollConfig("defKeySet", append(slices.Clone(serverSide),
			"op.enroll.userKey.update.applet.requiredVersion.prot.2="+version)...)...)
		l.mustEnroll(card)
		assert.Equal(t, version, l.record(card.CUID()).AppletID)
		for _, c := range old {
			assert.Equal(t, "revoked 4", l.ca.state(c.Serial))
		}
		l.checkInvariants(card)
		assert.True(t, verifyPIN(t, card, "1234"))
	}
	l.configure(enrollConfig("defKeySet", append(slices.Clone(serverSide),
		"op.enroll.userKey.update.applet.enable=false",
		"op.enroll.userKey.update.applet.requiredVersion.prot.2="+otherApplet)...)...)
	l.mustEnroll(card)
	assert.Equal(t, applet14, l.record(card.CUID()).AppletID)
	l.checkInvariants(card)
}

// A renewal keeps the keys, and with them the applet whatever version is required.
func TestRenewKeepsTheApplet(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	l.writeApplet(otherApplet, otherApplet)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.setPolicy(card, "RENEW=YES")
	l.configure(enrollConfig("defKeySet",
		"op.enroll.userKey.update.applet.requiredVersion.prot.2="+otherApplet)...)
	l.mustEnroll(card)
	assert.Equal(t, applet14, l.record(card.CUID()).AppletID)
	assert.Contains(t, l.history(card.CUID()), "renewal success")
	l.checkInvariants(card)
}

func TestForcedFormatComesBeforeAnything(t *testing.T) {
	l := enrollLab(t, "defKeySet", serverSide...)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	old := l.certRecords(card.CUID())
	l.setPolicy(card, "FORCE_FORMAT=YES;RENEW=YES")
	l.mustEnroll(card)
	assert.Equal(t, token.Active, l.record(card.CUID()).Status)
	assert.Equal(t, []string{
		"add success", "key_changeover success", "format success", "enrollment success",
		"format success", "enrollment success", "cert_revocation success", "cert_revocation success",
	}, l.history(card.CUID()))
	for _, c := range old {
		assert.Equal(t, "revoked 4", l.ca.state(c.Serial))
	}
	l.checkInvariants(card)
}

func TestEnrollInTheFormOfOldTokens(t *testing.T) {
	l := enrollLab(t, "defKeySet", "op.enroll.userKey.pkcs11obj.enable=false")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	sim := perso.TransmitterFunc(card.Transmit)
	require.NoError(t, perso.SelectApplet(t.Context(), sim, gp.AID{0x62, 0x76, 1, 0xFF, 0, 0, 0}))
	c, form, err := perso.ReadContent(t.Context(), perso.User{Card: sim})
	require.NoError(t, err)
	assert.Equal(t, perso.SeparateContent, form)
	assert.Len(t, c.Certificates, 2)
	assert.Len(t, c.Keys, 4)
}

func TestEnrollWithoutCompression(t *testing.T) {
	l := enrollLab(t, "defKeySet", "op.enroll.userKey.pkcs11obj.compress.enable=false",
		"op.enroll.userKey.keyGen.tokenName=$userid$ $profileId$ $auth.mail$ $nobody$",
		"op.enroll.userKey.keyGen.signing.label=$cuid$/$msn$")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	c := contentOf(t, card)
	assert.Equal(t, "alice userKey alice@example.com $nobody$", c.TokenName)
	assert.Regexp(t, "^"+card.CUID().String()+"/[0-9A-F]{8}$", c.Certificates[0].Label)
}

func TestKeyThatMayNotBeOverwritten(t *testing.T) {
	l := enrollLab(t, "defKeySet", "op.enroll.userKey.keyGen.encryption.overwrite=false")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	assert.Equal(t, wire.StatusMACEnrollPDU, l.enroll(card).Status)
	l.checkRecords()
	l.mustFormat(card)
	l.mustEnroll(card)
	l.checkInvariants(card)
}

func TestKeysTravelAsConfigured(t *testing.T) {
	for _, alg := range []string{"KWP", "CBC", "DES"} {
		t.Run(alg, func(t *testing.T) {
			l := enrollLab(t, "aesKeySet", append(slices.Clone(serverSide),
				"op.enroll.userKey.keyGen.aesKeyWrapAlg="+alg)...)
			card := newCard(t, "sce7-scp03")
			l.mustEnroll(card)
			l.checkInvariants(card)
		})
	}
}

// The card is not asked to prove anything under a challenge that the key service chose.
func TestProofOfPossessionIsUnderOurChallenge(t *testing.T) {
	l := enrollLab(t, "aesKeySet")
	l.tks.swap = true
	card := newCard(t, "sce7-scp03")
	assert.Equal(t, wire.StatusMACEnrollPDU, l.enroll(card).Status)
	assert.Contains(t, l.log.String(), "another challenge")
	assert.Empty(t, l.ca.valid())
}

// A card whose proof is of another key gets no certificate.
func TestKeyWithoutProofIsNotCertified(t *testing.T) {
	l := enrollLab(t, "defKeySet", "channel.encryption=false")
	card := newCard(t, "op201-scp01")
	generated := false
	c := &client{user: "alice", password: "secret123", pin: "1234"}
	c.card = func(cmd []byte) ([]byte, error) {
		answer, err := inReader(card)(cmd)
		generated = generated || cmd[1] == 0x0C
		if generated && cmd[1] == 0x56 && len(answer) > 100 {
			answer[len(answer)-5] ^= 1 // in the last part of the proof, or of the key
		}
		return answer, err
	}
	end, err := c.run(t.Context(), l.http.URL, wire.OpEnroll)
	require.NoError(t, err)
	assert.Equal(t, wire.StatusMACEnrollPDU, end.Status, "%s", l.log)
	assert.Empty(t, l.ca.valid())
	assert.Empty(t, l.ca.issued)
}

func TestEnrolledTokenSaysWhatItsKeysAreFor(t *testing.T) {
	l := enrollLab(t, "defKeySet", serverSide...)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	for _, k := range contentOf(t, card).Keys {
		private := k.Fixed.Class() == content.ClassPrivateKey
		want := map[int]content.Fixed{
			1: content.SigningPublic, 2: content.EncryptionPublic,
		}[k.Fixed.ID()]
		if private {
			want = map[int]content.Fixed{
				1: content.SigningPrivate, 2: content.EncryptionPrivate,
			}[k.Fixed.ID()]
		}
		assert.Equal(t, want, k.Fixed.Flags())
	}
}
