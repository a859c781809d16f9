package kra_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	stdsql "database/sql"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra"
)

// certify gives a self-signed certificate for a key that came back from the authority.
func certify(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(5), NotAfter: t0.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	return der
}

// Every kind of key, wrapped in every way, opens on the card, and comes back as it was by number
// and by certificate, on another card of the same user.
func TestGenerateAndRecover(t *testing.T) {
	h, l := newLab(t)
	wraps := []connector.KeyWrap{connector.WrapAESKWP, connector.WrapAESCBC, connector.WrapDES3CBC}
	kinds := []struct {
		kind connector.KeyType
		bits int
	}{{connector.KeyRSA, 2048}, {connector.KeyEC, 256}, {connector.KeyEC, 384}, {connector.KeyEC, 521}}
	for i, k := range kinds {
		for _, wrap := range wraps {
			c := h.newCardKey(t, wrap)
			r := request(fmt.Sprintf("%d-%d", i, wrap), c)
			r.Type, r.Bits = k.kind, k.bits
			made, err := l.GenerateKeyPair(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, wrap, made.Wrap)
			key := c.open(t, made)
			switch pub := key.Public().(type) {
			case *rsa.PublicKey:
				require.Equal(t, k.bits, pub.N.BitLen())
			case *ecdsa.PublicKey:
				require.Equal(t, k.bits, pub.Params().BitSize)
			}
			for _, again := range wraps {
				c := h.newCardKey(t, again)
				req := connector.KeyRecoveryRequest{CUID: other, UserID: "alice", KeyID: made.KeyID,
					CardTransport: c.sent}
				if again == connector.WrapAESCBC {
					req.KeyID, req.Certificate = "", certify(t, key)
				}
				got, err := l.RecoverKey(t.Context(), req)
				require.NoError(t, err)
				require.Equal(t, made.KeyID, got.KeyID)
				require.Equal(t, made.PublicKey, got.PublicKey)
				c.open(t, got)
			}
		}
	}
	assert.Len(t, l.events(t), len(kinds)*len(wraps)*(1+len(wraps)))
}

// The larger RSA keys, each once.
func TestLargeRSA(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds to find the primes")
	}
	h, l := newLab(t)
	for _, bits := range []int{3072, 4096} {
		c := h.newCardKey(t, connector.WrapAESKWP)
		r := request("", c)
		r.Type, r.Bits = connector.KeyRSA, bits
		made, err := l.GenerateKeyPair(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, bits, c.open(t, made).Public().(*rsa.PublicKey).N.BitLen())
	}
}

// A TPS that died asks again with the same id: the same key, under the new session's key.
func TestRepeatedRequest(t *testing.T) {
	h, l := newLab(t)
	first := h.newCardKey(t, connector.WrapAESKWP)
	a, err := l.GenerateKeyPair(t.Context(), request("again", first))
	require.NoError(t, err)
	second := h.newCardKey(t, connector.WrapDES3CBC)
	b, err := l.GenerateKeyPair(t.Context(), request("again", second))
	require.NoError(t, err)
	assert.Equal(t, a.PublicKey, b.PublicKey)
	assert.Equal(t, a.KeyID, b.KeyID)
	first.open(t, a)
	second.open(t, b)
	for name, change := range map[string]func(*connector.KeyPairRequest){
		"card": func(r *connector.KeyPairRequest) { r.CUID = other },
		"user": func(r *connector.KeyPairRequest) { r.UserID = "eve" },
		"bits": func(r *connector.KeyPairRequest) { r.Bits = 384 },
	} {
		r := request("again", second)
		change(&r)
		_, err := l.GenerateKeyPair(t.Context(), r)
		require.ErrorIs(t, err, connector.ErrKeyRequest, name)
	}
	assert.Equal(t, []string{"key_archived", "key_repeated", "key_repeated refused",
		"key_repeated refused", "key_repeated refused"}, l.events(t))
	info, err := l.FindKey(t.Context(), connector.KeyQuery{RequestID: "again"})
	require.NoError(t, err)
	assert.Equal(t, connector.KeyInfo{KeyID: a.KeyID, CUID: card, UserID: "alice",
		Type: connector.KeyEC, Bits: 256, PublicKey: a.PublicKey}, info)
}

