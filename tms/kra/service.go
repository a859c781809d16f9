package kra

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/vault"
)

// Config is what an operator decides. The zero value makes no keys and has no agents.
type Config struct {
	// RSABits and Curves are the sizes in bits that are made: of 2048, 3072, 4096, and of 256,
	// 384, 521.
	RSABits, Curves []int
	// Pool is how many RSA keys of a size are kept ready, Workers how many are made in advance at
	// once; 0 means 1.
	Pool    map[int]int
	Workers int
	// PKCS1v15 takes transport keys in RSAES-PKCS1-v1_5 as well as in OAEP/SHA-256.
	PKCS1v15 bool
	// Agents is the rule of approval; without agents nothing is recovered by them.
	Agents approval.Rule
}

// maxPool bounds the keys of one size that are kept ready.
const maxPool = 10_000

func (c Config) check() error {
	for _, b := range c.RSABits {
		if b != 2048 && b != 3072 && b != 4096 {
			return fmt.Errorf("RSA of %d bits: want 2048, 3072 or 4096", b)
		}
	}
	for _, b := range c.Curves {
		if b != 256 && b != 384 && b != 521 {
			return fmt.Errorf("curve of %d bits: want 256, 384 or 521", b)
		}
	}
	for bits, n := range c.Pool {
		if n < 0 || n > maxPool || n > 0 && !slices.Contains(c.RSABits, bits) {
			return fmt.Errorf("pool of %d keys of %d bits: want up to %d of a size that is made", n,
				bits, maxPool)
		}
	}
	if len(c.Agents.Agents) == 0 {
		return nil
	}
	return c.Agents.Check()
}

// Options are what a Service needs beside its configuration. DB, Vault and Transport are needed.
type Options struct {
	DB    *keydb.DB
	Vault *vault.Vault
	// Transport is the private half of the transport certificate, RSA of 2048 bits or more.
	Transport crypto.Decrypter
	// Random is where IVs and salts come from; nil means crypto/rand. Keys come from the machine's
	// randomness in any case.
	Random io.Reader
	// RSA makes RSA keys; nil means the standard library. They are overwritten after use.
	RSA func(bits int) (*rsa.PrivateKey, error)
	Now func() time.Time // nil means time.Now
	Log *slog.Logger     // nil discards
	// Failpoint is called at each of Failpoints; an error ends the request there. nil is none.
	Failpoint func(name string) error
}

// The places at which a test may end a request, or the process.
const (
	failGenerated = "kra.generated" // made and wrapped, not yet archived
	failArchived  = "kra.archived"  // archived, not yet answered
	failOpened    = "kra.opened"    // taken from the archive, not recorded that it leaves
	failRecovered = "kra.recovered" // recorded that it leaves, not yet answered
	failFulfilled = "kra.fulfilled" // agents' request ended, not yet answered
)

// Failpoints lists the names that Options.Failpoint is called with.
func Failpoints() []string {
	return []string{failGenerated, failArchived, failOpened, failRecovered, failFulfilled}
}

// Service is a key recovery authority. It implements connector.KRA and is safe for concurrent use.
type Service struct {
	cfg       Config
	db        *keydb.DB
	vault     *vault.Vault
	transport *transport
	pool      *pool
	random    io.Reader
	now       func() time.Time
	log       *slog.Logger
	failpoint func(name string) error
}

var _ connector.KRA = (*Service)(nil)

// New checks configuration and keys and starts making keys in advance. Close ends that; DB stays
// the caller's to close, afterwards.
func New(cfg Config, o Options) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("key recovery authority: %w", err)
	}
	if o.DB == nil || o.Vault == nil {
		return nil, errors.New("key recovery authority: no archive or no storage key")
	}
	s := &Service{cfg: cfg, db: o.DB, vault: o.Vault, random: o.Random, now: o.Now, log: o.Log,
		failpoint: o.Failpoint}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.failpoint == nil {
		s.failpoint = func(string) error { return nil }
	}
	var err error
	if s.transport, err = newTransport(o.Transport, cfg.PKCS1v15, s.random); err != nil {
		return nil, fmt.Errorf("key recovery authority: %w", err)
	}
	s.pool = newPool(cfg.Pool, cfg.Workers, s.log, makeRSA(o.RSA))
	return s, nil
}

// Close stops making keys and overwrites those that are ready. It waits for a key in the making.
func (s *Service) Close() error {
	s.pool.close()
	return nil
}

// Check answers what the authority leans on: "ok", or a word on what is wrong, and how many keys
// are ready.
func (s *Service) Check(ctx context.Context) (map[string]string, error) {
	needs := map[string]string{"archive": "ok"}
	_, err := s.db.Count(ctx)
	if err != nil {
		needs["archive"] = "key archive does not answer"
	}
	for bits, n := range s.pool.depth() {
		needs["pool.rsa"+strconv.Itoa(bits)] = fmt.Sprintf("%d ready", n)
	}
	return needs, err
}

