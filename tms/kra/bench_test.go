package kra_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/keywrap"
)

// BenchmarkArchive measures requests for a key, archived durably and wrapped for a card, beside the
// same cryptographic operations and nothing else. RSA keys come from the pool, which is filled
// before the clock starts; the bare operations of RSA use a key that is there.
func BenchmarkArchive(b *testing.B) {
	for _, k := range []struct {
		name string
		kind connector.KeyType
		bits int
	}{{"P-256", connector.KeyEC, 256}, {"RSA-2048", connector.KeyRSA, 2048}} {
		for _, clients := range []int{1, 16} {
			name := fmt.Sprintf("%s/clients=%d", k.name, clients)
			b.Run(name+"/ours", func(b *testing.B) { benchService(b, k.kind, k.bits, clients) })
		}
		b.Run(k.name+"/clients=1/baseline", func(b *testing.B) { benchBare(b, k.kind) })
	}
}

// poolOf is how many RSA keys the benchmark has made in advance; -benchtime 100x stays below.
const poolOf = 128

func benchService(b *testing.B, kind connector.KeyType, bits, clients int) {
	if kind == connector.KeyRSA && b.N > poolOf {
		b.Skipf("%d keys: the pool of this benchmark holds %d (-benchtime 100x)", b.N, poolOf)
	}
	h := newHome(b, b.TempDir())
	cfg := config()
	if kind == connector.KeyRSA {
		cfg.Pool, cfg.Workers = map[int]int{2048: min(b.N, poolOf)}, 2
	}
	l := h.open(b, cfg)
	fill(b, l, cfg)
	c := h.newCardKey(b, connector.WrapAESKWP)
	var next atomic.Int64
	b.ResetTimer()
	start := time.Now()
	done := make(chan error)
	for range clients {
		go func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					done <- nil
					return
				}
				r := request(fmt.Sprint(n), c)
				r.Type, r.Bits = kind, bits
				if _, err := l.GenerateKeyPair(context.Background(), r); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range clients {
		require.NoError(b, <-done)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "keys/s")
}

// fill waits until the pool is full.
func fill(b *testing.B, l *lab, cfg kra.Config) {
	b.Helper()
	for _, n := range cfg.Pool {
		require.Eventually(b, func() bool {
			needs, err := l.Check(context.Background())
			require.NoError(b, err)
			return needs["pool.rsa2048"] == fmt.Sprintf("%d ready", n)
		}, 5*time.Minute, 5*time.Millisecond)
	}
}

// benchBare opens the transport key, makes or takes the key, seals and wraps it.
func benchBare(b *testing.B, kind connector.KeyType) {
	transport, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	sent, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &transport.PublicKey, make([]byte, 16), nil)
	require.NoError(b, err)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	storage := make([]byte, 32)
	b.ResetTimer()
	start := time.Now()
	for range b.N {
		key, err := transport.Decrypt(nil, sent, &rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != nil {
			b.Fatal(err)
		}
		var private any = old
		if kind == connector.KeyEC {
			if private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
		plain, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range [][]byte{storage, key} { // once for the archive, once for the card
			if _, err := keywrap.WrapKWP(k, plain); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "keys/s")
}