func TestSameRequestAtOnce(t *testing.T) {
	h, l := newLab(t)
	var seen sync.Map
	var wg sync.WaitGroup
	for range 16 {
		c := h.newCardKey(t, connector.WrapAESKWP)
		wg.Go(func() {
			res, err := l.GenerateKeyPair(context.Background(), request("at-once", c))
			if assert.NoError(t, err) {
				c.open(t, res)
				seen.Store(string(res.PublicKey), true)
			}
		})
	}
	wg.Wait()
	n := 0
	seen.Range(func(_, _ any) bool { n++; return true })
	assert.Equal(t, 1, n)
}

func TestNotArchived(t *testing.T) {
	h, l := newLab(t)
	c := h.newCardKey(t, connector.WrapAESKWP)
	r := request("fleeting", c)
	r.Archive = false
	res, err := l.GenerateKeyPair(t.Context(), r)
	require.NoError(t, err)
	assert.Empty(t, res.KeyID)
	_, err = l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: "alice",
		Certificate: certify(t, c.open(t, res)), CardTransport: c.sent})
	require.ErrorIs(t, err, connector.ErrKeyNotFound)
	n, err := l.db.Count(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, []string{"key_generated"}, l.events(t))
}

// Another user is told that there is no such key; nothing leaves, and the attempt is on record.
func TestOwnerIsEnforced(t *testing.T) {
	h, l := newLab(t)
	c := h.newCardKey(t, connector.WrapAESKWP)
	res, err := l.GenerateKeyPair(t.Context(), request("mine", c))
	require.NoError(t, err)
	cert := certify(t, c.open(t, res))
	for _, user := range []string{"eve", "ALICE", "alice ", card.String() + ":alice"} {
		for _, r := range []connector.KeyRecoveryRequest{
			{KeyID: res.KeyID}, {Certificate: cert}, {KeyID: res.KeyID, Certificate: cert},
		} {
			r.CUID, r.UserID, r.CardTransport = card, user, c.sent
			got, err := l.RecoverKey(t.Context(), r)
			require.ErrorIs(t, err, connector.ErrKeyNotFound, user)
			require.Zero(t, got)
		}
	}
	assert.Equal(t, "key_recovered refused", l.events(t)[12])
	_, err = l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: "alice",
		KeyID: res.KeyID, CardTransport: c.sent})
	require.NoError(t, err)
}

// Number and certificate must belong together.
func TestKeyNaming(t *testing.T) {
	h, l := newLab(t)
	c := h.newCardKey(t, connector.WrapAESKWP)
	a, err := l.GenerateKeyPair(t.Context(), request("a", c))
	require.NoError(t, err)
	b, err := l.GenerateKeyPair(t.Context(), request("b", c))
	require.NoError(t, err)
	certB := certify(t, c.open(t, b))
	for name, tt := range map[string]struct {
		id   connector.KeyID
		cert []byte
		want connector.KRAStatus
	}{
		"neither":      {"", nil, connector.KRANoKeyNamed},
		"mismatch":     {a.KeyID, certB, connector.KRACertMapping},
		"unknown":      {"999", nil, connector.KRANotFound},
		"foreign id":   {"340282366920938463463374607431768211455", nil, connector.KRANotFound},
		"no cert":      {"", []byte("no certificate"), connector.KRACertificate},
		"long cert":    {"", make([]byte, connector.MaxCertLen+1), connector.KRACertificate},
		"unknown cert": {"", certify(t, newKey(t)), connector.KRANotFound},
		"both":         {b.KeyID, certB, connector.KRAOK},
	} {
		_, err := l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: "alice",
			KeyID: tt.id, Certificate: tt.cert, CardTransport: c.sent})
		assert.Equal(t, tt.want, connector.KRAStatusOf(err), name)
	}
	_, err = l.FindKey(t.Context(), connector.KeyQuery{RequestID: "a", KeyID: b.KeyID})
	require.ErrorIs(t, err, connector.ErrKeyNotFound)
	_, err = l.FindKey(t.Context(), connector.KeyQuery{RequestID: "a", Certificate: certB})
	require.ErrorIs(t, err, connector.ErrKeyMapping)
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key
}

