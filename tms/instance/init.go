package instance

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tokenwright/tms/keystore/soft"
)

// InitOptions are what a new instance is made from. The zero value makes one for this machine.
type InitOptions struct {
	// Host is the name or address by which clients reach the TPS; "" means localhost.
	Host string
	// TPSListen and TKSListen are host:port of the HTTPS listeners; "" means ":8443" and
	// "127.0.0.1:8444". A TKS that serves other machines needs another.
	TPSListen, TKSListen string
	// LDAP is the users' directory as a URL, ldaps://host:port/base-dn; "" leaves it to the
	// configuration.
	LDAP string
	// Issuer is the name that the phone home page shows; "" means tokenwright.
	Issuer string
	// Now is when certificates begin; the zero value means now.
	Now time.Time
	// Cost is the effort to get from a passphrase to a key store; the zero value means
	// soft.DefaultCost. Passphrases are made with 256 random bits, so less does where instances
	// come and go, as in tests.
	Cost soft.Cost
}

// Made says what Init made. It holds nothing secret.
type Made struct {
	Dir        string      `json:"dir"`
	TPS        string      `json:"tps"` // address of the TPS for clients
	TKS        string      `json:"tks"` // address on which the TKS listens
	Files      []MadeFile  `json:"files"`
	MasterKeys []MasterKey `json:"masterKeys"`
	Next       []string    `json:"next"` // what is left to do, in words
}

// MadeFile is one file or directory, by its path below Made.Dir.
type MadeFile struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// MasterKey is a master key that Init generated.
type MasterKey struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Algorithm string   `json:"algorithm"`
	KCV       string   `json:"kcv"`
	KeySets   []string `json:"keySets"`
}

// plan is an instance that is being made, in a directory that is not yet its own.
type plan struct {
	InitOptions
	dir     string // where files are written
	made    Made
	tpsPort string
	ldap    *directory // nil when none was given
	issuer  *issuer
}

// userID is the name by which a TKS knows the TPS.
func (p *plan) userID() string { return "TPS-" + p.Host + "-" + p.tpsPort }

// secretName is the name of the secret that TKS and TPS share.
func (p *plan) secretName() string { return p.userID() + " sharedSecret" }

// Init makes an instance in dir, which must not exist or be empty: ErrExists otherwise. When it
// fails it leaves nothing behind in dir.
func Init(ctx context.Context, dir string, o InitOptions) (Made, error) {
	p, err := newPlan(dir, o)
	if err == nil {
		err = p.run(ctx, dir)
	}
	if err != nil {
		return Made{}, fmt.Errorf("making instance %s: %w", dir, err)
	}
	return p.made, nil
}

// run makes everything in a new directory inside dir and moves it up when all is there, so that
// an instance that is half made is never taken for one.
func (p *plan) run(ctx context.Context, dir string) (err error) {
	if err := checkFree(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp(dir, ".tms-init-*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	if err := p.write(ctx); err != nil {
		return err
	}
	for n, name := range topLevel {
		if err := os.Rename(filepath.Join(p.dir, name), filepath.Join(dir, name)); err != nil {
			for _, moved := range topLevel[:n] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, moved)))
			}
			return err
		}
	}
	return nil
}

// topLevel are the directories of an instance.
var topLevel = []string{caDir, TKS, TPS}

func newPlan(dir string, o InitOptions) (*plan, error) {
	o.Host = cmp.Or(o.Host, "localhost")
	o.TPSListen = cmp.Or(o.TPSListen, ":8443")
	o.TKSListen = cmp.Or(o.TKSListen, "127.0.0.1:8444")
	o.Issuer = cmp.Or(o.Issuer, "tokenwright")
	o.Cost = cmp.Or(o.Cost, soft.DefaultCost)
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if err := checkHost(o.Host); err != nil {
		return nil, err
	}
	p := &plan{InitOptions: o}
	var err error
	if _, p.tpsPort, err = splitListen(o.TPSListen); err != nil {
		return nil, fmt.Errorf("address of the tps: %w", err)
	}
	if _, _, err = splitListen(o.TKSListen); err != nil {
		return nil, fmt.Errorf("address of the tks: %w", err)
	}
	if o.LDAP != "" {
		if p.ldap, err = parseDirectory(o.LDAP); err != nil {
			return nil, err
		}
	}
	p.made = Made{Dir: dir, TPS: "https://" + net.JoinHostPort(o.Host, p.tpsPort), TKS: o.TKSListen}
	return p, nil
}

// checkFree fails unless dir does not exist or is an empty directory.
func checkFree(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return ErrExists
	}
	return nil
}

// write makes everything below p.dir.
func (p *plan) write(ctx context.Context) error {
	var err error
	if p.issuer, err = newIssuer(p.Host, p.Now); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		p.writeDirs, p.writeCertificates, p.writeKeystores, p.writeConfigs, p.writePhoneHome,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	slices.SortStableFunc(p.made.Files, func(a, b MadeFile) int { return cmp.Compare(a.Path, b.Path) })
	p.made.Next = p.next()
	return nil
}

func (p *plan) note(what string, path ...string) {
	p.made.Files = append(p.made.Files, MadeFile{filepath.ToSlash(filepath.Join(path...)), what})
}

func (p *plan) writeDirs(context.Context) error {
	for _, d := range []string{
		caDir, filepath.Join(TKS, certsDir), filepath.Join(TPS, certsDir),
		filepath.Join(TPS, appletsDir),
	} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), dirMode); err != nil {
			return err
		}
	}
	p.note("load files, named VERSION.ijc; empty", TPS, appletsDir)
	return nil
}

func (p *plan) writeCertificates(context.Context) error {
	ca := certificate{p.issuer.cert, p.issuer.key}
	if err := ca.write(filepath.Join(p.dir, caDir), trustAnchorName); err != nil {
		return err
	}
	p.note("CA for TLS among the parts of this instance", caDir, trustAnchorName+".crt")
	p.note("its key: keep it apart, only issuing needs it", caDir, trustAnchorName+".key")
	for _, s := range []string{TKS, TPS} {
		certs := filepath.Join(p.dir, s, certsDir)
		if err := writeCert(filepath.Join(certs, trustAnchorName+".crt"), p.issuer.cert); err != nil {
			return err
		}
		server, err := p.issuer.server(p.Host+" "+s, p.Host)
		if err != nil {
			return err
		}
		if err := server.write(certs, serverNickname); err != nil {
			return err
		}
		p.note("server certificate until "+server.NotAfter.Format(time.DateOnly), s, certsDir,
			serverNickname+".crt")
	}
	client, err := p.issuer.client(p.userID())
	if err != nil {
		return err
	}
	p.note("certificate that shows the TPS to the TKS, until "+
		client.NotAfter.Format(time.DateOnly), TPS, certsDir, clientNickname+".crt")
	return client.write(filepath.Join(p.dir, TPS, certsDir), clientNickname)
}

// newPassphrase gives the text of a fresh passphrase file.
func newPassphrase() ([]byte, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	return base64.RawStdEncoding.AppendEncode(nil, b[:]), nil
}
