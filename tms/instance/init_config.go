package instance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"tokenwright/tms/conf"
	"tokenwright/tms/tps"
)

// directory is the users' LDAP directory.
type directory struct {
	host, port, base string
	secure           bool
}

// parseDirectory reads ldap://host:port/base-dn or ldaps://…
func parseDirectory(text string) (*directory, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("directory: no url")
	}
	d := &directory{host: u.Hostname(), port: u.Port(), base: strings.TrimPrefix(u.Path, "/")}
	switch u.Scheme {
	case "ldap":
	case "ldaps":
		d.secure = true
	default:
		return nil, fmt.Errorf("directory: scheme %q is neither ldap nor ldaps", u.Scheme)
	}
	if d.port == "" {
		d.port = map[bool]string{false: "389", true: "636"}[d.secure]
	}
	if d.host == "" || d.base == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("directory: want ldaps://host:port/base-dn")
	}
	return d, nil
}

// checkHost takes DNS names and IP addresses, and nothing that could break a certificate, a URL
// or a line of configuration.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if len(host) > 253 {
		return fmt.Errorf("host has %d characters", len(host))
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("host %q is neither a name nor an address", host)
		}
	}
	return nil
}

// splitListen checks a listener's host:port.
func splitListen(addr string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(addr)
	if err != nil {
		return "", "", fmt.Errorf("%q: want host:port", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", "", fmt.Errorf("%q: no port", addr)
	}
	return host, port, nil
}

// dialable gives an address at which a listener on the same machine is reached.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// writeConfigs writes both CS.cfg: what differs from the defaults, with a word on each.
func (p *plan) writeConfigs(context.Context) error {
	for _, c := range []struct {
		name, what string
		text       func() (string, error)
	}{
		{TKS, "configuration of the TKS", p.tksConfig},
		{TPS, "configuration of the TPS", p.tpsConfig},
	} {
		text, err := c.text()
		if err != nil {
			return err
		}
		path := filepath.Join(p.dir, c.name, configFile)
		file, err := conf.Parse(path, []byte(text))
		if err != nil {
			return err
		}
		if err := file.WriteFile(path); err != nil {
			return err
		}
		p.note(c.what+"; states differences from the defaults only", c.name, configFile)
	}
	return nil
}

func (p *plan) tksConfig() (string, error) {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Token key service. This file states differences from the defaults only.")
	line("")
	line("# HTTPS; a client needs a certificate from certs/ca.crt and an entry below")
	line("service.listen=%s", p.TKSListen)
	line("")
	line("# the TPS that is served, and the key that session keys travel under")
	line("tps.list=0")
	line("tps.0.host=%s", p.Host)
	line("tps.0.port=%s", p.tpsPort)
	line("tps.0.userid=%s", p.userID())
	line("tps.0.nickname=%s", p.secretName())
	line("tps.0.subject=CN=%s,O=tokenwright", p.userID())
	line("")
	line("# Master keys of key version 02. A card can only be opened with the version it carries:")
	line("# a master key that cards were changed over to must stay.")
	for _, m := range masters {
		for _, set := range m.keySets {
			line("tks.%s.mk_mappings.#02#01=internal:%s", set, m.name)
		}
	}
	line("")
	line("# Keys of version 02 are made for each card. Used as they are (none, which is how vendor")
	line("# keys of these cards come), every card would hold the master key itself.")
	line("tks.aesKeySet.prot3.divers=gpkmc")
	return b.String(), nil
}

func (p *plan) tpsConfig() (string, error) {
	defaults, err := conf.New(nil, TPS)
	if err != nil {
		return "", err
	}
	tksHost, tksPort, err := net.SplitHostPort(dialable(p.TKSListen))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Token processing system. This file states differences from the defaults only.")
	line("")
	line("service.listen=%s", p.TPSListen)
	line("")
	line("# the TKS; where both run in one process this is how the TPS knows that it is the same")
	line("tps.connector.tks1.host=%s", tksHost)
	line("tps.connector.tks1.port=%s", tksPort)
	line("conn.tks1.tksSharedSymKeyName=%s", p.secretName())
	line("")
	if p.ldap != nil {
		line("# the users' directory")
		line("auths.instance.ldap1.ldap.ldapconn.host=%s", p.ldap.host)
		line("auths.instance.ldap1.ldap.ldapconn.port=%s", p.ldap.port)
		line("auths.instance.ldap1.ldap.ldapconn.secureConn=%t", p.ldap.secure)
		line("auths.instance.ldap1.ldap.basedn=%s", p.ldap.base)
		line("")
	}
	line("# To change the cards' keys to version 02, the master key made with this instance:")
	line("#   op.format.<type>.update.symmetricKeys.enable=true")
	line("#   op.format.<type>.update.symmetricKeys.requiredVersion=2")
	line("# To go back to the vendor's keys: requiredVersion=1")
	for _, op := range []string{"format", "enroll", "pinReset"} {
		for _, typ := range defaults.Sub("op." + op).Children() {
			line("op.%s.%s.update.applet.directory=%s", op, typ, appletsDir)
			line("op.%s.%s.issuerinfo.value=%s%s", op, typ, p.made.TPS, tps.PathPhoneHome)
		}
	}
	return b.String(), nil
}

func (p *plan) writePhoneHome(context.Context) error {
	page, err := tps.ServiceInfo{
		IssuerName: p.Issuer,
		Services:   tps.Services{Operation: p.made.TPS + tps.PathOperation, TokenType: "userKey"},
	}.XML()
	if err != nil {
		return err
	}
	p.note("what the phone home page answers", TPS, phoneHomeFile)
	return writeNew(filepath.Join(p.dir, TPS, phoneHomeFile), page, publicMode)
}

// next says what is left to do.
func (p *plan) next() []string {
	out := []string{"put the applet's load file into " + filepath.Join(p.made.Dir, TPS, appletsDir)}
	if p.ldap == nil {
		out = append(out, "state the users' directory: auths.instance.ldap1.ldap.* in "+
			filepath.Join(p.made.Dir, TPS, configFile))
	}
	return append(out,
		"make clients trust "+filepath.Join(p.made.Dir, caDir, trustAnchorName+".crt"),
		"tms serve --dir "+p.made.Dir)
}