// FindKey implements connector.KRA.
func (s *Service) FindKey(ctx context.Context, q connector.KeyQuery) (connector.KeyInfo, error) {
	k, err := s.find(ctx, q)
	if err != nil {
		return connector.KeyInfo{}, err
	}
	return connector.KeyInfo{KeyID: keyID(k.ID), CUID: k.CUID, UserID: k.UserID, Type: k.Type,
		Bits: k.Bits, PublicKey: k.PublicKey}, nil
}

func keyID(id int64) connector.KeyID { return connector.KeyID(strconv.FormatInt(id, 10)) }

// find gives the one record that everything in q names.
func (s *Service) find(ctx context.Context, q connector.KeyQuery) (keydb.Key, error) {
	var spki []byte
	var err error
	if len(q.Certificate) > 0 {
		if spki, err = publicKey(q.Certificate); err != nil {
			return keydb.Key{}, err
		}
	}
	var k keydb.Key
	switch {
	case q.KeyID != "":
		id, bad := strconv.ParseInt(string(q.KeyID), 10, 64)
		if bad != nil {
			return keydb.Key{}, connector.KRAErrorf(connector.KRANotFound, "key id is no number of ours")
		}
		k, err = s.db.ByID(ctx, id)
	case q.RequestID != "":
		k, err = s.db.ByRequest(ctx, q.RequestID)
	case spki != nil:
		k, err = s.db.ByPublicKey(ctx, spki)
	default:
		return keydb.Key{}, &connector.KRAError{Status: connector.KRANoKeyNamed}
	}
	if err != nil {
		return keydb.Key{}, readError(err)
	}
	if spki != nil && !slices.Equal(spki, k.PublicKey) {
		return keydb.Key{}, connector.KRAErrorf(connector.KRACertMapping,
			"certificate is not for the public key of key %d", k.ID)
	}
	if q.RequestID != "" && q.RequestID != k.RequestID {
		return keydb.Key{}, connector.KRAErrorf(connector.KRANotFound,
			"key %d was not made for that request", k.ID)
	}
	return k, nil
}

// publicKey gives the SubjectPublicKeyInfo of a certificate as records have it.
func publicKey(der []byte) ([]byte, error) {
	if len(der) > connector.MaxCertLen {
		return nil, connector.KRAErrorf(connector.KRACertificate, "%d bytes", len(der))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, connector.KRAErrorf(connector.KRACertificate, "%w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	if err != nil {
		return nil, connector.KRAErrorf(connector.KRACertificate, "public key: %w", err)
	}
	return spki, nil
}

// readError gives a status to what the archive says.
func readError(err error) error {
	if errors.Is(err, keydb.ErrNotFound) {
		return &connector.KRAError{Status: connector.KRANotFound, Err: err}
	}
	return &connector.KRAError{Status: connector.KRARead, Err: err}
}

// openSealed gives the private key of a record, which is secret and to be wiped.
func (s *Service) openSealed(ctx context.Context, k keydb.Key) ([]byte, error) {
	plain, err := s.vault.Open(ctx, k.StorageKey, k.Sealed, k.Binding())
	switch {
	case err == nil:
		return plain, nil
	case errors.Is(err, vault.ErrDamaged), errors.Is(err, vault.ErrForm):
		return nil, connector.KRAErrorf(connector.KRARead, "key %d: %w", k.ID, err)
	}
	return nil, connector.KRAErrorf(connector.KRANoKeygen, "key %d: %w", k.ID, err)
}

// event begins an event by whoever asks.
func (s *Service) event(ctx context.Context, kind keydb.EventKind, k keydb.Key) keydb.Event {
	return keydb.Event{At: s.now(), Kind: kind, Actor: connector.Caller(ctx),
		Session: connector.Session(ctx), KeyID: k.ID, CUID: k.CUID.String(), UserID: k.UserID}
}

// report logs who asked for what and how it went. It knows no keys.
func (s *Service) report(ctx context.Context, op, cuid, user string, key connector.KeyID,
	err error,
) {
	attrs := []slog.Attr{
		slog.String("caller", connector.Caller(ctx)), slog.String("session", connector.Session(ctx)),
		slog.String("cuid", cuid), slog.String("user", user), slog.String("key", string(key)),
	}
	if err == nil {
		s.log.LogAttrs(ctx, slog.LevelInfo, op, append(attrs, slog.String("outcome", "ok"))...)
		return
	}
	attrs = append(attrs, slog.String("outcome", "refused"),
		slog.Int("status", int(connector.KRAStatusOf(err))), slog.String("error", err.Error()))
	s.log.LogAttrs(ctx, slog.LevelWarn, op, attrs...)
}