func TestRequestBounds(t *testing.T) {
	h, l := newLab(t)
	good := h.newCardKey(t, connector.WrapAESKWP)
	for name, change := range map[string]func(*connector.KeyPairRequest){
		"no user":     func(r *connector.KeyPairRequest) { r.UserID = "" },
		"long user":   func(r *connector.KeyPairRequest) { r.UserID = strings.Repeat("u", 256) },
		"control":     func(r *connector.KeyPairRequest) { r.UserID = "a\x00" },
		"no card":     func(r *connector.KeyPairRequest) { r.CUID = [10]byte{} },
		"weak":        func(r *connector.KeyPairRequest) { r.Type, r.Bits = connector.KeyRSA, 1024 },
		"odd":         func(r *connector.KeyPairRequest) { r.Bits = 255 },
		"type":        func(r *connector.KeyPairRequest) { r.Type = "DSA" },
		"request id":  func(r *connector.KeyPairRequest) { r.RequestID = "a b" },
		"long id":     func(r *connector.KeyPairRequest) { r.RequestID = strings.Repeat("i", 129) },
		"long usages": func(r *connector.KeyPairRequest) { r.Usages = strings.Repeat("w", 257) },
	} {
		r := request("bounds", good)
		change(&r)
		_, err := l.GenerateKeyPair(t.Context(), r)
		assert.ErrorIs(t, err, connector.ErrKeyRequest, name)
	}
	for name, sent := range map[string]connector.CardTransport{
		"none":        {},
		"not for us":  {DRMTransAESKey: make([]byte, 256)},
		"short":       {DRMTransAESKey: []byte{1}},
		"length":      {DRMTransAESKey: h.encrypt(t, make([]byte, 20))},
		"des length":  {DRMTransDESKey: h.encrypt(t, make([]byte, 8))},
		"way":         {DRMTransAESKey: good.sent.DRMTransAESKey, AESWrap: connector.WrapDES3CBC},
		"unknown way": {DRMTransAESKey: good.sent.DRMTransAESKey, AESWrap: 9},
	} {
		r := request("", good)
		r.CardTransport = sent
		_, err := l.GenerateKeyPair(t.Context(), r)
		assert.ErrorIs(t, err, connector.ErrKeyWrap, name)
	}
	assert.Empty(t, l.events(t), "nothing was made")
}

// With both keys sent, a new key comes under the AES key and a recovered one under the DES key.
func TestBothTransportKeys(t *testing.T) {
	h, l := newLab(t)
	aes, des := h.newCardKey(t, connector.WrapAESCBC), h.newCardKey(t, connector.WrapDES3CBC)
	both := aes.sent
	both.DRMTransDESKey = des.sent.DRMTransDESKey
	r := request("both", aes)
	r.CardTransport = both
	made, err := l.GenerateKeyPair(t.Context(), r)
	require.NoError(t, err)
	aes.open(t, made)
	got, err := l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: "alice",
		KeyID: made.KeyID, CardTransport: both})
	require.NoError(t, err)
	require.Equal(t, connector.WrapDES3CBC, got.Wrap)
	des.open(t, got)
}

// PKCS #1 v1.5 is taken only where it is allowed, and then nothing tells a broken message from
// another: there comes a key that the card cannot open.
func TestOlderTransportPadding(t *testing.T) {
	h, strict := newLab(t)
	cfg := config()
	cfg.PKCS1v15 = true
	lax := newHome(t, t.TempDir())
	allowed := lax.open(t, cfg)
	for _, tt := range []struct {
		home home
		lab  *lab
		ok   bool
	}{{h, strict, false}, {lax, allowed, true}} {
		for _, wrap := range []connector.KeyWrap{connector.WrapAESKWP, connector.WrapDES3CBC} {
			c := tt.home.newCardKey(t, wrap)
			raw := c.key.Bytes()
			to := &c.sent.DRMTransAESKey
			if wrap == connector.WrapDES3CBC {
				raw, to = append(raw, raw[:8]...), &c.sent.DRMTransDESKey
			}
			var err error
			*to, err = rsa.EncryptPKCS1v15(rand.Reader, tt.home.transport, raw)
			require.NoError(t, err)
			res, err := tt.lab.GenerateKeyPair(t.Context(), request("", c))
			if !tt.ok {
				require.ErrorIs(t, err, connector.ErrKeyWrap)
				continue
			}
			require.NoError(t, err)
			c.open(t, res)
			*to, err = rsa.EncryptPKCS1v15(rand.Reader, tt.home.transport, []byte("17 bytes inside.."))
			require.NoError(t, err)
			_, err = tt.lab.GenerateKeyPair(t.Context(), request("", c))
			require.NoError(t, err, "no oracle")
		}
		_, err := tt.lab.GenerateKeyPair(t.Context(), request("", tt.home.newCardKey(t, 0)))
		require.NoError(t, err, "OAEP goes in any case")
	}
}

