package ca_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	xocsp "golang.org/x/crypto/ocsp"

	"tokenwright/tms/ca"
	"tokenwright/tms/connector"
)

func asECDSA(t testing.TB, key any) *ecdsa.PrivateKey {
	t.Helper()
	k, ok := key.(*ecdsa.PrivateKey)
	require.True(t, ok)
	return k
}

// BenchmarkCertificates measures certificates that are linted, on record and audited when they are
// returned, beside x509.CreateCertificate alone with the same key.
func BenchmarkCertificates(b *testing.B) {
	for _, kind := range []string{"p256", "rsa2048"} {
		for _, workers := range []int{1, 16} {
			name := kind + map[int]string{1: "/writers=1", 16: "/writers=16"}[workers]
			b.Run(name+"/ours", func(b *testing.B) { benchIssue(b, kind, workers, nil) })
			b.Run(name+"/nolint", func(b *testing.B) {
				benchIssue(b, kind, workers, func(o *ca.Options) { o.SkipLint = true })
			})
			b.Run(name+"/baseline", func(b *testing.B) { benchCreate(b, kind, workers) })
		}
	}
}

func perSecond(b *testing.B, workers int, what string, do func() error) {
	b.Helper()
	b.SetParallelism((workers + 1) / 2)
	b.ResetTimer()
	start := time.Now()
	if workers == 1 {
		for range b.N {
			if err := do(); err != nil {
				b.Fatal(err)
			}
		}
	} else {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), what+"/s")
}

func benchIssue(b *testing.B, kind string, workers int, change func(*ca.Options)) {
	l := newLab(b, kind, change)
	r := request(b, signing, "ec")
	perSecond(b, workers, "certs", func() error {
		_, err := l.ca.Enroll(b.Context(), r)
		return err
	})
}

func benchCreate(b *testing.B, kind string, workers int) {
	l := newLab(b, kind, nil)
	var n atomic.Int64
	public := subjectKeys()["ec"].Public()
	perSecond(b, workers, "certs", func() error {
		_, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: new(big.Int).SetInt64(n.Add(1)), Subject: pkix.Name{CommonName: "anna"},
			NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
			EmailAddresses: []string{"anna@example.org"},
		}, l.opts.Certificate, public, l.opts.Key)
		return err
	})
}

// BenchmarkOCSP measures answers that were signed before, answers that are signed for one question
// (it has a nonce), and the signature of a bare answer.
func BenchmarkOCSP(b *testing.B) {
	l := newLab(b, "p256", nil)
	cert := l.enroll(signing, "ec")
	plain, err := xocsp.CreateRequest(cert, l.opts.Certificate, nil)
	require.NoError(b, err)
	withNonce := addNonce(b, plain)
	r := l.ca.Responder()
	for name, question := range map[string][]byte{"kept": plain, "fresh": withNonce} {
		b.Run(name+"/ours", func(b *testing.B) {
			perSecond(b, 16, "answers", func() error {
				r.Answer(b.Context(), question)
				return nil
			})
		})
	}
	b.Run("fresh/baseline", func(b *testing.B) {
		signer := r.SignerCert()
		perSecond(b, 16, "answers", func() error {
			_, err := xocsp.CreateResponse(l.opts.Certificate, signer, xocsp.Response{
				Status: xocsp.Good, SerialNumber: cert.SerialNumber, ThisUpdate: time.Now(),
				NextUpdate: time.Now().Add(time.Hour), Certificate: signer}, l.opts.OCSPKey)
			return err
		})
	})
}

// BenchmarkRevocations measures revocations on record.
func BenchmarkRevocations(b *testing.B) {
	l := newLab(b, "p256", func(o *ca.Options) { o.SkipLint = true })
	serials := make(chan connector.Serial, b.N)
	for range b.N {
		serials <- serialOf(l.enroll(signing, "ec"))
	}
	perSecond(b, 16, "changes", func() error {
		return l.ca.Revoke(b.Context(), connector.RevokeRequest{Serial: <-serials, Reason: 1})
	})
}
