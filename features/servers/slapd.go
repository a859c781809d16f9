package servers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/features/loopback"
	home "tokenwright/tms/store/ldap"
)

// The directories' suffix, and who may do everything there.
const (
	Suffix       = "dc=example,dc=org"
	rootName     = "cn=manager," + Suffix
	rootPassword = "directory secret"
)

// Directory is an LDAP server with the schema of the token database.
type Directory struct {
	*process
}

// SlapdOptions say how a slapd differs from the usual one.
type SlapdOptions struct {
	// Cert, Key and CA are PEM files; with them it offers StartTLS, and takes certificates that
	// the CA has signed for a way to log in.
	Cert, Key, CA string
	// TLSPort asks for LDAPS as well, on a port found with package loopback.
	TLSPort int
	// Load is an LDIF file that is loaded before it starts.
	Load string
	// Schema are definitions that come after those of the token database.
	Schema string
	// OnlyDogtag leaves the schema of this system out, as a directory that Dogtag uses has it.
	OnlyDogtag bool
	// NoSync gives up durability, for speed.
	NoSync bool
}

// StartSlapd starts an OpenLDAP server.
func StartSlapd(ctx context.Context, o SlapdOptions) (_ *Directory, err error) {
	program, err := find("slapd", "/usr/sbin")
	if err != nil {
		return nil, fmt.Errorf("OpenLDAP (Debian: slapd): %w", err)
	}
	dir, err := folder(nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("OpenLDAP: %w", err), os.RemoveAll(dir))
		}
	}()
	config, err := writeSlapd(dir, o)
	if err != nil {
		return nil, err
	}
	if o.Load != "" {
		add, err := find("slapadd", "/usr/sbin")
		if err != nil {
			return nil, err
		}
		if err := tool(ctx, dir, nil, nil, add, "-q", "-f", config, "-l", o.Load); err != nil {
			return nil, err
		}
	}
	port, err := loopback.Port()
	if err != nil {
		return nil, err
	}
	urls := "ldap://" + loopback.Addr(port) + "/"
	if o.TLSPort != 0 {
		urls += " ldaps://" + loopback.Addr(o.TLSPort) + "/"
	}
	d := &Directory{}
	if d.process, err = run(dir, port, nil, "TERM", nil, program, "-d", "none", "-f", config, "-h",
		urls); err != nil {
		return nil, err
	}
	if err := d.await(ctx, d.listening); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	if o.Load != "" {
		return d, nil
	}
	if err := d.NewBase(Suffix); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

// writeSlapd writes the server's configuration.
func writeSlapd(dir string, o SlapdOptions) (string, error) {
	var b strings.Builder
	for _, name := range []string{"core", "cosine", "inetorgperson"} {
		fmt.Fprintf(&b, "include /etc/ldap/schema/%s.schema\n", name)
	}
	parts, err := home.Schema(home.OpenLDAP)
	if err != nil {
		return "", err
	}
	if o.OnlyDogtag {
		parts.Schema = parts.Schema[:1]
		parts.Indexes.Text = ""
	}
	for _, p := range parts.Schema {
		if err := os.WriteFile(filepath.Join(dir, p.Name), []byte(p.Text), 0o600); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "include %s\n", filepath.Join(dir, p.Name))
	}
	if o.Schema != "" {
		path := filepath.Join(dir, "more.schema")
		if err := os.WriteFile(path, []byte(o.Schema), 0o600); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "include %s\n", path)
	}
	fmt.Fprintf(&b, "modulepath /usr/lib/ldap\nmoduleload back_mdb\nsizelimit unlimited\n"+
		"pidfile %s\nthreads 8\n", filepath.Join(dir, "pid"))
	if o.Cert != "" {
		fmt.Fprintf(&b, "TLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSCACertificateFile %s\n"+
			"TLSVerifyClient try\n", o.Cert, o.Key, o.CA)
		fmt.Fprintf(&b, "authz-regexp \"cn=tps.*\" \"%s\"\n", rootName)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "database mdb\nsuffix %q\nrootdn %q\nrootpw %q\ndirectory %s\nmaxsize 17179869184\n",
		Suffix, rootName, rootPassword, data)
	if o.NoSync {
		b.WriteString("dbnosync\n")
	}
	b.WriteString(parts.Indexes.Text)
	path := filepath.Join(dir, "slapd.conf")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

// Root connects as who may do everything.
func (d *Directory) Root() (*ldap.Conn, error) {
	c, err := ldap.DialURL("ldap://" + loopback.Addr(d.port))
	if err != nil {
		return nil, err
	}
	if err := c.Bind(rootName, rootPassword); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// NewBase makes an entry at dn, whose first part names a domain component or an organizational unit.
func (d *Directory) NewBase(dn string) error {
	c, err := d.Root()
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(dn, ",")
	attr, value, _ := strings.Cut(name, "=")
	add := ldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{map[string]string{"dc": "domain",
		"ou": "organizationalUnit"}[attr]})
	add.Attribute(attr, []string{value})
	err = c.Add(add)
	return errors.Join(err, c.Close())
}

// Fresh makes an empty place of its own for a token database, and says how to get at it.
func (d *Directory) Fresh() (home.Config, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return home.Config{}, err
	}
	base := "ou=" + hex.EncodeToString(b[:]) + "," + Suffix
	if err := d.NewBase(base); err != nil {
		return home.Config{}, err
	}
	return d.Config(base), nil
}

// Config says how to get at a token database at base.
func (d *Directory) Config(base string) home.Config {
	return home.Config{
		Addrs: []string{loopback.Addr(d.port)}, Security: home.Plain,
		BindDN: rootName, Password: rootPassword, BaseDN: base,
	}
}
