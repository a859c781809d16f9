package op

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/perso"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

func TestStatusOf(t *testing.T) {
	inner := refuse(wire.StatusUnknownToken, "who is it")
	for _, c := range []struct {
		err  error
		want wire.Status
	}{
		{nil, wire.StatusNoError},
		{errors.New("any"), wire.StatusSNAC},
		{inner, wire.StatusUnknownToken},
		{fmt.Errorf("outer: %w", inner), wire.StatusUnknownToken},
		{failf(wire.StatusDB, inner, "outer"), wire.StatusUnknownToken},
		{failf(wire.StatusDB, errors.New("any"), "outer"), wire.StatusDB},
		{failf(wire.StatusDB, fmt.Errorf("x: %w", wire.ErrConnectionLost), "outer"), wire.StatusConnLost},
		{failf(wire.StatusDB, perso.ErrNoAnswer, "outer"), wire.StatusConnLost},
		{failf(wire.StatusDB, &tokendb.Error{Kind: tokendb.ErrNotAllowed, Code: 26}, "outer"),
			wire.StatusDisabledToken},
		{&mapping.Error{Kind: mapping.ErrNoMapping}, wire.StatusMappingResolverFailed},
		{&mapping.Error{Kind: mapping.ErrConfig}, wire.StatusMappingResolverParams},
		{&auth.Error{Kind: auth.ErrCredentials}, wire.StatusLogin},
		{&auth.Error{Kind: auth.ErrUnreachable}, wire.StatusLDAPConn},
	} {
		assert.Equal(t, c.want, StatusOf(c.err), "%v", c.err)
	}
	assert.NoError(t, failf(wire.StatusDB, nil, "nothing"))
}

func TestChannelStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want wire.Status
	}{
		{connector.ErrUnavailable, wire.StatusNoTKSConnID},
		{connector.ErrUnauthorized, wire.StatusMisconfiguration},
		{connector.Errorf(connector.StatusConfig, "no key set"), wire.StatusMisconfiguration},
		{connector.Errorf(connector.StatusCardCryptogram, "no"), wire.StatusSecureChannel},
		{&perso.Error{Step: perso.StepSelectISD, Err: apdu.SW6A82}, wire.StatusCreateCardManager},
		{&perso.Error{Step: perso.StepInitializeUpdate, Err: apdu.SW6A88}, wire.StatusSecInitUpdate},
		{&perso.Error{Step: perso.StepExternalAuth, Err: apdu.SW6982}, wire.StatusExternalAuth},
		{&perso.Error{Step: perso.StepSanityCheck, Err: errKVNBounds}, wire.StatusSecureChannel},
	} {
		assert.Equal(t, c.want, channelStatus(c.err), "%v", c.err)
	}
}

func TestKeyInformationIsWrittenAsRecordsHoldIt(t *testing.T) {
	for _, c := range []struct {
		scp  byte
		info keys.KeyInfo
		want string
	}{
		{1, keys.KeyInfo{KVN: 0xFF, SCP: 1}, "FF01"},
		{2, keys.KeyInfo{KVN: 2, SCP: 2}, "0201"},
		{3, keys.KeyInfo{KVN: 1, SCP: 3, I: 0x70, HasI: true}, "010370"},
	} {
		h := perso.Handshake{Variant: scp.Variant{SCP: c.scp}, Info: c.info}
		assert.Equal(t, c.want, recorded(h))
	}
}

func TestPlainName(t *testing.T) {
	for _, good := range []string{"1.4.58768072", "1.5.65cbf5a6", "a_b-c"} {
		assert.True(t, plainName(good), good)
	}
	for _, bad := range []string{
		"", ".", "..", ".hidden", "../x", "a/b", `a\b`, "a\x00b", "a b", "ä", strings.Repeat("a", 65),
	} {
		assert.False(t, plainName(bad), bad)
	}
}

func settings(t *testing.T, lines string) (*Settings, error) {
	t.Helper()
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(lines), "tps")
	require.NoError(t, err)
	return LoadSettings(c, "/instance")
}

func TestSettingsOfADefaultInstance(t *testing.T) {
	s, err := settings(t, "")
	require.NoError(t, err)
	assert.Len(t, s.ISDs, 3)
	assert.Equal(t, "627601FF000000", s.Instance.String())
	assert.Equal(t, 224, s.BlockSize)
	assert.True(t, s.Encryption)
	assert.False(t, s.DropLe)
	assert.Len(t, s.Formats, 11)
	user := s.Formats["userKey"]
	assert.True(t, user.Login)
	assert.Equal(t, "ldap1", user.AuthID)
	assert.True(t, user.CheckKeyInfo)
	assert.False(t, user.RollBack)
	assert.False(t, user.ChangeKeys)
	assert.Equal(t, keys.KVN(1), user.MinKVN)
	assert.Equal(t, keys.KVN(0xFF), user.MaxKVN)
	assert.True(t, s.Enabled("userKey"))
	assert.Equal(t, Connector{KeySet: "defKeySet", HostChallenge: true}, s.Connectors["tks1"])
}

func TestSettingsOfAnInstance(t *testing.T) {
	s, err := settings(t, `
op.format.mine.update.applet.directory=load
op.format.mine.update.symmetricKeys.enable=true
op.format.mine.update.symmetricKeys.requiredVersion=33
op.format.mine.rollbackKeyVersionOnPutKeyFailure=true
config.Profiles.mine.state=Pending_Approval
applet.delete_old=false
`)
	require.NoError(t, err)
	mine := s.Formats["mine"]
	assert.Equal(t, "/instance/load", mine.AppletDir)
	assert.Equal(t, keys.KVN(0x21), mine.RequiredKVN)
	assert.True(t, mine.ChangeKeys && mine.RollBack)
	assert.False(t, mine.WriteIssuer)
	assert.False(t, s.Enabled("mine"))
	assert.Empty(t, s.Old)
}

// An instance's key that no code asks for is named; those of this package are asked for.
func TestSettingsReadTheirKeys(t *testing.T) {
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(
		"op.format.userKey.tks.keySet=a\nop.format.userKey.tks.keyset=b\n"), "tps")
	require.NoError(t, err)
	_, err = LoadSettings(c, "")
	require.NoError(t, err)
	unread := c.Unread()
	require.Len(t, unread, 1)
	assert.Equal(t, "op.format.userKey.tks.keyset", unread[0].Key)
	assert.Equal(t, "op.format.userKey.tks.keySet", unread[0].DidYouMean)
}

func TestFailpointsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Failpoints() {
		assert.False(t, seen[name])
		seen[name] = true
	}
	e := &Env{Failpoint: func(name string) error { return errors.New(name) }}
	require.ErrorIs(t, e.failpoint(FailFinish), ErrKilled)
	require.NoError(t, (&Env{}).failpoint(FailFinish))
}
