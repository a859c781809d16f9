package instance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tokenwright/tms/conf"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/postgres"
	"tokenwright/tms/store/sql"
)

// The homes of the token database (tokendb.home).
const (
	homeSQLite   = "sqlite"
	homePostgres = "postgresql"
	homeLDAP     = "ldap"
)

// Home is a home of token records with everything that a home offers.
type Home interface {
	store.Store
	store.IntentLister
	store.CertLister
	io.Closer
}

// openRecords opens the home of token records.
func (i *Instance) openRecords(ctx context.Context, p *part) (Home, error) {
	records, err := p.openHome(ctx, false)
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, records)
	return records, nil
}

// openHome opens the home that configuration names.
func (p *part) openHome(ctx context.Context, readOnly bool) (CopiedHome, error) {
	p.conf.Declare("tokendb.path", "tokendb.postgresql.**", "tokendb.baseDN", "tokendb.activityBaseDN",
		"tokendb.certBaseDN", "tokendb.userBaseDN", "tokendb.hostport", "internaldb.**")
	kind, err := p.conf.OneOf("tokendb.home", homeSQLite, homeSQLite, homePostgres, homeLDAP)
	if err != nil {
		return nil, err
	}
	switch kind {
	case homePostgres:
		c, err := p.postgresConfig()
		if err != nil {
			return nil, err
		}
		return sql.OpenPostgres(ctx, c)
	case homeLDAP:
		c, err := p.directoryConfig()
		if err != nil {
			return nil, err
		}
		c.ReadOnly = readOnly
		return ldap.Open(ctx, c)
	}
	return openFile(ctx, under(p.dir, p.conf.StringOr("tokendb.path", databaseFile)), readOnly)
}

// openFile opens a file of records. One that is to be read alone has to be there.
func openFile(ctx context.Context, path string, readOnly bool) (*sql.Store, error) {
	if readOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	return sql.Open(ctx, path)
}

// postgresConfig reads tokendb.postgresql.*.
func (p *part) postgresConfig() (postgres.Config, error) {
	s := p.conf.Sub("tokendb.postgresql")
	c := postgres.Config{
		Host: s.StringOr("host", "localhost"), Database: s.StringOr("database", "tokens"),
		User: s.StringOr("user", "tokenwright"),
	}
	var errs [4]error
	c.Port, errs[0] = s.Int("port", 5432, 1, 65535)
	c.Conns, errs[1] = s.Int("maxConns", postgres.DefaultConns, 1, 1000)
	var secure, plain bool
	secure, errs[2] = s.Bool("secureConn", true)
	plain, errs[3] = s.Bool("allowPlain", false)
	if err := errors.Join(errs[:]...); err != nil {
		return c, err
	}
	var err error
	switch {
	case secure:
		if c.TLS, err = p.databaseTLS(s, "caFile", s.String("clientCertNickname")); err != nil {
			return c, err
		}
		c.TLS.ServerName = c.Host
	case !plain && !isLocal(c.Host):
		return c, s.Errorf("secureConn", "records and the password would cross the network unprotected; "+
			"allowPlain=true permits it")
	}
	c.Password, err = p.databasePassword(s, "passwordName", "tokendb")
	if s.String("clientCertNickname") != "" && errors.Is(err, fs.ErrNotExist) {
		err = nil // the certificate may be enough
	}
	return c, err
}

// databasePassword reads a password: the only line of a file that passwordFile names, or by its name
// from password.conf.
func (p *part) databasePassword(s *conf.Config, nameKey, usual string) (string, error) {
	file := s.String("passwordFile")
	if file == "" {
		prompt := s.StringOr(nameKey, usual)
		text, err := p.password(prompt)
		if err != nil {
			return "", s.Errorf(nameKey, "password %s: %w", prompt, err)
		}
		return text, nil
	}
	file = under(p.dir, file)
	if err := ownerOnly(file); err != nil {
		return "", s.Errorf("passwordFile", "%w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", s.Errorf("passwordFile", "%w", err)
	}
	line := strings.TrimRight(string(text), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return "", s.Errorf("passwordFile", "%s does not hold one line", file)
	}
	return line, nil
}

// isLocal tells this machine, by address or as a folder with a socket.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || host != "" && host[0] == '/' || ip != nil && ip.IsLoopback()
}