// A record that somebody changed in the file does not open, whoever asks.
func TestChangedRecord(t *testing.T) {
	h, l := newLab(t)
	c := h.newCardKey(t, connector.WrapAESKWP)
	res, err := l.GenerateKeyPair(t.Context(), request("a", c))
	require.NoError(t, err)
	raw, err := stdsql.Open("sqlite", filepath.Join(h.dir, "keys.db"))
	require.NoError(t, err)
	defer raw.Close()
	recovered := func(user string) error {
		_, err := l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: user,
			KeyID: res.KeyID, CardTransport: c.sent})
		return err
	}
	require.NoError(t, recovered("alice"))
	for _, change := range []struct{ do, undo, user string }{
		{"user_id = 'eve'", "user_id = 'alice'", "eve"},
		{"sealed = zeroblob(200)", "user_id = 'alice'", "alice"},
		{"storage_key = 'gone'", "storage_key = 'storage'", "alice"},
	} {
		_, err = raw.Exec("UPDATE keys SET " + change.do)
		require.NoError(t, err)
		require.Error(t, recovered(change.user), change.do)
		_, err = raw.Exec("UPDATE keys SET " + change.undo)
		require.NoError(t, err)
	}
	require.ErrorIs(t, recovered("alice"), connector.ErrKeyUnreadable)
}

// Nothing is given when it cannot be recorded, and what was archived is given when asked again.
func TestFailpoints(t *testing.T) {
	h, l := newLab(t)
	gone := errors.New("gone")
	c := h.newCardKey(t, connector.WrapAESKWP)
	var at string
	l.fail = func(name string) error {
		if name == at {
			return gone
		}
		return nil
	}
	reached := map[string]bool{}
	for _, name := range kra.Failpoints()[:2] {
		at = name
		res, err := l.GenerateKeyPair(t.Context(), request("id-"+name, c))
		require.ErrorIs(t, err, gone)
		require.Zero(t, res)
		at = ""
		again, err := l.GenerateKeyPair(t.Context(), request("id-"+name, c))
		require.NoError(t, err)
		c.open(t, again)
		reached[name] = true
	}
	assert.Len(t, reached, 2)
	assert.Equal(t, []string{"key_archived", "key_archived", "key_repeated"}, l.events(t))
	at = "kra.recovered"
	_, err := l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: "alice",
		KeyID: "1", CardTransport: c.sent})
	require.ErrorIs(t, err, gone)
	assert.Equal(t, "key_recovered", l.events(t)[3], "it was about to leave")

	require.NoError(t, l.db.Close())
	l.fail = nil
	for _, r := range []connector.KeyPairRequest{request("x", c), request("", c)} {
		res, err := l.GenerateKeyPair(t.Context(), r)
		require.Error(t, err)
		require.Zero(t, res)
	}
	_, err = l.Check(t.Context())
	require.Error(t, err)
}

// Neither the log nor any answer's print shows keys.
func TestNothingSecretIsSaid(t *testing.T) {
	h, l := newLab(t)
	c := h.newCardKey(t, connector.WrapAESKWP)
	_, err := l.GenerateKeyPair(t.Context(), request("quiet", c))
	require.NoError(t, err)
	_, err = l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: card, UserID: "eve",
		KeyID: "1", CardTransport: c.sent})
	require.Error(t, err)
	log := l.log.String()
	assert.Contains(t, log, "generate key pair")
	assert.Contains(t, log, "another user's")
	k, err := l.db.ByID(t.Context(), 1)
	require.NoError(t, err)
	for _, secret := range [][]byte{c.key.Bytes(), k.Sealed} {
		assert.NotContains(t, log, fmt.Sprintf("%x", secret[:8]))
		assert.NotContains(t, log, fmt.Sprintf("%X", secret[:8]))
	}
}

func TestConfigCheck(t *testing.T) {
	for name, change := range map[string]func(*kra.Config){
		"bits":        func(c *kra.Config) { c.RSABits = []int{1024} },
		"curve":       func(c *kra.Config) { c.Curves = []int{255} },
		"pool":        func(c *kra.Config) { c.Pool = map[int]int{2048: -1} },
		"pool of":     func(c *kra.Config) { c.RSABits = nil; c.Pool = map[int]int{2048: 1} },
		"agents":      func(c *kra.Config) { c.Agents.Need = 9 },
		"no database": func(*kra.Config) {},
	} {
		cfg := config()
		change(&cfg)
		_, err := kra.New(cfg, kra.Options{})
		assert.Error(t, err, name)
	}
}
