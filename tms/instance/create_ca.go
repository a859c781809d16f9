package instance

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/conf"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// Names of a CA's keys and files.
const (
	caKeyName   = "caSigning"
	ocspKeyName = "ocspSigning"
	caCSRFile   = "ca.csr"
	profilesDir = "profiles"
	examplesDir = "examples"
	caDBFile    = "ca.db"
	year        = 365 * 24 * time.Hour
)

// CAOptions are what a new certificate authority is made from.
type CAOptions struct {
	Name    string // ca1
	Subject string // RFC 4514 name; "" means CN=Token CA <n>,O=tokenwright
	// Key is the kind of its key: rsa2048, rsa3072, rsa4096, p256, p384; "" means p384.
	Key keystore.Spec
	// RootSubject is the name of the root that is made with it; "" means CN=Token Root <n>,...
	RootSubject string
	// ExternalRoot: no root is made, but a certificate signing request for another's.
	ExternalRoot bool
	// Years that the CA's certificate is good for; 0 means 10. A root gets twice that.
	Years int
	// Host is the name or address by which everybody reaches what is published; "" means localhost.
	Host string
	// Listen is host:port for clients with certificates, PublicListen for everybody; "" means
	// 127.0.0.1:8446 and :8081.
	Listen, PublicListen string
	Cost                 soft.Cost // as in InitOptions
	Now                  time.Time // zero means now
}

// CAMade says what was made. It holds nothing secret.
type CAMade struct {
	Dir         string   `json:"dir"`
	Subject     string   `json:"subject"`
	Certificate string   `json:"certificate,omitempty"` // path
	CSR         string   `json:"csr,omitempty"`         // path
	Root        string   `json:"root,omitempty"`        // directory
	URL         string   `json:"url"`
	Next        []string `json:"next"`
}

func (o *CAOptions) fill() error {
	if !IsCA(o.Name) {
		return fmt.Errorf("name %q: want ca and a number, as ca1", o.Name)
	}
	n := strings.TrimPrefix(o.Name, CA)
	o.Subject = cmp.Or(o.Subject, "CN=Token CA "+n+",O=tokenwright")
	o.RootSubject = cmp.Or(o.RootSubject, "CN=Token Root "+n+",O=tokenwright")
	o.Key = cmp.Or(o.Key, keystore.P384)
	o.Years = cmp.Or(o.Years, 10)
	o.Host = cmp.Or(o.Host, "localhost")
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:8446")
	o.PublicListen = cmp.Or(o.PublicListen, ":8081")
	o.Cost = cmp.Or(o.Cost, soft.DefaultCost)
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Years < 1 || o.Years > 30 {
		return fmt.Errorf("%d years: want 1 to 30", o.Years)
	}
	if _, _, err := splitListen(o.Listen); err != nil {
		return fmt.Errorf("address for clients: %w", err)
	}
	if _, _, err := splitListen(o.PublicListen); err != nil {
		return fmt.Errorf("public address: %w", err)
	}
	return checkHost(o.Host)
}

func (o *CAOptions) url() string {
	_, port, _ := splitListen(o.PublicListen) // checked by fill
	return "http://" + net.JoinHostPort(o.Host, port)
}

// CreateCA makes a certificate authority in an instance, whose own CA for TLS issues its server
// certificate. ErrExists when one of the name is there. A TPS beside it is told of it.
func CreateCA(ctx context.Context, dir string, o CAOptions) (CAMade, error) {
	if err := o.fill(); err != nil {
		return CAMade{}, fmt.Errorf("making a certificate authority: %w", err)
	}
	made, err := createCA(ctx, dir, o)
	if err != nil {
		return CAMade{}, fmt.Errorf("making certificate authority %s: %w", o.Name, err)
	}
	return made, nil
}

