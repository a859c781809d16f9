package profile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp/keys"
)

func settings(t *testing.T, lines string) (*Settings, error) {
	t.Helper()
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(lines), "tps")
	require.NoError(t, err)
	return Load(c, "/instance")
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
	_, err = Load(c, "")
	require.NoError(t, err)
	unread := c.Unread()
	require.Len(t, unread, 1)
	assert.Equal(t, "op.format.userKey.tks.keyset", unread[0].Key)
	assert.Equal(t, "op.format.userKey.tks.keySet", unread[0].DidYouMean)
}
