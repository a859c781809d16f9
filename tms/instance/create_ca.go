package instance

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokenwright/tms/ca"
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
func makeCAKeys(ctx context.Context, dir string, cost soft.Cost, spec keystore.Spec,
	responder bool,
) (crypto.Signer, error) {
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
