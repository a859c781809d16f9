package instance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/applets"
)

// warnings opens an instance and gives what it warns of, one line each.
func warnings(t *testing.T, dir string, o Options) string {
	t.Helper()
	i, log := open(t, dir, o)
	require.NoError(t, i.Close())
	var out []string
	for line := range strings.SplitSeq(log.String(), "\n") {
		if strings.Contains(line, "level=WARN") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// What an instance lacks is said when it starts, and each step that its hints name mends something.
func TestWhatIsMissingIsSaid(t *testing.T) {
	dir, _ := newInstance(t)
	said := warnings(t, dir, Options{})
	for _, want := range []string{"code 10: no connection to a certificate authority", "missing=ca1",
		"tms ca create ca1", "code 7: no connection to a key recovery authority", "tms kra create",
		"load file is missing", "1.4.58768072.ijc", "directory is not configured"} {
		assert.Contains(t, said, want)
	}
	assert.Equal(t, 1, strings.Count(said, "no connection to a certificate authority"), "once for all types")
	for _, v := range applets.Versions() {
		file, err := applets.File(v)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, TPS, appletsDir, v+".ijc"), file, 0o600))
	}
	appendTo(t, filepath.Join(dir, TPS, configFile), "auths.instance.ldap1.ldap.basedn=dc=x\n"+
		"auths.instance.ldap1.ldap.ldapconn.host=localhost\n")
	addCA(t, dir, "ca1", nil)
	addKRA(t, dir, nil)
	assert.Empty(t, warnings(t, dir, Options{}), "with both authorities nothing is missing")

	change := func(name, key, value string) Options {
		return Options{Override: map[string]map[string]string{name: {key: value}}}
	}
	for want, o := range map[string]Options{
		"code 18: the TKS has no transport certificate": change(TKS, "tks.drm_transport_cert_nickname", ""),
		"code 7: the TKS has another transport":         change(TKS, "tks.drm_transport_cert_nickname", "serverCert"),
		"code 10: the certificate authority is retired": change("ca1", "ca.retired", "true"),
		"no such profile": change(TPS, "op.enroll.userKey.keyGen.signing.ca.profileId", "caNone"),
		"code 40: no connection to a token key service": change(TPS, "op.pinReset.userKey.tks.conn", "tks7"),
		"code 18: no such authenticator":                change(TPS, "op.enroll.userKey.auth.id", "ldap7"),
		"code 18: no such key set":                      change(TPS, "op.format.userKey.tks.keySet", "none7"),
	} {
		if strings.Contains(want, "another") { // a certificate with an RSA key, but not that of the KRA
			cert, err := os.ReadFile(filepath.Join(dir, TKS, certsDir, tksTransportName+".crt"))
			require.NoError(t, err)
			other, _ := newInstance(t)
			made := addKRA(t, other, nil)
			cert2, err := os.ReadFile(made.Transport)
			require.NoError(t, err)
			require.NotEqual(t, cert, cert2)
			require.NoError(t, os.WriteFile(filepath.Join(dir, TKS, certsDir, "other.crt"), cert2, 0o600))
			o = change(TKS, "tks.drm_transport_cert_nickname", "other")
		}
		said := warnings(t, dir, o)
		assert.Equal(t, 1, strings.Count(said, "level=WARN"), said)
		assert.Contains(t, said, want)
	}
}

// A connection that was not made, because creating was cut off or an operator undid it, is made again,
// and what is there is left alone.
func TestConnecting(t *testing.T) {
	dir, _ := newInstance(t)
	before := map[string][]byte{}
	for _, name := range []string{TKS, TPS} {
		text, err := os.ReadFile(filepath.Join(dir, name, configFile))
		require.NoError(t, err)
		before[name] = text
	}
	require.Error(t, ConnectCA(dir, "ca1"), "there is none")
	require.Error(t, ConnectKRA(dir))
	addCA(t, dir, "ca1", nil)
	addKRA(t, dir, nil)
	after := map[string][]byte{}
	for name, text := range before {
		path := filepath.Join(dir, name, configFile)
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		after[name] = now
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	for range 2 {
		require.NoError(t, ConnectCA(dir, "ca1"))
		require.NoError(t, ConnectKRA(dir))
		for name, want := range after {
			now, err := os.ReadFile(filepath.Join(dir, name, configFile))
			require.NoError(t, err)
			assert.Equal(t, string(want), string(now))
		}
	}
	i, err := Open(context.Background(), dir, Options{})
	require.NoError(t, err)
	require.NoError(t, i.Close())
}
