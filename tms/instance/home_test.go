package instance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/instance"
	"tokenwright/tms/store"
)

// What is wrong about where the token database is kept is said by its key, and no secret with it.
func TestHomesThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hush\n"), 0o600))
	open := filepath.Join(dir, "open")
	require.NoError(t, os.WriteFile(open, []byte("hush\n"), 0o644))
	ldap := "tokendb.home=ldap\ninternaldb.basedn=dc=example\ninternaldb.ldapauth.bindDN=cn=x\n"
	for text, want := range map[string]string{
		"tokendb.home=oracle": "tokendb.home",
		"tokendb.home=postgresql\ntokendb.postgresql.host=db.example.org\n" +
			"tokendb.postgresql.secureConn=false": "unprotected",
		"tokendb.home=postgresql\ntokendb.postgresql.port=0":               "tokendb.postgresql.port",
		"tokendb.home=postgresql":                                          "tokendb.postgresql.passwordName",
		"tokendb.home=postgresql\ntokendb.postgresql.passwordFile=" + open: "passwordFile",
		"tokendb.home=postgresql\ntokendb.postgresql.passwordFile=none":    "passwordFile",
		"tokendb.home=postgresql\ntokendb.postgresql.caFile=none":          "caFile",
		"tokendb.home=ldap":                          "internaldb.ldapconn.host",
		ldap + "tokendb.hostport=db.example.org:636": "bindPWPrompt",
		ldap + "tokendb.hostport=db.example.org:389\ninternaldb.ldapconn.secureConn=false\n" +
			"internaldb.passwordFile=" + secret: "unprotected",
		ldap + "tokendb.hostport=127.0.0.1:1\ninternaldb.ldapconn.secureConn=false\n" +
			"internaldb.passwordFile=" + secret: "127.0.0.1:1",
		ldap + "internaldb.ldapconn.host=x\ninternaldb.ldapconn.startTLS=true": "startTLS",
		ldap + "internaldb.ldapconn.host=x\ninternaldb.ldapauth.authtype=SslClientAuth\n" +
			"internaldb.ldapauth.clientCertNickname=nobody": "nobody",
	} {
		file := filepath.Join(dir, "CS.cfg")
		require.NoError(t, os.WriteFile(file, []byte(text+"\n"), 0o600))
		_, err := instance.OpenHome(t.Context(), file, false)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, strings.ReplaceAll(err.Error(), secret, ""), "hush", text)
	}
}

func TestHomeOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.db")
	_, err := instance.OpenHome(t.Context(), instance.FileHome+file, true)
	require.ErrorIs(t, err, os.ErrNotExist)
	h, err := instance.OpenHome(t.Context(), instance.FileHome+file, false)
	require.NoError(t, err)
	counts, err := h.Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.Counts{}, counts)
	require.NoError(t, h.Close())

	conf := filepath.Join(t.TempDir(), "CS.cfg")
	require.NoError(t, os.WriteFile(conf, []byte("tokendb.path=elsewhere.db\n"), 0o600))
	_, err = instance.OpenHome(t.Context(), conf, true)
	require.ErrorIs(t, err, os.ErrNotExist, "a copy of nothing")
}
