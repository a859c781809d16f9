package tps_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/connector"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// What the key set resolver says of a card beside its key set counts more than the token type; where
// no mapping fits, the token type counts.
func TestResolverChoosesForTheCard(t *testing.T) {
	const mapping = "mappingResolver.keySetMappingResolver.mapping.0."
	lines := append([]string{
		"op.enroll.keySetMappingResolver=keySetMappingResolver",
		"mappingResolver.keySetMappingResolver.mapping.order=0",
		mapping + "filter.symKeySize=128",
		"op.enroll.userKey.keyGen.encryption.serverKeygen.keyGenUsages=decrypt",
		"op.enroll.userKey.update.applet.requiredVersion.prot.3=" + applet14,
		"op.enroll.userKey.keyGen.aesKeyWrapAlg=DES", // what applet 1.4 takes
		mapping + "target.keySet=nobody",             // the token type names one
		mapping + "target.keyWrapAlg=CBC", mapping + "target.appletVer=" + applet15,
		mapping + "target.keyGenUsages=unwrap,decrypt",
	}, serverSide...)
	for size, want := range map[string]struct {
		aes            bool
		wrap           connector.KeyWrap
		applet, usages string
	}{
		"128": {true, connector.WrapAESCBC, applet15, "unwrap,decrypt"},
		"256": {false, 0, applet14, "decrypt"},
	} {
		t.Run("keys of "+size+" bits", func(t *testing.T) {
			l := enrollLab(t, "aesKeySet", append(lines, mapping+"filter.symKeySize="+size)...)
			card := newCard(t, "sce7-scp03")
			l.mustEnroll(card)
			assert.Equal(t, want.aes, len(l.kra.last.DRMTransAESKey) > 0)
			assert.Equal(t, want.wrap, l.kra.last.AESWrap)
			assert.Equal(t, want.usages, l.kra.last.Usages)
			assert.Equal(t, want.applet, l.record(card.CUID()).AppletID)
			l.checkInvariants(card)
		})
	}
	l := enrollLab(t, "aesKeySet", append(lines, mapping+"target.keyWrapAlg=ROT13")...)
	assert.Equal(t, wire.StatusMisconfiguration, l.enroll(newCard(t, "sce7-scp03")).Status)
}

// asOthers makes the certificate records of a card those of a system that does not name CAs.
func (l *lab) asOthers(card *simcard.Card) {
	l.t.Helper()
	rec, list := l.record(card.CUID()), l.certRecords(card.CUID())
	require.NotEmpty(l.t, list)
	for i := range list {
		list[i].CA = ""
	}
	_, err := l.store.Apply(l.t.Context(), store.Change{
		CUID: rec.CUID, Old: &rec, New: &rec, Certs: list, Actor: "migration", Session: "m", Why: "moved",
		At: rec.Modified,
	})
	require.NoError(l.t, err)
}

// The CA of a certificate whose record names none is that of the token type.
func TestTokenTypeNamesTheCA(t *testing.T) {
	for conn, want := range map[string]wire.Status{
		"ca1": wire.StatusNoError, "ca9": wire.StatusRevokeCertificates,
	} {
		l := enrollLab(t, "defKeySet", "op.format.userKey.revokeCert=true", "op.format.userKey.ca.conn="+conn)
		card := newCard(t, "gp211-scp02")
		l.mustEnroll(card)
		l.asOthers(card)
		end, err := l.format(inReader(card))
		require.NoError(t, err)
		assert.Equal(t, want, end.Status, conn)
		assert.Equal(t, want != wire.StatusNoError, len(l.ca.valid()) > 0, conn)
	}
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.asOthers(card)
	_, err := l.server.ChangeState(t.Context(), card.CUID(), token.Terminated, "agent")
	require.NoError(t, err)
	assert.Empty(t, l.ca.valid())
}

func TestPINResetSwitchedOff(t *testing.T) {
	l := enrollLab(t, "defKeySet", "op.pinReset.userKey.pinReset.enable=false")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	l.setPolicy(card, "PIN_RESET=YES")
	assert.Equal(t, wire.StatusNotPINResetable, l.resetPIN("alice", "567890", card).Status)
	assert.True(t, verifyPIN(t, card, "1234"))
}
