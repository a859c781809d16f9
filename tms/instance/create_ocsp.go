package instance

import (
	"cmp"
	"context"
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

	"tokenwright/tms/ca"
	"tokenwright/tms/conf"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// ocspLifetime is how long a CA certifies a responder that is apart from it for.
const ocspLifetime = year

// OCSPOptions are what a new responder is made from.
type OCSPOptions struct {
	// CAs are those of the instance to answer for; none means all.
	CAs []string
	// FromList has the state of certificates come from the CAs' revocation lists, fetched from where
	// the CAs publish them, not from their databases: the responder may stand on another machine.
	FromList bool
	// Host is the name or address by which others reach it; "" means localhost.
	Host string
	// Listen is host:port for clients with certificates, PublicListen for everybody; "" means
	// 127.0.0.1:8447 and 127.0.0.1:8082.
	Listen, PublicListen string
	Cost                 soft.Cost // as in InitOptions
	Now                  time.Time // zero means now
}

// OCSPMade says what was made. It holds nothing secret.
type OCSPMade struct {
	Dir  string    `json:"dir"`
	CAs  []string  `json:"cas"`
	URL  string    `json:"url"`
	Ends time.Time `json:"certifiedUntil"`
	Next []string  `json:"next"`
}

// CreateOCSP makes a responder apart from the CAs of an instance, with keys that they certify. ErrExists
// when there is one.
func CreateOCSP(ctx context.Context, dir string, o OCSPOptions) (OCSPMade, error) {
	o.Host = cmp.Or(o.Host, "localhost")
	o.Listen = cmp.Or(o.Listen, defaultListen[OCSP])
	o.PublicListen = cmp.Or(o.PublicListen, "127.0.0.1:8082")
	o.Cost = cmp.Or(o.Cost, soft.DefaultCost)
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	_, port, err := splitListen(o.PublicListen)
	_, _, lerr := splitListen(o.Listen)
	if err = errors.Join(err, lerr, checkHost(o.Host)); err == nil && len(o.CAs) == 0 {
		o.CAs, err = casOf(dir)
	}
	for _, name := range o.CAs {
		if err == nil && !IsCA(name) {
			err = fmt.Errorf("name %.20q: want a CA's, as ca1", name)
		}
	}
	made := OCSPMade{Dir: filepath.Join(dir, OCSP), CAs: o.CAs,
		URL: "http://" + net.JoinHostPort(o.Host, port) + pathOCSP, Ends: o.Now.Add(ocspLifetime)}
	if err == nil {
		err = createOCSP(ctx, dir, o)
	}
	if err != nil {
		return OCSPMade{}, fmt.Errorf("making an ocsp responder: %w", err)
	}
	made.Next = []string{"have certificates name it: ca.ocsp.url=" + made.URL + " in CS.cfg of " +
		strings.Join(o.CAs, ", ") + "; those issued so far name the CA's own"}
	if o.FromList {
		made.Next = append(made.Next, "move "+made.Dir+" to its machine, into a directory of its own")
	}
	made.Next = append(made.Next, "tms serve ocsp --dir "+dir,
		"once a year: tms ocsp certify --dir "+dir)
	return made, nil
}

// casOf gives the CAs of an instance.
func casOf(dir string) ([]string, error) {
	names, err := Subsystems(dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !IsCA(n) })
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w: no CA is there to answer for", dir, ErrNoInstance)
	}
	return names, nil
}

