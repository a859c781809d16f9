package lab

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/connector"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/vault"
)

// transportNickname is the certificate that a TKS encrypts transport keys to.
const transportNickname = "transportCert"

// Agents are the recovery agents of the KRA. Two of them have to approve.
var Agents = []string{"ann", "ben", "cho"}

// Authorities are the CA and the KRA of all laboratories of a pool.
type Authorities struct {
	CA  *ca.Authority
	KRA *kra.Service
	// Certificate is the CA's own, which its certificates are verified with.
	Certificate *x509.Certificate

	closers []io.Closer
}

// openAuthorities makes both below dir. They live as long as the pool.
func openAuthorities(ctx context.Context, dir string) (_ *Authorities, err error) {
	a := &Authorities{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := a.openCA(ctx, dir); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if err := a.openKRA(ctx, dir); err != nil {
		return nil, fmt.Errorf("key recovery authority: %w", err)
	}
	return a, nil
}

// Close ends both.
func (a *Authorities) Close() error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		errs = append(errs, c.Close())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *Authorities) openCA(ctx context.Context, dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	const life = 30 * 365 * 24 * time.Hour
	a.Certificate, err = ca.SelfSign(key, "CN=Harness token CA,O=tokenwright",
		time.Now().Add(-time.Hour), life)
	if err != nil {
		return err
	}
	db, err := certdb.Open(ctx, filepath.Join(dir, "ca.db"))
	if err != nil {
		return err
	}
	a.closers = append(a.closers, db)
	profiles, err := profile.Defaults()
	if err != nil {
		return err
	}
	return a.newCA(ctx, ca.Options{
		Name: "ca1", Key: key, Certificate: a.Certificate, DB: db, Profiles: profiles,
	})
}

func (a *Authorities) openKRA(ctx context.Context, dir string) error {
	keys, err := soft.Create(filepath.Join(dir, "kra.keystore"), []byte("harness"),
		soft.WithCost(soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}))
	if err != nil {
		return err
	}
	a.closers = append(a.closers, keys)
	for _, name := range []string{"storage", "audit"} {
		if _, err := keys.Generate(ctx, name, keystore.AES256); err != nil {
			return err
		}
	}
	audit, err := keys.Key(ctx, "audit")
	if err != nil {
		return err
	}
	db, err := keydb.Open(ctx, filepath.Join(dir, "kra.db"), audit.CMAC)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, db)
	safe, err := vault.New(ctx, keys, "storage", rand.Reader)
	if err != nil {
		return err
	}
	transport, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if err := a.writeTransport(dir, transport); err != nil {
		return err
	}
	a.KRA, err = kra.New(kra.Config{
		RSABits: []int{2048}, Curves: []int{256, 384}, Pool: map[int]int{2048: 4},
		Agents: approval.Rule{Agents: Agents, Need: 2, Lifetime: time.Hour},
	}, kra.Options{DB: db, Vault: safe, Transport: transport})
	if err == nil {
		a.closers = append(a.closers, a.KRA)
	}
	return err
}

// writeTransport writes the certificate of the KRA's transport key.
func (a *Authorities) writeTransport(dir string, key crypto.Signer) error {
	cert, err := ca.SelfSign(key, "CN=Harness KRA transport,O=tokenwright",
		time.Now().Add(-time.Hour), 24*time.Hour)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	return os.WriteFile(filepath.Join(dir, transportNickname+".crt"), text, 0o600)
}

// copyTransport gives the TKS of an instance the transport certificate.
func copyTransport(from, instanceDir string) error {
	text, err := os.ReadFile(filepath.Join(from, transportNickname+".crt"))
	if err != nil {
		return err
	}
	to := filepath.Join(instanceDir, instance.TKS, "certs", transportNickname+".crt")
	return os.WriteFile(to, text, 0o600)
}

// away is a CA that can be out of reach.
type away struct {
	connector.CA
	down atomic.Bool
}

func (a *away) Enroll(ctx context.Context, r connector.EnrollRequest) (
	connector.IssuedCertificate, error,
) {
	if a.down.Load() {
		return connector.IssuedCertificate{}, connector.ErrUnavailable
	}
	return a.CA.Enroll(ctx, r)
}

func (a *away) Renew(ctx context.Context, r connector.RenewRequest) (
	connector.IssuedCertificate, error,
) {
	if a.down.Load() {
		return connector.IssuedCertificate{}, connector.ErrUnavailable
	}
	return a.CA.Renew(ctx, r)
}

func (a *away) Revoke(ctx context.Context, r connector.RevokeRequest) error {
	if a.down.Load() {
		return connector.ErrUnavailable
	}
	return a.CA.Revoke(ctx, r)
}
