package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/tps/extreg"
)

// PluginLDAP is the name under which configuration asks for this package's
// directory authenticator (auths.instance.<id>.pluginName).
const PluginLDAP = "UidPwdDirAuth"

// LoadLDAP reads auths.instance.<id>.* of the TPS configuration. Files named
// there are relative to dir. The password of the account that looks people up
// is not part of the configuration: password is asked for it, by the name under
// which the instance keeps it (ldap.ldapauth.bindPWPrompt), when there is such
// an account.
//
// Beside the known keys it reads ldap.ldapconn.startTLS, ldap.ldapconn.caFile (PEM
// certificates to trust instead of the system's), ldap.ldapconn.allowPlain,
// ldap.timeout, and ldap.ldapauth.userDNPattern; see [LDAPConfig].
func LoadLDAP(c *conf.Config, id, dir string, password func(name string) (string, error)) (
	LDAPConfig, error,
) {
	s := c.Sub("auths.instance." + id)
	l := LDAPConfig{
		Instance:      id,
		Host:          s.String("ldap.ldapconn.host"),
		BaseDN:        s.String("ldap.basedn"),
		BindDN:        s.String("ldap.ldapauth.bindDN"),
		CredName:      s.StringOr("authCredName", defCredName),
		UserDNPattern: s.String("ldap.ldapauth.userDNPattern"),
		Attributes:    s.List("ldapStringAttributes"),
		UI:            loadUI(s.Sub("ui")),
	}
	var errs [9]error
	_, errs[0] = s.OneOf("pluginName", PluginLDAP, PluginLDAP)
	_, errs[1] = s.OneOf("ldap.ldapauth.authtype", "BasicAuth", "BasicAuth")
	l.Port, errs[2] = s.Int("ldap.ldapconn.port", 636, 1, 65535)
	l.Security, errs[3] = loadSecurity(s)
	l.AllowPlain, errs[4] = s.Bool("ldap.ldapconn.allowPlain", false)
	l.MaxConns, errs[5] = s.Int("ldap.maxConns", defMaxConns, 1, 10_000)
	l.Timeout, errs[6] = s.Duration("ldap.timeout", defTimeout, time.Second, 5*time.Minute)
	l.TLS, errs[7] = loadRoots(s, dir)
	l.Attributes, errs[8] = extreg.Attributes(c, id, l.Attributes)
	if err := errors.Join(errs[:]...); err != nil {
		return LDAPConfig{}, fmt.Errorf("reading authentication instance %s: %w", id, err)
	}
	// Known from older instances: there is no pool to keep filled, and the
	// protocol has had no other version for decades.
	s.Declare("externalReg.**", "ldap.minConns", "ldap.ldapconn.version", "dnpattern", "ui.retries",
		"ui.id.*.credMap.**")
	if l.BindDN == "" {
		s.Declare("ldap.ldapauth.bindPWPrompt")
		return l, nil
	}
	name := s.StringOr("ldap.ldapauth.bindPWPrompt", id)
	secret, err := password(name)
	if err != nil {
		return LDAPConfig{}, fmt.Errorf("reading authentication instance %s: password %s: %w",
			id, name, err)
	}
	l.BindPassword = Password(secret)
	return l, nil
}

func loadSecurity(s *conf.Config) (Security, error) {
	secure, err := s.Bool("ldap.ldapconn.secureConn", true)
	if err != nil {
		return LDAPS, err
	}
	start, err := s.Bool("ldap.ldapconn.startTLS", false)
	switch {
	case err != nil:
		return LDAPS, err
	case secure && start:
		return LDAPS, s.Errorf("ldap.ldapconn.startTLS", "both secureConn and startTLS")
	case secure:
		return LDAPS, nil
	case start:
		return StartTLS, nil
	}
	return Plain, nil
}

// loadRoots reads the certificates to trust; nil means the system's.
func loadRoots(s *conf.Config, dir string) (*tls.Config, error) {
	name := s.String("ldap.ldapconn.caFile")
	if name == "" {
		return nil, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, s.Errorf("ldap.ldapconn.caFile", "%w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, s.Errorf("ldap.ldapconn.caFile", "%s holds no certificate", name)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// loadUI reads title.<locale>, description.<locale>,
// id.<ID>.name.<locale> and id.<ID>.description.<locale>.
func loadUI(s *conf.Config) UI {
	u := UI{Title: loadTexts(s, "title"), Description: loadTexts(s, "description")}
	for _, id := range s.Sub("id").Children() {
		f := s.Sub("id." + id)
		u.Fields = append(u.Fields, UIField{
			ID: id, Name: loadTexts(f, "name"), Description: loadTexts(f, "description"),
		})
	}
	return u
}

func loadTexts(s *conf.Config, of string) Texts {
	t := make(Texts)
	part := s.Sub(of)
	for _, locale := range part.Keys() {
		t[locale] = part.String(locale)
	}
	return t
}
