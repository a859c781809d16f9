package instance

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra/approval"
)

// Where a KRA's transport certificate is with the TKS, and recovery agents' certificates are.
const (
	tksTransportName = "kraTransport"
	kraAgentsDir     = "kra-agents"
	kraConnector     = "tps.connector.kra1."
	defaultApprovals = 2
)

// KRAOptions are what a new key recovery authority is made from.
type KRAOptions struct {
	// Host is the name or address by which others reach it, Listen its host:port; "" means
	// localhost and 127.0.0.1:8445.
	Host, Listen string
	// Transport is the kind of its transport key: rsa2048, rsa3072 or rsa4096; "" means rsa2048.
	Transport keystore.Spec
	// Agents are the names of recovery agents, none or two and more; Approvals is how many of
	// them must approve, 0 means 2.
	Agents    []string
	Approvals int
	Cost      soft.Cost // as in InitOptions
	Now       time.Time // zero means now
}

// KRAMade says what was made. It holds nothing secret.
type KRAMade struct {
	Dir       string   `json:"dir"`
	Listen    string   `json:"listen"`
	Transport string   `json:"transport"`        // path of the transport certificate
	Agents    []string `json:"agents,omitempty"` // paths of agents' certificates, without .crt
	Next      []string `json:"next"`
}

func (o *KRAOptions) fill() error {
	o.Host = cmp.Or(o.Host, "localhost")
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:8445")
	o.Transport = cmp.Or(o.Transport, keystore.RSA2048)
	o.Approvals = cmp.Or(o.Approvals, defaultApprovals)
	o.Cost = cmp.Or(o.Cost, soft.DefaultCost)
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if !slices.Contains([]keystore.Spec{keystore.RSA2048, keystore.RSA3072, keystore.RSA4096},
		o.Transport) {
		return fmt.Errorf("transport key %.20q: want rsa2048, rsa3072 or rsa4096", o.Transport)
	}
	if _, _, err := splitListen(o.Listen); err != nil {
		return err
	}
	if err := checkAgents(o.Agents, o.Approvals); err != nil {
		return err
	}
	return checkHost(o.Host)
}

