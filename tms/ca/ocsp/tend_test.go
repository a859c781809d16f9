package ocsp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// many is a Feed of certificates that nobody issued.
type many []Entry

func (m many) Status(context.Context, *big.Int) (Status, error) { return Status{Rev: 1}, nil }

func (m many) Revision(context.Context) (int64, error) { return 1, nil }

func (m many) Changed(context.Context, int64, int) ([]Entry, error) { return nil, nil }

func (m many) Live(_ context.Context, _ time.Time, after *Entry, limit int) ([]Entry, error) {
	from := 0
	if after != nil {
		from = after.Mark.(int) + 1
	}
	return m[from:min(from+limit, len(m))], nil
}

func newMany(t testing.TB, n int) many {
	t.Helper()
	m := make(many, n)
	for i := range m {
		serial := make([]byte, 16)
		_, err := rand.Read(serial)
		require.NoError(t, err)
		m[i] = Entry{Serial: new(big.Int).SetBytes(serial), Status: Status{Rev: 1},
			Ends: time.Now().Add(time.Hour), Mark: i}
	}
	return m
}

// newResponder makes a responder with a certificate like those that a CA gives.
func newResponder(t testing.TB, source Source, memory int64) *Responder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		Subject:      pkix.Name{CommonName: "Token CA 1", Organization: []string{"tokenwright"}},
		SubjectKeyId: []byte("01234567890123456789"), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	r, err := New(Options{Issuer: cert, Signer: Signer{Key: key, Cert: cert}, Source: source, Memory: memory})
	require.NoError(t, err)
	return r
}

func tendAll(t testing.TB, r *Responder) (signed int) {
	t.Helper()
	for {
		n, err := r.Tend(context.Background())
		require.NoError(t, err)
		if signed += n; n == 0 {
			return signed
		}
	}
}

// What is kept takes no more than it is said to.
func TestMemoryIsWhatItIsSaidToBe(t *testing.T) {
	const n = 20_000
	m := newMany(t, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := newResponder(t, m, 0)
	require.Equal(t, n, tendAll(t, r))
	answers, said := r.Kept()
	require.Equal(t, n, answers)
	runtime.GC()
	runtime.ReadMemStats(&after)
	taken := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d bytes an answer, said to be %d", taken/n, said/n)
	require.Less(t, taken, said*11/10)
	runtime.KeepAlive(r)
	runtime.KeepAlive(m)
}

// BenchmarkPresign measures answers that are signed before anybody asks.
func BenchmarkPresign(b *testing.B) {
	r := newResponder(b, newMany(b, b.N), 1<<40)
	b.ResetTimer()
	require.Equal(b, b.N, tendAll(b, r))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}
