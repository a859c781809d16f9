package kra_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/vault"
)

var (
	card  = keys.CUID{0x40, 0x90, 1}
	other = keys.CUID{0x40, 0x90, 2}
	t0    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// config makes everything, keeps no keys ready, and has three agents of whom two must agree.
func config() kra.Config {
	return kra.Config{RSABits: []int{2048, 3072, 4096}, Curves: []int{256, 384, 521},
		Agents: approval.Rule{Agents: []string{"ann", "bob", "cy"}, Need: 2, Lifetime: time.Hour}}
}

// home is what outlives a process of the authority: key store and archive.
type home struct {
	dir       string
	transport *rsa.PublicKey
}

const passphrase = "of the key store"

func newHome(t testing.TB, dir string) home {
	t.Helper()
	s, err := soft.Create(filepath.Join(dir, "keystore"), []byte(passphrase),
		soft.WithCost(soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}))
	require.NoError(t, err)
	ctx := context.Background()
	for _, name := range []string{"storage", "audit"} {
		_, err := s.Generate(ctx, name, keystore.AES256)
		require.NoError(t, err)
	}
	signer, err := s.GenerateSigner(ctx, "transport", keystore.RSA2048)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return home{dir: dir, transport: signer.Public().(*rsa.PublicKey)}
}

// transportOf gives the transport key of a home that another process made.
func transportOf(t testing.TB, dir string) *rsa.PublicKey {
	t.Helper()
	s, err := soft.Open(filepath.Join(dir, "keystore"), []byte(passphrase))
	require.NoError(t, err)
	signer, err := s.Signer(context.Background(), "transport")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return signer.Public().(*rsa.PublicKey)
}

// lab is one process of the authority over a home.
type lab struct {
	*kra.Service
	db   *keydb.DB
	mu   sync.Mutex
	log  bytes.Buffer
	at   time.Time
	fail func(string) error
}

// Write is where the log goes.
func (l *lab) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(b)
}

func (l *lab) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

func (l *lab) failpoint(name string) error {
	if l.fail == nil {
		return nil
	}
	return l.fail(name)
}

func (h home) open(t testing.TB, cfg kra.Config) *lab {
	t.Helper()
	ctx := context.Background()
	s, err := soft.Open(filepath.Join(h.dir, "keystore"), []byte(passphrase))
	require.NoError(t, err)
	audit, err := s.Key(ctx, "audit")
	require.NoError(t, err)
	signer, err := s.Signer(ctx, "transport")
	require.NoError(t, err)
	l := &lab{at: t0}
	l.db, err = keydb.Open(ctx, filepath.Join(h.dir, "keys.db"), audit.CMAC)
	require.NoError(t, err)
	v, err := vault.New(ctx, s, "storage", rand.Reader)
	require.NoError(t, err)
	l.Service, err = kra.New(cfg, kra.Options{DB: l.db, Vault: v, Now: l.now,
		Transport: signer.(crypto.Decrypter), Failpoint: l.failpoint,
		Log: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		require.NoError(t, l.db.Close())
		require.NoError(t, s.Close())
	})
	return l
}

func newLab(t testing.TB) (home, *lab) {
	t.Helper()
	h := newHome(t, t.TempDir())
	return h, h.open(t, config())
}

// cardKey is a session key that card and authority know, and how it travels to the latter.
type cardKey struct {
	key  keys.Key
	sent connector.CardTransport
	alg  byte // how the card is told that a private key is wrapped
}

// newCardKey makes a key as a TKS does, and encrypts it for the authority.
func (h home) newCardKey(t testing.TB, wrap connector.KeyWrap) cardKey {
	t.Helper()
	raw := make([]byte, 16)
	_, err := rand.Read(raw)
	require.NoError(t, err)
	c := cardKey{alg: map[connector.KeyWrap]byte{connector.WrapAESKWP: coolkey.AlgorithmAESKWP,
		connector.WrapAESCBC: coolkey.AlgorithmAESCBC, connector.WrapDES3CBC: coolkey.AlgorithmDES}[wrap]}
	if wrap == connector.WrapDES3CBC {
		c.key, err = keys.New(keys.DES3, raw)
		require.NoError(t, err)
		c.sent.DRMTransDESKey = h.encrypt(t, bytes.Join([][]byte{raw, raw[:8]}, nil))
		return c
	}
	c.key, err = keys.New(keys.AES, raw)
	require.NoError(t, err)
	c.sent.DRMTransAESKey, c.sent.AESWrap = h.encrypt(t, raw), wrap
	return c
}

func (h home) encrypt(t testing.TB, plain []byte) []byte {
	t.Helper()
	b, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, h.transport, plain, nil)
	require.NoError(t, err)
	return b
}

// open unwraps a private key as the card does and checks that it is that of the public key.
func (c cardKey) open(t testing.TB, res connector.KeyPairResponse) crypto.Signer {
	t.Helper()
	plain, err := keyblob.UnwrapPair(c.alg, c.key, res.IV, res.Wrapped)
	require.NoError(t, err)
	if c.alg == coolkey.AlgorithmDES { // the card leaves the padding on
		plain = plain[:len(plain)-int(plain[len(plain)-1])]
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	require.NoError(t, err)
	signer := key.(crypto.Signer)
	spki, err := x509.MarshalPKIXPublicKey(signer.Public())
	require.NoError(t, err)
	require.Equal(t, spki, res.PublicKey)
	return signer
}

func request(id string, c cardKey) connector.KeyPairRequest {
	return connector.KeyPairRequest{RequestID: id, CUID: card, UserID: "alice", Archive: true,
		Type: connector.KeyEC, Bits: 256, CardTransport: c.sent}
}

// events gives the audit trail in short, having checked it.
func (l *lab) events(t testing.TB) []string {
	t.Helper()
	_, err := l.db.Verify(context.Background())
	require.NoError(t, err)
	all, err := l.db.Events(context.Background(), keydb.EventFilter{})
	require.NoError(t, err)
	out := []string{}
	for _, e := range all {
		text := string(e.Kind)
		if e.Refused {
			text += " refused"
		}
		out = append(out, text)
	}
	return out
}

func exportOf(id connector.KeyID) approval.Request {
	n, _ := strconv.ParseInt(string(id), 10, 64)
	return approval.Request{KeyID: n, Purpose: approval.Export, Reason: "case 7"}
}
