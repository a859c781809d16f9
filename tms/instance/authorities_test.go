package instance

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
)

// appendConfig adds lines to the TPS's configuration.
func appendConfig(t *testing.T, dir, lines string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, TPS, configFile), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(lines)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestAuthoritiesOverHTTPS(t *testing.T) {
	dir, _ := newInstance(t)
	appendConfig(t, dir, "tps.connector.ca1.enable=true\n"+
		"tps.connector.ca1.host=ca.example.com other.example.com:9443\n"+
		"tps.connector.ca1.caNickname=ca\n"+
		"tps.connector.kra1.enable=true\ntps.connector.kra1.host=kra.example.com\n")
	i, log := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.Empty(t, i.Unread())
	assert.Contains(t, log.String(), "connector=ca1 hosts=\"ca.example.com other.example.com:9443\"")
	assert.Contains(t, log.String(), "connector=kra1 hosts=kra.example.com")
}

func TestAuthoritiesThatAreNotEnabled(t *testing.T) {
	dir, _ := newInstance(t)
	i, log := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.Empty(t, i.Unread())
	assert.NotContains(t, log.String(), "authority is reached")
}

func TestAuthorityWithoutAHost(t *testing.T) {
	dir, _ := newInstance(t)
	appendConfig(t, dir, "tps.connector.kra1.enable=true\n")
	_, err := Open(context.Background(), dir, Options{Subsystems: []string{TPS}})
	require.ErrorIs(t, err, conf.ErrMissing)
	require.ErrorContains(t, err, "tps.connector.kra1.host")
}

// A given authority takes the place of a configured one, whatever is configured.
func TestGivenAuthorities(t *testing.T) {
	dir, _ := newInstance(t)
	appendConfig(t, dir, "tps.connector.ca1.enable=true\n")
	i, log := open(t, dir, Options{
		Subsystems: []string{TPS},
		CAs:        map[string]connector.CA{"ca1": struct{ connector.CA }{}},
	})
	assert.Empty(t, i.Unread())
	assert.NotContains(t, log.String(), "authority is reached")
}
