package throughput

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/kra/keywrap"
)

// counter counts the cryptographic operations of enrollments that cost more than a few blocks of a
// cipher, where they happen.
type counter struct {
	certificates atomic.Int64 // signed by the CA, which verifies what it signed
	onCard       atomic.Int64 // keys made by a card, which proves that it has them
	opened       atomic.Int64 // transport keys opened by the KRA, encrypted by the TKS
	imported     atomic.Int64 // keys that a card unwrapped
}

// countedSigner and countedDecrypter are private keys that are counted when they are used.
type countedSigner struct {
	crypto.Signer
	count *counter
}

func (s countedSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	s.count.certificates.Add(1)
	return s.Signer.Sign(r, digest, o)
}

type countedDecrypter struct {
	crypto.Decrypter
	count *counter
}

func (d countedDecrypter) Decrypt(r io.Reader, msg []byte, o crypto.DecrypterOpts) ([]byte, error) {
	d.count.opened.Add(1)
	return d.Decrypter.Decrypt(r, msg, o)
}

// command counts what a card does. The instruction is in the clear.
func (c *counter) command(cmd []byte) {
	if len(cmd) < 2 {
		return
	}
	switch cmd[1] {
	case coolkey.INSStartEnrollment, coolkey.INSStartEnrollmentECC:
		c.onCard.Add(1)
	case coolkey.INSImportEncryptedKey:
		c.imported.Add(1)
	}
}

// bare is how often each operation is done for one enrollment.
type bare struct{ certificates, onCard, opened, imported int64 }

// reset begins to count anew.
func (c *counter) reset() {
	for _, n := range []*atomic.Int64{&c.certificates, &c.onCard, &c.opened, &c.imported} {
		n.Store(0)
	}
}

// each gives what was counted for each of n enrollments, which must all have been alike.
func (c *counter) each(b *testing.B, n int64) bare {
	b.Helper()
	out := bare{c.certificates.Load() / n, c.onCard.Load() / n, c.opened.Load() / n,
		c.imported.Load() / n}
	require.Equal(b, []int64{c.certificates.Load(), c.onCard.Load(), c.opened.Load(),
		c.imported.Load()}, []int64{out.certificates * n, out.onCard * n, out.opened * n,
		out.imported * n}, "enrollments do not all do the same")
	return out
}

// bareKeys holds what the bare operations work with.
type bareKeys struct {
	ca         *ecdsa.PrivateKey
	rsa        *rsa.PrivateKey // of the KRA's transport; what is wrapped is as long
	pkcs8, kek []byte
	sent       []byte // a transport key on its way to the KRA
}

func newBareKeys(b *testing.B) *bareKeys {
	b.Helper()
	k := &bareKeys{kek: make([]byte, 32)}
	var err error
	k.ca, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	k.pkcs8, err = x509.MarshalPKCS8PrivateKey(k.rsa)
	require.NoError(b, err)
	k.sent, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.rsa.PublicKey, make([]byte, 16), nil)
	require.NoError(b, err)
	return k
}

// signed makes a signature and verifies it.
func signed(key *ecdsa.PrivateKey) error {
	digest := sha256.Sum256([]byte("signed"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err == nil && !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
		err = errors.New("signature does not verify")
	}
	return err
}

// enrollment does what n says and nothing else, once.
func (k *bareKeys) enrollment(n bare) error {
	for range n.certificates {
		if err := signed(k.ca); err != nil {
			return err
		}
	}
	for range n.onCard {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err == nil {
			err = signed(key)
		}
		if err != nil {
			return err
		}
	}
	for i := range n.opened {
		if err := k.opened(i == 0); err != nil {
			return err
		}
	}
	for range n.imported {
		if err := k.imported(); err != nil {
			return err
		}
	}
	return nil
}

// opened is a transport key that the KRA opens. The TKS encrypts two, of which one is opened for each
// key that comes from the KRA: both at the first.
func (k *bareKeys) opened(first bool) error {
	if first {
		for range 2 {
			_, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.rsa.PublicKey, k.kek[:16], nil)
			if err != nil {
				return err
			}
		}
	}
	_, err := k.rsa.Decrypt(nil, k.sent, &rsa.OAEPOptions{Hash: crypto.SHA256})
	return err
}

// imported is a key wrapped for the archive and for the card, which unwraps it.
func (k *bareKeys) imported() error {
	var wrapped []byte
	for range 2 {
		var err error
		if wrapped, err = keywrap.WrapKWP(k.kek, k.pkcs8); err != nil {
			return err
		}
	}
	plain, err := keywrap.UnwrapKWP(k.kek, wrapped)
	if err == nil {
		_, err = x509.ParsePKCS8PrivateKey(plain)
	}
	return err
}

// poolOf is how many RSA keys the KRA has ready at most.
const poolOf = 64

// stash holds RSA keys that were made before the clock started, so that nothing makes keys while it
// runs.
type stash struct {
	mu     sync.Mutex
	keys   []*rsa.PrivateKey
	closed bool
}

var errStash = errors.New("no key is ready")

// take gives a key to the KRA's pool, which asks again after a while when there is none.
func (s *stash) take(int) (*rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 0 || s.closed {
		return nil, errStash
	}
	k := s.keys[0]
	s.keys = s.keys[1:]
	return k, nil
}

func (s *stash) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// fill makes n keys, on all processors.
func (s *stash) fill(b *testing.B, n int) {
	b.Helper()
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			k, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				b.Error(err)
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.keys = append(s.keys, k)
		})
	}
	wait.Wait()
}