// checkAgents takes names that may stand in keys and file names, and lists that can approve.
func checkAgents(names []string, approvals int) error {
	for _, n := range names {
		if n == "" || n == trustAnchorName || len(n) > 64 || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return fmt.Errorf("agent %.70q: want up to 64 of a-z, 0-9, - and _, and not %s", n,
				trustAnchorName)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return approval.Rule{Agents: names, Need: approvals, Lifetime: time.Hour}.Check()
}

// CreateKRA makes the key recovery authority of an instance, whose own CA for TLS issues its
// certificates. ErrExists when there is one. TPS and TKS beside it are told of it.
func CreateKRA(ctx context.Context, dir string, o KRAOptions) (KRAMade, error) {
	err := o.fill()
	var made KRAMade
	if err == nil {
		made, err = createKRA(ctx, dir, o)
	}
	if err != nil {
		return KRAMade{}, fmt.Errorf("making a key recovery authority: %w", err)
	}
	return made, nil
}

// createKRA makes everything in a directory beside and moves it to its place when all is there.
func createKRA(ctx context.Context, dir string, o KRAOptions) (made KRAMade, err error) {
	target := filepath.Join(dir, KRA)
	if err := checkFree(target); err != nil {
		return made, err
	}
	anchor, err := loadIssuer(filepath.Join(dir, caDir), o.Now)
	if err != nil {
		return made, fmt.Errorf("an instance's CA for TLS is needed (tms init): %w", err)
	}
	tmp, err := os.MkdirTemp(dir, ".tms-kra-*")
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	certs := filepath.Join(tmp, certsDir)
	if err := os.Mkdir(certs, dirMode); err != nil {
		return made, err
	}
	server, err := anchor.server(o.Host+" "+KRA, o.Host)
	if err != nil {
		return made, err
	}
	if err := errors.Join(server.write(certs, serverNickname),
		writeCert(filepath.Join(certs, trustAnchorName+".crt"), anchor.cert)); err != nil {
		return made, err
	}
	transport, err := makeKRAKeys(ctx, tmp, anchor, o)
	if err != nil {
		return made, err
	}
	if err := writeKRAConfig(tmp, dir, o); err != nil {
		return made, err
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made, err // an empty directory gives way
	}
	if err := os.Rename(tmp, target); err != nil {
		return made, err
	}
	made = KRAMade{Dir: target, Listen: o.Listen,
		Transport: filepath.Join(target, certsDir, kraTransportName+".crt"),
		Next: []string{"have it make and archive the encryption keys of a token type: " +
			"op.enroll.<type>.keyGen.encryption.serverKeygen.enable=true in " +
			filepath.Join(dir, TPS, configFile),
			"tms serve --dir " + dir + " (what runs must be started anew)"}}
	if len(o.Agents) > 0 {
		if made.Agents, err = addAgents(dir, anchor, o.Agents, o.Approvals); err != nil {
			return made, err
		}
		made.Next = append([]string{"hand each agent <name>.crt, <name>.key and ca.crt of " +
			filepath.Join(dir, kraAgentsDir) + ", and keep no copy of the key"}, made.Next...)
	}
	return made, errors.Join(tellTKS(dir, transport), tellTPS(dir, o.Listen))
}

// makeKRAKeys makes the key store with transport, storage and audit key, and the transport
// certificate.
func makeKRAKeys(ctx context.Context, dir string, anchor *issuer, o KRAOptions) (
	_ *x509.Certificate, err error,
) {
	passphrase, err := newPassphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	line := append(passphrase[:len(passphrase):len(passphrase)], '\n')
	if err := writeNew(filepath.Join(dir, passphraseFile), line, secretMode); err != nil {
		return nil, err
	}
	store, err := soft.Create(filepath.Join(dir, keystoreFile), passphrase, soft.WithCost(o.Cost))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, name := range []string{kraStorageName, kraAuditName} {
		if _, err := store.Generate(ctx, name, keystore.AES256); err != nil {
			return nil, err
		}
	}
	key, err := store.GenerateSigner(ctx, kraTransportName, o.Transport)
	if err != nil {
		return nil, err
	}
	tmpl, err := template(o.Host+" KRA transport", o.Now, caLifetime)
	if err != nil {
		return nil, err
	}
	tmpl.KeyUsage, tmpl.BasicConstraintsValid = x509.KeyUsageKeyEncipherment, true
	tmpl.NotAfter = earlier(tmpl.NotAfter, anchor.cert.NotAfter)
	der, err := x509.CreateCertificate(rand.Reader, tmpl, anchor.cert, key.Public(), anchor.key)
	if err != nil {
		return nil, fmt.Errorf("transport certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("transport certificate: %w", err)
	}
	return cert, writeCert(filepath.Join(dir, certsDir, kraTransportName+".crt"), cert)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// writeKRAConfig writes a new KRA's CS.cfg.
func writeKRAConfig(tmp, dir string, o KRAOptions) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Key recovery authority. This file states differences from the defaults only.")
	line("")
	line("# HTTPS; a client needs a certificate from certs/ca.crt and an entry below")
	line("service.listen=%s", o.Listen)
	line("")
	line("# how many recovery agents must approve a request")
	line("kra.noOfRequiredRecoveryAgents=%d", o.Approvals)
	if tps, err := loadCert(filepath.Join(dir, TPS), clientNickname); err == nil {
		line("")
		line("# the TPS that is served")
		line("tps.list=0")
		line("tps.0.userid=%s", tps.Subject.CommonName)
		line("tps.0.subject=%s", tps.Subject.String())
	}
	path := filepath.Join(tmp, configFile)
	file, err := conf.Parse(path, []byte(b.String()))
	if err != nil {
		return err
	}
	return file.WriteFile(path)
}

// tellTKS gives the TKS the transport certificate, unless it has one.
func tellTKS(dir string, transport *x509.Certificate) error {
	const key = "tks.drm_transport_cert_nickname"
	return tell(filepath.Join(dir, TKS), func(file *conf.File) error {
		if v, _, _ := file.Get(key); v != "" {
			return nil
		}
		path := filepath.Join(dir, TKS, certsDir, tksTransportName+".crt")
		if err := replaceFile(path, chainPEM(transport)); err != nil {
			return err
		}
		return file.Set(key, tksTransportName)
	})
}

// tellTPS tells the TPS where the KRA is, unless it knows one.
func tellTPS(dir, listen string) error {
	host, port, err := net.SplitHostPort(dialable(listen))
	if err != nil {
		return err
	}
	return tell(filepath.Join(dir, TPS), func(file *conf.File) error {
		if v, _, _ := file.Get(kraConnector + "host"); v != "" {
			return nil
		}
		return errors.Join(file.Set(kraConnector+"enable", "true"),
			file.Set(kraConnector+"host", host), file.Set(kraConnector+"port", port))
	})
}

// tell changes the configuration of a subsystem, if it is there.
func tell(dir string, change func(*conf.File) error) error {
	path := filepath.Join(dir, configFile)
	file, err := conf.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := change(file); err != nil {
		return err
	}
	return file.WriteFile(path)
}

// AddKRAAgents makes certificates for more recovery agents, and enters them with the KRA. It gives
// the paths of the certificates, without .crt; the key is beside each.
func AddKRAAgents(dir string, names []string, now time.Time) ([]string, error) {
	anchor, err := loadIssuer(filepath.Join(dir, caDir), now)
	if err == nil && len(names) == 0 {
		err = errors.New("no name")
	}
	var out []string
	if err == nil {
		out, err = addAgents(dir, anchor, names, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("adding recovery agents: %w", err)
	}
	return out, nil
}

// addAgents enters agents; 0 approvals leaves the number as it is configured.
func addAgents(dir string, anchor *issuer, names []string, approvals int) (out []string, err error) {
	c, err := conf.Load(filepath.Join(dir, KRA, configFile), KRA)
	if err != nil {
		return nil, err
	}
	all := append(c.List("kra.agents.list"), names...)
	if approvals == 0 {
		approvals, err = c.Int("kra.noOfRequiredRecoveryAgents", defaultApprovals, 1, approval.MaxAgents)
		if err != nil {
			return nil, err
		}
	}
	if err := checkAgents(all, approvals); err != nil {
		return nil, err
	}
	certs := filepath.Join(dir, kraAgentsDir)
	if err := os.MkdirAll(certs, dirMode); err != nil {
		return nil, err
	}
	err = writeCert(filepath.Join(certs, trustAnchorName+".crt"), anchor.cert)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	made := map[string]string{}
	for _, name := range names {
		cert, err := anchor.client("agent " + name)
		if err != nil {
			return nil, err
		}
		// What is there of an agent that is not entered was left by one that was cut off.
		base := filepath.Join(certs, name)
		if err := errors.Join(removeOld(base+".crt", base+".key"), cert.write(certs, name)); err != nil {
			return nil, err
		}
		made[name] = connector.Fingerprint(cert.Certificate)
		out = append(out, base)
	}
	return out, tell(filepath.Join(dir, KRA), func(file *conf.File) error {
		errs := []error{file.Set("kra.agents.list", strings.Join(all, ","))}
		for _, name := range names {
			errs = append(errs, file.Set("kra.agents."+name+".fingerprint", made[name]))
		}
		return errors.Join(errs...)
	})
}
