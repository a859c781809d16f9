package kra_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/kra"
)

func readConfig(t *testing.T, text string) (kra.Config, *conf.Config, error) {
	t.Helper()
	file, err := conf.Parse("CS.cfg", []byte(text))
	require.NoError(t, err)
	c, err := conf.New(file, "kra")
	require.NoError(t, err)
	cfg, err := kra.ReadConfig(c)
	return cfg, c, err
}

func TestReadConfigDefaults(t *testing.T) {
	cfg, _, err := readConfig(t, "")
	require.NoError(t, err)
	assert.Equal(t, []int{2048, 3072, 4096}, cfg.RSABits)
	assert.Equal(t, []int{256, 384, 521}, cfg.Curves)
	assert.Equal(t, map[int]int{2048: 16, 3072: 0, 4096: 0}, cfg.Pool)
	assert.Equal(t, 1, cfg.Workers)
	assert.False(t, cfg.PKCS1v15)
	assert.Empty(t, cfg.Agents)
}

func TestReadConfig(t *testing.T) {
	cfg, c, err := readConfig(t, `
kra.keygen.rsaSizes=2048
kra.keygen.curvelist=nistp521
kra.keygen.pool.rsa2048=3
kra.keygen.pool.rsa3072=9
kra.keygen.pool.workers=2
keyWrap.useOAEP=false
kra.agents.list=ann, bob,cy
kra.noOfRequiredRecoveryAgents=3
kra.recovery.requestLifetime=90m
kra.keygen.polo=1
`)
	require.NoError(t, err)
	assert.Equal(t, []int{2048}, cfg.RSABits)
	assert.Equal(t, []int{521}, cfg.Curves)
	assert.Equal(t, map[int]int{2048: 3}, cfg.Pool)
	assert.Equal(t, 2, cfg.Workers)
	assert.True(t, cfg.PKCS1v15)
	assert.Equal(t, []string{"ann", "bob", "cy"}, cfg.Agents.Agents)
	assert.Equal(t, 3, cfg.Agents.Need)
	assert.Equal(t, 90*time.Minute, cfg.Agents.Lifetime)
	unread := c.Unread()
	require.Len(t, unread, 1)
	assert.Equal(t, "kra.keygen.polo", unread[0].Key)
}

func TestReadConfigErrors(t *testing.T) {
	for key, line := range map[string]string{
		"kra.keygen.rsaSizes":            "kra.keygen.rsaSizes=1024",
		"kra.keygen.curvelist":           "kra.keygen.curvelist=sect233k1",
		"kra.keygen.pool.rsa2048":        "kra.keygen.pool.rsa2048=many",
		"kra.keygen.pool.workers":        "kra.keygen.pool.workers=0",
		"keyWrap.useOAEP":                "keyWrap.useOAEP=perhaps",
		"kra.noOfRequiredRecoveryAgents": "kra.noOfRequiredRecoveryAgents=0",
		"kra.recovery.requestLifetime":   "kra.recovery.requestLifetime=1s",
		"kra.agents.list":                "kra.agents.list=ann",
	} {
		_, _, err := readConfig(t, "\n"+line)
		require.Error(t, err, line)
		assert.True(t, strings.Contains(err.Error(), "CS.cfg:2") && strings.Contains(err.Error(), key),
			err.Error())
	}
}