// databaseTLS reads which CAs to trust, the system's if the key is not set, and the certificate that
// the TPS shows.
func (p *part) databaseTLS(s *conf.Config, caKey, nickname string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if name := s.String(caKey); name != "" {
		text, err := os.ReadFile(under(p.dir, name))
		if err != nil {
			return nil, s.Errorf(caKey, "%w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, s.Errorf(caKey, "%s holds no certificate", name)
		}
	}
	if nickname == "" {
		return out, nil
	}
	pair, err := loadPair(p.dir, nickname)
	out.Certificates = []tls.Certificate{pair}
	return out, err
}

// directoryConfig reads internaldb.* and tokendb.*, spelled as Dogtag spells them. tokendb.hostport,
// host:port of one or more servers, goes before internaldb.ldapconn.host and port.
func (p *part) directoryConfig() (ldap.Config, error) {
	db, s := p.conf.Sub("tokendb"), p.conf.Sub("internaldb")
	c := ldap.Config{
		Addrs: db.List("hostport"), BaseDN: s.String("basedn"), Tokens: db.String("baseDN"),
		Activities: db.String("activityBaseDN"), Certs: db.String("certBaseDN"),
		BindDN: s.String("ldapauth.bindDN"), Log: p.log,
	}
	var errs [6]error
	var port int
	var secure, start bool
	var how string
	port, errs[0] = s.Int("ldapconn.port", 636, 1, 65535)
	secure, errs[1] = s.Bool("ldapconn.secureConn", true)
	start, errs[2] = s.Bool("ldapconn.startTLS", false)
	c.AllowPlain, errs[3] = s.Bool("ldapconn.allowPlain", false)
	how, errs[4] = s.OneOf("ldapauth.authtype", "BasicAuth", "BasicAuth", "SslClientAuth")
	c.Conns, errs[5] = s.Int("maxConns", 8, 1, 1000)
	if err := errors.Join(errs[:]...); err != nil {
		return c, err
	}
	switch {
	case secure && start:
		return c, s.Errorf("ldapconn.startTLS", "both secureConn and startTLS")
	case start:
		c.Security = ldap.StartTLS
	case !secure:
		c.Security = ldap.Plain
	}
	if len(c.Addrs) == 0 {
		host, err := s.Required("ldapconn.host")
		if err != nil {
			return c, err
		}
		c.Addrs = []string{net.JoinHostPort(host, strconv.Itoa(port))}
	}
	return c, p.directoryLogin(s, &c, how == "SslClientAuth")
}

// directoryLogin says how to log in: by a certificate, or by a password from the instance's file.
func (p *part) directoryLogin(s *conf.Config, c *ldap.Config, byCertificate bool) (err error) {
	nickname := ""
	if byCertificate {
		nickname = s.StringOr("ldapauth.clientCertNickname", clientNickname)
	}
	if c.Security != ldap.Plain {
		if c.TLS, err = p.databaseTLS(s, "ldapconn.caFile", nickname); err != nil {
			return err
		}
	}
	if c.External = byCertificate; byCertificate {
		return nil
	}
	c.Password, err = p.databasePassword(s, "ldapauth.bindPWPrompt", "internaldb")
	return err
}

// FileHome is the prefix that names a home by the path of its SQLite file alone.
const FileHome = "sqlite:"

// CopiedHome is a home that others can be copied into.
type CopiedHome interface {
	Home
	store.Importer
}

// OpenHome opens a home of token records for who copies them: "sqlite:" and a file, or the CS.cfg of a
// TPS, whose tokendb.home says which. readOnly takes a directory as it is, without making anything.
func OpenHome(ctx context.Context, where string, readOnly bool) (CopiedHome, error) {
	if file, ok := strings.CutPrefix(where, FileHome); ok {
		return openFile(ctx, file, readOnly)
	}
	c, err := conf.Load(where, TPS)
	if err != nil {
		return nil, err
	}
	p := &part{name: TPS, dir: filepath.Dir(where), conf: c, log: slog.New(slog.DiscardHandler)}
	home, err := p.openHome(ctx, readOnly)
	if err != nil {
		return nil, fmt.Errorf("token database of %s: %w", where, err)
	}
	return home, nil
}