// createOCSP makes everything in a directory beside and moves it to its place when all is there.
func createOCSP(ctx context.Context, dir string, o OCSPOptions) (err error) {
	target := filepath.Join(dir, OCSP)
	if err := checkFree(target); err != nil {
		return err
	}
	anchor, err := loadIssuer(filepath.Join(dir, caDir), o.Now)
	if err != nil {
		return fmt.Errorf("an instance's CA for TLS is needed (tms init): %w", err)
	}
	cas, err := Open(ctx, dir, Options{Subsystems: o.CAs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cas.Close()) }()
	tmp, err := os.MkdirTemp(dir, ".tms-ocsp-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	certs := filepath.Join(tmp, certsDir)
	if err := os.Mkdir(certs, dirMode); err != nil {
		return err
	}
	server, err := anchor.server(o.Host+" "+OCSP, o.Host)
	if err != nil {
		return err
	}
	if err := errors.Join(server.write(certs, serverNickname),
		writeCert(filepath.Join(certs, trustAnchorName+".crt"), anchor.cert)); err != nil {
		return err
	}
	if err := makeOCSPKeys(ctx, tmp, cas, o); err != nil {
		return err
	}
	path := filepath.Join(tmp, configFile)
	file, err := conf.Parse(path, []byte(ocspConfig(cas, o)))
	if err != nil {
		return err
	}
	if err := file.WriteFile(path); err != nil {
		return err
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // an empty directory gives way
	}
	return os.Rename(tmp, target)
}

// makeOCSPKeys makes a key for each CA and has the CA certify it.
func makeOCSPKeys(ctx context.Context, tmp string, cas *Instance, o OCSPOptions) (err error) {
	passphrase, err := newPassphrase()
	if err != nil {
		return err
	}
	defer clear(passphrase)
	line := append(passphrase[:len(passphrase):len(passphrase)], '\n')
	if err := writeNew(filepath.Join(tmp, passphraseFile), line, secretMode); err != nil {
		return err
	}
	store, err := soft.Create(filepath.Join(tmp, keystoreFile), passphrase, soft.WithCost(o.Cost))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, name := range o.CAs {
		key, err := store.GenerateSigner(ctx, name+"-ocsp", keystore.P256)
		if err != nil {
			return err
		}
		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return err
		}
		a := cas.Authority(name)
		cert, err := a.CertifyResponder(ctx, spki, name+" at "+o.Host, ocspLifetime)
		if err != nil {
			return err
		}
		certs := filepath.Join(tmp, certsDir)
		if err := errors.Join(writeCert(filepath.Join(certs, name+".crt"), a.Chain()[0]),
			writeCert(filepath.Join(certs, name+"-ocsp.crt"), cert)); err != nil {
			return err
		}
	}
	return nil
}

// ocspConfig is the text of a new responder's CS.cfg.
func ocspConfig(cas *Instance, o OCSPOptions) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# OCSP responder. This file states differences from the defaults only.")
	line("")
	line("# HTTPS, for clients with a certificate from certs/ca.crt")
	line("service.listen=%s", o.Listen)
	line("")
	line("# plain HTTP; OCSP answers are signed")
	line("publish.listen=%s", o.PublicListen)
	line("")
	line("# the CAs that are answered for, and where the state of their certificates is known")
	line("ocsp.list=%s", strings.Join(o.CAs, ","))
	for _, name := range o.CAs {
		c := cas.cas[name].conf
		if o.FromList {
			line("ocsp.%s.crl=%s", name, strings.TrimSuffix(c.String("ca.url"), "/")+ca.PathCRL)
			continue
		}
		path := c.StringOr("ca.database.path", caDBFile)
		if !filepath.IsAbs(path) {
			path = filepath.Join("..", name, path)
		}
		line("ocsp.%s.database=%s", name, path)
	}
	return b.String()
}

// CertifyOCSP has the CAs of an instance certify its responder's keys anew, those of the names or all.
// A responder that runs takes the certificates up.
func CertifyOCSP(ctx context.Context, dir string, names []string) (until time.Time, err error) {
	if until, err = certifyOCSP(ctx, dir, names); err != nil {
		return until, fmt.Errorf("certifying the ocsp responder: %w", err)
	}
	return until, nil
}

func certifyOCSP(ctx context.Context, dir string, names []string) (until time.Time, err error) {
	c, err := conf.Load(filepath.Join(dir, OCSP, configFile), OCSP)
	if err != nil {
		return until, err
	}
	all := c.List("ocsp.list")
	if len(names) == 0 {
		names = all
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return until, fmt.Errorf("%.20q is none of its CAs: %s", name, strings.Join(all, ", "))
		}
	}
	cas, err := Open(ctx, dir, Options{Subsystems: names})
	if err != nil {
		return until, err
	}
	defer func() { err = errors.Join(err, cas.Close()) }()
	for _, name := range names {
		nickname := c.StringOr("ocsp."+name+".signing.certNickname", name+"-ocsp")
		old, err := loadCert(filepath.Join(dir, OCSP), nickname)
		if err != nil {
			return until, err
		}
		of := strings.TrimPrefix(old.Subject.CommonName, "OCSP responder of ")
		cert, err := cas.Authority(name).CertifyResponder(ctx,
			old.RawSubjectPublicKeyInfo, of, ocspLifetime)
		if err != nil {
			return until, err
		}
		path := under(filepath.Join(dir, OCSP, certsDir), nickname) + ".crt"
		if err := replaceFile(path, chainPEM(cert)); err != nil {
			return until, err
		}
		if until.IsZero() || cert.NotAfter.Before(until) {
			until = cert.NotAfter
		}
	}
	return until, nil
}
