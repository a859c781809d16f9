package soft

import (
	"bytes"
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

// Store is an open keystore file. It is safe for concurrent use.
type Store struct {
	path   string
	random io.Reader
	cost   Cost

	mu      sync.RWMutex
	aead    cipher.AEAD // nil when closed
	head    header
	entries map[string]*entry
}

var _ keystore.Store = (*Store)(nil)

// Option changes how a keystore is opened or created.
type Option func(*Store)

// WithRandom takes salts, nonces and symmetric keys from r instead of crypto/rand.
func WithRandom(r io.Reader) Option { return func(s *Store) { s.random = r } }

// WithCost sets the effort of a file that Create makes. Open takes the file's own.
func WithCost(c Cost) Option { return func(s *Store) { s.cost = c } }

func newStore(path string, opts []Option) *Store {
	s := &Store{path: path, random: rand.Reader, cost: DefaultCost}
	for _, o := range opts {
		o(s)
	}
	return s
}

// Create makes a new, empty keystore file with mode 0600 and opens it. A file that is there is
// never touched: the error wraps os.ErrExist. The passphrase, any bytes, is the caller's to wipe.
func Create(path string, passphrase []byte, opts ...Option) (*Store, error) {
	s := newStore(path, opts)
	if err := s.create(passphrase); err != nil {
		return nil, fmt.Errorf("creating keystore %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) create(passphrase []byte) error {
	if len(passphrase) == 0 {
		return ErrPassphrase
	}
	if err := s.cost.check(); err != nil {
		return err
	}
	unlock, err := lock(s.path)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(s.path); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			err = os.ErrExist
		}
		return err
	}
	s.head = header{KDF: kdfName, Cost: s.cost, Salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(s.random, s.head.Salt); err != nil {
		return fmt.Errorf("random salt: %w", err)
	}
	s.aead, err = stretch(passphrase, s.head.Salt, s.cost)
	if err != nil {
		return err
	}
	s.entries = map[string]*entry{}
	return s.write(s.entries)
}

// Open opens an existing keystore file. A missing file gives os.ErrNotExist, one that others may
// read or write ErrPermissions, a wrong passphrase ErrPassphrase, a file that is something else
// ErrFormat, ErrParameters or ErrTooLarge. The passphrase is the caller's to wipe.
func Open(path string, passphrase []byte, opts ...Option) (*Store, error) {
	s := newStore(path, opts)
	if err := s.open(passphrase); err != nil {
		return nil, fmt.Errorf("opening keystore %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) open(passphrase []byte) error {
	b, err := readFile(s.path)
	if err != nil {
		return err
	}
	h, aad, sealed, err := split(b)
	if err != nil {
		return err
	}
	aead, err := stretch(passphrase, h.Salt, h.Cost)
	if err != nil {
		return err
	}
	entries, err := open(aead, h, aad, sealed)
	if err != nil {
		return err
	}
	s.head, s.aead, s.entries = h, aead, entries
	return nil
}

// Close forgets all keys. Keys and signers that were given out go on working.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aead, s.entries = nil, nil
	return nil
}

// Key gives a symmetric key.
func (s *Store) Key(ctx context.Context, name string) (keystore.Key, error) {
	e, err := s.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	k, err := e.asKey()
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	return k, nil
}

// Signer gives an asymmetric key.
func (s *Store) Signer(ctx context.Context, name string) (crypto.Signer, error) {
	e, err := s.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	k, err := e.asSigner()
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	return k, nil
}

// find looks in memory, then once in the file, which another process may have changed.
func (s *Store) find(ctx context.Context, name string) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	e, closed := s.entries[name], s.aead == nil
	s.mu.RUnlock()
	if closed {
		return nil, keystore.ErrClosed
	}
	if e != nil {
		return e, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		return nil, err
	}
	if e = s.entries[name]; e == nil {
		return nil, fmt.Errorf("%w: %.140q", keystore.ErrNotFound, name)
	}
	return e, nil
}

// List gives what the file holds now, in the order of the names.
func (s *Store) List(ctx context.Context) ([]keystore.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	out := make([]keystore.Info, 0, len(s.entries))
	for _, name := range slices.Sorted(maps.Keys(s.entries)) {
		e := s.entries[name]
		out = append(out, keystore.Info{Name: name, Spec: e.spec, KCV: e.key.KCV()})
	}
	return out, nil
}

// Generate makes a symmetric key and writes it.
func (s *Store) Generate(ctx context.Context, name string, spec keystore.Spec,
) (keystore.Key, error) {
	k, err := generateKey(s.random, spec)
	if err != nil {
		return nil, fmt.Errorf("keystore: generating %.140q: %w", name, err)
	}
	return s.addKey(ctx, "generating", name, spec, k)
}

// Import writes a symmetric key with its bytes as they are.
func (s *Store) Import(ctx context.Context, name string, k keys.Key) (keystore.Key, error) {
	spec := keystore.SpecOf(k.Algorithm(), k.Len())
	if spec == "" {
		return nil, fmt.Errorf("keystore: importing %.140q: %w", name, keystore.ErrSpec)
	}
	return s.addKey(ctx, "importing", name, spec, k)
}

func (s *Store) addKey(ctx context.Context, op, name string, spec keystore.Spec, k keys.Key,
) (keystore.Key, error) {
	e := &entry{name: name, spec: spec, key: k}
	if err := s.add(ctx, e); err != nil {
		return nil, fmt.Errorf("keystore: %s %.140q: %w", op, name, err)
	}
	return e.asKey()
}

// GenerateSigner makes an asymmetric key and writes it.
func (s *Store) GenerateSigner(ctx context.Context, name string, spec keystore.Spec,
) (crypto.Signer, error) {
	p, err := generateSigner(spec)
	if err != nil {
		return nil, fmt.Errorf("keystore: generating %.140q: %w", name, err)
	}
	return s.addSigner(ctx, "generating", name, spec, p)
}

// ImportSigner writes an RSA or ECDSA private key, as *rsa.PrivateKey or *ecdsa.PrivateKey of a
// size that has a Spec.
func (s *Store) ImportSigner(ctx context.Context, name string, private crypto.Signer,
) (crypto.Signer, error) {
	p, ok := private.(signer)
	spec := specOfPrivate(private)
	if !ok || spec == "" {
		return nil, fmt.Errorf("keystore: importing %.140q: %w", name, keystore.ErrSpec)
	}
	return s.addSigner(ctx, "importing", name, spec, p)
}

func (s *Store) addSigner(ctx context.Context, op, name string, spec keystore.Spec, p signer,
) (crypto.Signer, error) {
	e := &entry{name: name, spec: spec, private: p}
	if err := s.add(ctx, e); err != nil {
		return nil, fmt.Errorf("keystore: %s %.140q: %w", op, name, err)
	}
	return e.asSigner()
}

func (s *Store) add(ctx context.Context, e *entry) error {
	if err := keystore.CheckName(e.name); err != nil {
		return err
	}
	return s.change(ctx, func(m map[string]*entry) error {
		if m[e.name] != nil {
			return keystore.ErrExists
		}
		m[e.name] = e
		return nil
	})
}

// Delete removes a key from the file.
func (s *Store) Delete(ctx context.Context, name string) error {
	err := s.change(ctx, func(m map[string]*entry) error {
		if m[name] == nil {
			return keystore.ErrNotFound
		}
		delete(m, name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keystore: deleting %.140q: %w", name, err)
	}
	return nil
}

// change applies f to what the file holds now and writes it, alone among processes.
func (s *Store) change(ctx context.Context, f func(map[string]*entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := lock(s.path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.reload(); err != nil {
		return err
	}
	next := maps.Clone(s.entries)
	if err := f(next); err != nil {
		return err
	}
	if err := s.write(next); err != nil {
		return err
	}
	s.entries = next
	return nil
}

// reload reads the file again with the key at hand. It leaves memory alone when that fails.
func (s *Store) reload() error {
	if s.aead == nil {
		return keystore.ErrClosed
	}
	b, err := readFile(s.path)
	if err != nil {
		return err
	}
	h, aad, sealed, err := split(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(h.Salt, s.head.Salt) || h.Cost != s.head.Cost {
		return ErrChanged
	}
	if bytes.Equal(h.Nonce, s.head.Nonce) {
		return nil // the file that is in memory
	}
	entries, err := open(s.aead, h, aad, sealed)
	if err != nil {
		return err
	}
	s.head, s.entries = h, entries
	return nil
}

// Format prints the path for every verb, and nothing that the file holds.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "keystore "+s.path) }