// createCA makes everything in a directory beside and moves it to its place when all is there.
func createCA(ctx context.Context, dir string, o CAOptions) (made CAMade, err error) {
	target := filepath.Join(dir, o.Name)
	if err := checkFree(target); err != nil {
		return made, err
	}
	anchor, err := loadIssuer(filepath.Join(dir, caDir), o.Now)
	if err != nil {
		return made, fmt.Errorf("an instance's CA for TLS is needed (tms init): %w", err)
	}
	tmp, err := os.MkdirTemp(dir, ".tms-ca-*")
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	made = CAMade{Dir: target, Subject: o.Subject, URL: o.url()}
	if err := writeCAFiles(tmp, dir, anchor, o); err != nil {
		return made, err
	}
	key, err := makeCAKeys(ctx, tmp, o.Cost, o.Key, true)
	if err != nil {
		return made, err
	}
	csr, err := ca.NewCSR(key, o.Subject)
	if err != nil {
		return made, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
	if err := writeNew(filepath.Join(tmp, caCSRFile), text, publicMode); err != nil {
		return made, err
	}
	if !o.ExternalRoot {
		if err := makeRoot(ctx, tmp, csr, o); err != nil {
			return made, fmt.Errorf("root: %w", err)
		}
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made, err // an empty directory gives way
	}
	if err := os.Rename(tmp, target); err != nil {
		return made, err
	}
	return made, finishCA(dir, &made, o)
}

// finishCA tells the TPS, and says what is left to do.
func finishCA(dir string, made *CAMade, o CAOptions) error {
	serve := "tms serve " + o.Name + " --dir " + dir
	if o.ExternalRoot {
		made.CSR = filepath.Join(made.Dir, caCSRFile)
		made.Next = []string{"have " + made.CSR + " certified as a CA (basic constraints, keyCertSign, " +
			"cRLSign)", "tms ca install " + o.Name + " --dir " + dir + " --cert FILE with the " +
			"certificate and those above it up to the root", serve}
		return nil
	}
	made.Certificate = filepath.Join(made.Dir, certsDir, caKeyName+".crt")
	made.Root = filepath.Join(made.Dir, caRootDir)
	made.Next = []string{"have " + filepath.Join(made.Root, certsDir, caKeyName+".crt") +
		" trusted by whoever checks certificates",
		"take " + made.Root + " to a safe place; it is needed once a year, for the root's own list " +
			"(tms ca crl " + o.Name + " --root)", serve}
	return connectTPS(dir, o.Name)
}

// writeCAFiles makes directories, TLS certificate, examples of profiles, and configuration.
func writeCAFiles(tmp, dir string, anchor *issuer, o CAOptions) error {
	certs := filepath.Join(tmp, certsDir)
	if err := os.MkdirAll(certs, dirMode); err != nil {
		return err
	}
	if err := profile.WriteDefaults(filepath.Join(tmp, profilesDir, examplesDir)); err != nil {
		return err
	}
	if err := writeCert(filepath.Join(certs, trustAnchorName+".crt"), anchor.cert); err != nil {
		return err
	}
	server, err := anchor.server(o.Host+" "+o.Name, o.Host)
	if err != nil {
		return err
	}
	if err := server.write(certs, serverNickname); err != nil {
		return err
	}
	path := filepath.Join(tmp, configFile)
	file, err := conf.Parse(path, []byte(caConfig(dir, o)))
	if err != nil {
		return err
	}
	return file.WriteFile(path)
}

// caConfig is the text of a new CA's CS.cfg.
func caConfig(dir string, o CAOptions) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Certificate authority. This file states differences from the defaults only.")
	line("")
	line("# HTTPS; a client needs a certificate from certs/ca.crt and an entry below")
	line("service.listen=%s", o.Listen)
	line("")
	line("# plain HTTP for everybody: CA certificate, revocation lists, OCSP")
	line("publish.listen=%s", o.PublicListen)
	line("")
	line("# the same as others reach it; it stands in every certificate")
	line("ca.url=%s", o.url())
	if tps, err := loadCert(filepath.Join(dir, TPS), clientNickname); err == nil {
		line("")
		line("# the TPS that is served")
		line("agents.list=0")
		line("agents.0.userid=%s", tps.Subject.CommonName)
		line("agents.0.subject=%s", tps.Subject.String())
	}
	return b.String()
}

