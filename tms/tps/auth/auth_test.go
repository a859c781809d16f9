package auth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/tps/auth"
)

func TestCredentialsRedactThemselves(t *testing.T) {
	entered := map[string]string{"UID": "shown-uid", "PASSWORD": "shown-password"}
	c := auth.CredentialsFrom(entered)
	entered["UID"] = "changed"
	require.Equal(t, "shown-uid", c.Get(auth.FieldUID))
	require.Equal(t, "shown-password", c.Get(auth.FieldPassword))
	require.Empty(t, auth.Credentials{}.Get(auth.FieldUID))

	password := auth.Password("shown-secret")
	config := auth.LDAPConfig{BindPassword: password}
	text := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{c, &c, password, &password, config, []any{c, password}} {
			text += fmt.Sprintf(verb, v) + "\n"
		}
	}
	encoded, err := json.Marshal([]any{c, password, config.BindPassword})
	require.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "c", c, "p", password)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "c", c, "p", password)
	text += string(encoded) + logged.String()
	require.NotContains(t, text, "shown")
	require.NotContains(t, text, fmt.Sprintf("%x", "shown"))
	require.Contains(t, text, "[redacted]")
}

func TestPromptByLocale(t *testing.T) {
	ui := auth.UI{
		Title:       auth.Texts{"en": "Sign in", "fr": "Connexion", "pt-BR": "Entrar"},
		Description: auth.Texts{"fr": "Bonjour"},
		Fields: []auth.UIField{
			{ID: "PASSWORD", Name: auth.Texts{"en": "Password", "fr": "Mot de passe"}},
			{ID: "UID", Description: auth.Texts{"en": "who you are"}},
		},
	}
	for locale, want := range map[string]auth.Prompt{
		"en": {Title: "Sign in"}, "": {Title: "Sign in"}, "xx": {Title: "Sign in"},
		"pt": {Title: "Sign in"}, "pt_br": {Title: "Entrar"},
		"fr":    {Title: "Connexion", Description: "Bonjour"},
		"FR-ca": {Title: "Connexion", Description: "Bonjour"},
	} {
		got := ui.Prompt(locale)
		require.Equal(t, want.Title, got.Title, locale)
		require.Equal(t, want.Description, got.Description, locale)
		require.Len(t, got.Fields, 2)
		require.Equal(t, auth.Field{ID: "UID", Name: "UID", Description: "who you are"}, got.Fields[0])
		require.Equal(t, "PASSWORD", got.Fields[1].ID)
		require.True(t, got.Fields[1].Secret)
	}
	require.Equal(t, "Mot de passe", ui.Prompt("fr").Fields[1].Name)

	a, err := auth.NewLDAP(auth.LDAPConfig{Host: "localhost", Port: 636, UI: auth.UI{Title: ui.Title}})
	require.NoError(t, err)
	p := a.Prompt("fr")
	require.Equal(t, "Connexion", p.Title)
	require.Equal(t, []string{"UID", "PASSWORD"}, []string{p.Fields[0].ID, p.Fields[1].ID})
	require.NotEmpty(t, p.Fields[0].Description)
}

// load reads an instance's file over the shipped defaults.
func load(t *testing.T, text string) (*conf.Config, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "CS.cfg")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := conf.Load(path, "tps")
	require.NoError(t, err)
	return c, dir
}

func TestLoadLDAP(t *testing.T) {
	c, dir := load(t, `
auths.instance.ldap1.ldap.ldapconn.host=ldap.example.com
auths.instance.ldap1.ldap.ldapconn.port=389
auths.instance.ldap1.ldap.ldapconn.secureConn=false
auths.instance.ldap1.ldap.ldapconn.startTLS=true
auths.instance.ldap1.ldap.ldapconn.caFile=ca.pem
auths.instance.ldap1.ldap.basedn=ou=people,dc=example,dc=com
auths.instance.ldap1.ldap.ldapauth.bindDN=cn=tps
auths.instance.ldap1.ldap.ldapauth.bindPWPrompt=ldapPassword
auths.instance.ldap1.ldapStringAttributes=mail,tokenType
auths.instance.ldap1.ui.title.de=Anmelden
auths.instance.ldap1.ui.id.UID.name.de=Benutzer
auths.instance.ldap1.ui.retries=7
auths.instance.ldap1.ldap.ldapconn.prot=9
`)
	_, _, certFile, _ := certificate(t)
	pem, err := os.ReadFile(certFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), pem, 0o600))
	secret := func(name string) (string, error) {
		require.Equal(t, "ldapPassword", name)
		return "from the instance", nil
	}
	l, err := auth.LoadLDAP(c, "ldap1", dir, secret)
	require.NoError(t, err)
	require.Equal(t, "ldap.example.com", l.Host)
	require.Equal(t, 389, l.Port)
	require.Equal(t, auth.StartTLS, l.Security)
	require.NotNil(t, l.TLS.RootCAs)
	require.Equal(t, "ou=people,dc=example,dc=com", l.BaseDN)
	require.Equal(t, "cn=tps", l.BindDN)
	require.Equal(t, auth.Password("from the instance"), l.BindPassword)
	require.Equal(t, []string{"mail", "tokenType"}, l.Attributes)
	require.Equal(t, "uid", l.CredName)
	require.Equal(t, 15, l.MaxConns)
	require.Equal(t, "Anmelden", l.UI.Title["de"])
	a, err := auth.NewLDAP(l)
	require.NoError(t, err)
	require.Equal(t, "Benutzer", a.Prompt("de").Fields[0].Name)

	unread := c.Unread()
	require.Len(t, unread, 1, "all other keys are known: %v", unread)
	require.Equal(t, "auths.instance.ldap1.ldap.ldapconn.prot", unread[0].Key)
}

func TestLoadLDAPRefuses(t *testing.T) {
	missing := errors.New("no such password")
	for name, text := range map[string]string{
		"plugin":   "pluginName=TokenAuth",
		"authtype": "ldap.ldapauth.authtype=SslClientAuth",
		"port":     "ldap.ldapconn.port=ldaps",
		"both":     "ldap.ldapconn.startTLS=true",
		"no file":  "ldap.ldapconn.caFile=missing.pem",
		"no cert":  "ldap.ldapconn.caFile=CS.cfg",
		"password": "ldap.ldapauth.bindDN=cn=tps",
	} {
		t.Run(name, func(t *testing.T) {
			c, dir := load(t, "auths.instance.ldap1."+text+"\n")
			_, err := auth.LoadLDAP(c, "ldap1", dir, func(string) (string, error) { return "", missing })
			require.ErrorContains(t, err, "ldap1")
			if name == "password" {
				require.ErrorIs(t, err, missing)
			} else {
				require.ErrorContains(t, err, "CS.cfg:1")
			}
		})
	}
}
