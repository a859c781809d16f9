package servers

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/features/loopback"
	home "tokenwright/tms/store/ldap"
)

// Where Debian has what an instance of the 389 Directory Server is made from.
const (
	dsTemplate   = "/usr/share/dirsrv/data/template-dse.ldif"
	dsSchema     = "/etc/dirsrv/schema"
	dsCollations = "/etc/dirsrv/config/slapd-collations.conf"
)

// Start389 starts a 389 Directory Server, from a configuration written by hand: the tools for that
// want to be root, and to have the system's service manager.
func Start389(ctx context.Context) (*Directory, error) { return Start389As(ctx, false) }

// Start389As starts one that may know Dogtag's schema only, without what this system adds.
func Start389As(ctx context.Context, onlyDogtag bool) (_ *Directory, err error) {
	program, err := find("ns-slapd", "/usr/sbin")
	if err == nil {
		_, err = os.Stat(dsTemplate)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", dsTemplate, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("389 Directory Server (Debian: 389-ds-base): %w", err)
	}
	as, err := servant("dirsrv", "nobody")
	if err != nil {
		return nil, fmt.Errorf("389 Directory Server: %w", err)
	}
	dir, err := folder(as)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("389 Directory Server: %w", err), os.RemoveAll(dir))
		}
	}()
	port, err := loopback.Port()
	if err != nil {
		return nil, err
	}
	if err := write389(dir, port, as, onlyDogtag); err != nil {
		return nil, err
	}
	d := &Directory{}
	d.process, err = run(dir, port, as, "TERM", nil, program, "-D", filepath.Join(dir, "config"), "-i",
		filepath.Join(dir, "pid"), "-d", "0")
	if err != nil {
		return nil, err
	}
	if err := d.await(ctx, d.listening); err != nil {
		return nil, errors.Join(err, errorLog(dir), d.Stop())
	}
	if err := d.addBackend(onlyDogtag); err != nil {
		return nil, errors.Join(err, errorLog(dir), d.Stop())
	}
	return d, nil
}

// errorLog gives the end of the server's own log.
func errorLog(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "log", "errors"))
	if err != nil {
		return err
	}
	return errors.New(string(text[max(0, len(text)-2000):]))
}

// write389 writes the configuration and the schema, all owned by whom the server runs as.
func write389(dir string, port int, as *syscall.Credential, onlyDogtag bool) error {
	template, err := os.ReadFile(dsTemplate)
	if err != nil {
		return err
	}
	values := map[string]string{
		"fqdn": "localhost", "ds_port": strconv.Itoa(port), "rootdn": rootName,
		"ds_passwd": salted(rootPassword), "ds_suffix": Suffix, "ldapi_enabled": "off",
		"ldapi_autobind": "off", "db_lib": "bdb",
		"ldapi": filepath.Join(dir, "run", "ldapi"), "schema_dir": filepath.Join(dir, "config", "schema"),
		"config_dir": filepath.Join(dir, "config"), "cert_dir": filepath.Join(dir, "config"),
	}
	runner := os.Geteuid()
	if as != nil {
		runner = int(as.Uid)
	}
	u, err := user.LookupId(strconv.Itoa(runner))
	if err != nil {
		return err
	}
	values["ds_user"] = u.Username
	for _, name := range []string{"lock", "tmp", "ldif", "bak", "run", "inst", "log", "db", "db_home"} {
		values[name+"_dir"] = filepath.Join(dir, name)
	}
	text := regexp.MustCompile(`%(\w+)%`).ReplaceAllStringFunc(string(template), func(v string) string {
		return values[strings.Trim(v, "%")]
	})
	text = strings.Replace(text, "nsslapd-port:", "nsslapd-listenhost: 127.0.0.1\nnsslapd-port:", 1)
	text = strings.Replace(text, "nsslapd-directory:", // nothing here pulls the plug
		"nsslapd-db-durable-transaction: off\nnsslapd-directory:", 1)
	for name, path := range values {
		if strings.HasSuffix(name, "_dir") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				return err
			}
		}
	}
	files := map[string]string{"config/dse.ldif": text}
	parts, err := home.Schema(home.DS389)
	if err != nil {
		return err
	}
	if onlyDogtag {
		parts.Schema = parts.Schema[:1]
	}
	for _, p := range parts.Schema {
		files["config/schema/98"+p.Name] = p.Text
	}
	for _, from := range []string{filepath.Join(dsSchema, "99user.ldif"), dsCollations} {
		text, err := os.ReadFile(from)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			continue // the server does without
		}
		if err != nil {
			return err
		}
		files[map[bool]string{true: "config/schema/", false: "config/"}[strings.HasPrefix(from, dsSchema)]+
			filepath.Base(from)] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return give(dir, as)
}

// salted hides a password as the server wants it in its configuration, by the scheme SSHA512.
func salted(password string) string {
	salt := []byte("saltsalt") // of a server for tests, whose password is in this package
	sum := sha512.Sum512(append([]byte(password), salt...))
	return "{SSHA512}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}

// give makes somebody else the owner of everything below dir.
func give(dir string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(as.Uid), int(as.Gid))
	})
}

// addBackend makes the database, its indexes and the suffix.
func (d *Directory) addBackend(onlyDogtag bool) error {
	c, err := d.Root()
	if err != nil {
		return err
	}
	defer c.Close()
	for _, e := range []struct {
		dn    string
		attrs map[string][]string
	}{
		{"cn=userRoot,cn=ldbm database,cn=plugins,cn=config", map[string][]string{
			"objectClass": {"top", "extensibleObject", "nsBackendInstance"}, "cn": {"userRoot"},
			"nsslapd-suffix": {Suffix},
		}},
		{`cn="` + Suffix + `",cn=mapping tree,cn=config`, map[string][]string{
			"objectClass": {"top", "extensibleObject", "nsMappingTree"}, "cn": {Suffix},
			"nsslapd-state": {"backend"}, "nsslapd-backend": {"userRoot"},
		}},
	} {
		if err := addEntry(c, e.dn, e.attrs); err != nil {
			return err
		}
	}
	parts, err := home.Schema(home.DS389)
	if err != nil {
		return err
	}
	if onlyDogtag {
		parts.Indexes.Text = ""
	}
	if err := addIndexes(c, parts.Indexes.Text); err != nil {
		return err
	}
	return d.NewBase(Suffix)
}

func addEntry(c *ldap.Conn, dn string, attrs map[string][]string) error {
	add := ldap.NewAddRequest(dn, nil)
	for name, values := range attrs {
		add.Attribute(name, values)
	}
	if err := c.Add(add); err != nil {
		return fmt.Errorf("adding %s: %w", dn, err)
	}
	return nil
}

// addIndexes adds the entries of a simple LDIF text: no line is folded, no value encoded.
func addIndexes(c *ldap.Conn, text string) error {
	for part := range strings.SplitSeq(text, "\n\n") {
		dn, attrs := "", map[string][]string{}
		for line := range strings.Lines(part) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
			switch {
			case !ok || strings.HasPrefix(name, "#") || name == "changetype":
			case name == "dn":
				dn = value
			default:
				attrs[name] = append(attrs[name], value)
			}
		}
		if dn == "" {
			continue
		}
		err := addEntry(c, dn, attrs)
		if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
			return err
		}
	}
	return nil
}