// makeCAKeys makes a key store with the CA's key, and that of a responder if wanted.
func makeCAKeys(ctx context.Context, dir string, cost soft.Cost, spec keystore.Spec, responder bool) (
	crypto.Signer, error,
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
	store, err := soft.Create(filepath.Join(dir, keystoreFile), passphrase, soft.WithCost(cost))
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }() // nothing is lost: each key is on disk when it is made
	key, err := store.GenerateSigner(ctx, caKeyName, spec)
	if err != nil || !responder {
		return key, err
	}
	_, err = store.GenerateSigner(ctx, ocspKeyName, keystore.P256)
	return key, err
}

// makeRoot makes a root below a new CA's directory, and has it certify the CA.
func makeRoot(ctx context.Context, tmp string, csr []byte, o CAOptions) (err error) {
	dir := filepath.Join(tmp, caRootDir)
	if err := os.MkdirAll(filepath.Join(dir, certsDir), dirMode); err != nil {
		return err
	}
	key, err := makeCAKeys(ctx, dir, o.Cost, o.Key, false)
	if err != nil {
		return err
	}
	life := time.Duration(o.Years) * year
	cert, err := ca.SelfSign(key, o.RootSubject, o.Now.Add(-skew), 2*life)
	if err != nil {
		return err
	}
	if err := writeCert(filepath.Join(dir, certsDir, caKeyName+".crt"), cert); err != nil {
		return err
	}
	root, closers, err := openRootDir(ctx, dir, o.url(), Options{Now: func() time.Time { return o.Now }})
	defer func() {
		for _, c := range closers {
			err = errors.Join(err, c.Close())
		}
	}()
	if err != nil {
		return err
	}
	request, err := ca.ParseCSR(csr)
	if err != nil {
		return err
	}
	issued, err := root.CertifyCA(ctx, request, life)
	if err != nil {
		return err
	}
	list, err := root.IssueCRL(ctx, false)
	if err != nil {
		return err
	}
	if err := writeNew(filepath.Join(tmp, certsDir, rootCRLFile), list.DER, publicMode); err != nil {
		return err
	}
	return writeNew(filepath.Join(tmp, certsDir, caKeyName+".crt"), chainPEM(issued, cert), publicMode)
}

func chainPEM(chain ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// openRootDir opens a root. Its lists are good for a year. The closers are the caller's, also when
// it fails.
func openRootDir(ctx context.Context, dir, url string, o Options) (*ca.Authority, []io.Closer, error) {
	passphrase, err := readPassphrase(filepath.Join(dir, passphraseFile))
	if err != nil {
		return nil, nil, err
	}
	defer clear(passphrase)
	store, err := soft.Open(filepath.Join(dir, keystoreFile), passphrase)
	if err != nil {
		return nil, nil, err
	}
	closers := []io.Closer{store}
	key, err := store.Signer(ctx, caKeyName)
	if err != nil {
		return nil, closers, err
	}
	chain, err := loadChain(dir, caKeyName)
	if err != nil {
		return nil, closers, err
	}
	db, err := certdb.Open(ctx, filepath.Join(dir, caDBFile))
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, db)
	if url != "" {
		url += rootPath
	}
	a, err := ca.New(ca.Options{Name: caRootDir, Key: key, Certificate: chain[0], Chain: chain[1:],
		DB: db, URL: url, Now: o.Now, Log: o.Log,
		CRL: ca.CRLOptions{Interval: year - 30*24*time.Hour, Grace: 30 * 24 * time.Hour}})
	return a, closers, err
}

// InstallCA gives a CA that was made for another's root the certificate that it got: text is the
// certificate and those above it up to the root, in PEM form. One that is there is replaced, if the
// new one is of the same key: that is how a CA's own certificate is renewed.
func InstallCA(ctx context.Context, dir, name string, text []byte) error {
	if err := installCA(ctx, dir, name, text); err != nil {
		return fmt.Errorf("installing certificate of %s: %w", name, err)
	}
	return nil
}

