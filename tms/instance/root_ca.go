package instance

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/keystore/soft"
)

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
	at := func() time.Time { return o.Now }
	root, closers, err := openRootDir(ctx, dir, o.url(), Options{Now: at})
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
func openRootDir(ctx context.Context, dir, url string, o Options) (
	*ca.Authority, []io.Closer, error,
) {
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