func installCA(ctx context.Context, dir, name string, text []byte) error {
	if !IsCA(name) {
		return fmt.Errorf("name %q: want ca and a number, as ca1", name)
	}
	chain, err := parseChain(text)
	if err != nil {
		return err
	}
	p, err := newPart(dir, name, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	store, err := p.openKeystore()
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // it was only read
	key, err := store.Signer(ctx, p.conf.StringOr("ca.signing.keyNickname", caKeyName))
	if err != nil {
		return err
	}
	if err := ca.CheckChain(key.Public(), chain); err != nil {
		return err
	}
	nickname := p.conf.StringOr("ca.signing.certNickname", caKeyName)
	path := under(filepath.Join(p.dir, certsDir), nickname) + ".crt"
	if err := replaceFile(path, chainPEM(chain...)); err != nil {
		return err
	}
	return connectTPS(dir, name)
}

// replaceFile puts a public file into another's place, so that readers see the one or the other.
func replaceFile(path string, data []byte) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(tmp, data, publicMode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// IssueRootCRL has the root that was made with a CA issue its list, and the CA offer it.
func IssueRootCRL(ctx context.Context, dir, name string) (list certdb.CRL, err error) {
	p, err := newPart(dir, name, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return list, err
	}
	url := strings.TrimSuffix(p.conf.String("ca.url"), "/")
	root, closers, err := openRootDir(ctx, filepath.Join(p.dir, caRootDir), url, Options{})
	defer func() {
		for _, c := range closers {
			err = errors.Join(err, c.Close())
		}
	}()
	if err != nil {
		return list, fmt.Errorf("root of %s: %w", name, err)
	}
	if list, err = root.IssueCRL(ctx, false); err != nil {
		return list, err
	}
	return list, replaceFile(filepath.Join(p.dir, certsDir, rootCRLFile), list.DER)
}

// connectTPS tells a TPS beside a CA where it is, unless its configuration says so already.
func connectTPS(dir, name string) error {
	path := filepath.Join(dir, TPS, configFile)
	file, err := conf.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := newPart(dir, name, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	head := "tps.connector." + name + "."
	chain, err := loadChain(p.dir, p.conf.StringOr("ca.signing.certNickname", caKeyName))
	if err != nil {
		return err
	}
	own := filepath.Join(dir, TPS, certsDir, name+".crt")
	if err := os.WriteFile(own, chainPEM(chain[0]), publicMode); err != nil {
		return err
	}
	if _, _, there := file.Get(head + "host"); there {
		return nil
	}
	host, port, err := net.SplitHostPort(dialable(p.listen))
	if err != nil {
		return err
	}
	for _, kv := range [][2]string{
		{"enable", "true"}, {"host", host}, {"port", port}, {"caNickname", name},
		{"uri.enrollment", "/ca/ee/ca/profileSubmitSSLClient"},
		{"uri.renewal", "/ca/ee/ca/profileSubmitSSLClient"},
		{"uri.getcert", "/ca/ee/ca/displayBySerial"},
		{"uri.revoke", "/ca/ee/subsystem/ca/doRevoke"},
		{"uri.unrevoke", "/ca/ee/subsystem/ca/doUnrevoke"},
	} {
		if err := file.Set(head+kv[0], kv[1]); err != nil {
			return err
		}
	}
	list, _, _ := file.Get("tps.connCAList")
	if list != "" {
		list += ","
	}
	if err := file.Set("tps.connCAList", list+name); err != nil {
		return err
	}
	return file.WriteFile(path)
}

// loadIssuer reads an instance's CA for TLS.
func loadIssuer(dir string, now time.Time) (*issuer, error) {
	base := filepath.Join(dir, trustAnchorName)
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s.key is no EC key", base)
	}
	return &issuer{cert: pair.Leaf, key: key, now: now}, nil
}
