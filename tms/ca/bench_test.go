package ca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	xocsp "golang.org/x/crypto/ocsp"

	"tokenwright/features/benchtest"
	"tokenwright/tms/ca"
	"tokenwright/tms/connector"
)

func asECDSA(t testing.TB, key any) *ecdsa.PrivateKey {
	t.Helper()
	k, ok := key.(*ecdsa.PrivateKey)
	require.True(t, ok)
	return k
}

// turn is how much is done in one turn.
const turn = 64

// BenchmarkCertificates measures certificates that are linted, on record and audited when they are
// returned, in turns with x509.CreateCertificate alone with the same key.
func BenchmarkCertificates(b *testing.B) {
	for _, kind := range []string{"p256", "rsa2048"} {
		for _, writers := range []int{1, 16} {
			name := fmt.Sprintf("%s/writers=%d", kind, writers)
			b.Run(name, func(b *testing.B) { benchIssue(b, kind, writers, nil) })
			b.Run(name+"/nolint", func(b *testing.B) {
				benchIssue(b, kind, writers, func(o *ca.Options) { o.SkipLint = true })
			})
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

func benchIssue(b *testing.B, kind string, writers int, change func(*ca.Options)) {
	l := newLab(b, kind, change)
	r := request(b, signing, "ec")
	public := subjectKeys()["ec"].Public()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "anna"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		EmailAddresses: []string{"anna@example.org"},
	}
	inTurns(b, "certs", writers, func(int) error {
		_, err := l.ca.Enroll(b.Context(), r)
		return err
	}, func(int) error {
		_, err := x509.CreateCertificate(rand.Reader, template, l.opts.Certificate, public, l.opts.Key)
		return err
	})
}

func inTurns(b *testing.B, what string, clients int, ours, baseline func(i int) error) {
	b.Helper()
	benchtest.InTurnsOf(b, what, 0, func() benchtest.Turn {
		return benchtest.Turn{
			N:        turn,
			Ours:     func() { require.NoError(b, benchtest.Spread(turn, clients, ours)) },
			Baseline: func() { require.NoError(b, benchtest.Spread(turn, clients, baseline)) },
		}
	})
}

// BenchmarkOCSP measures answers that were signed before, answers that are signed for one question
// (it has a nonce), and both over HTTP, in turns with the signature of a bare answer.
func BenchmarkOCSP(b *testing.B) {
	l := newLab(b, "p256", nil)
	cert := l.enroll(signing, "ec")
	plain, err := xocsp.CreateRequest(cert, l.opts.Certificate, nil)
	require.NoError(b, err)
	web := httptest.NewServer(l.ca.PublicHandler())
	defer web.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	r := l.ca.Responder()
	signer := r.SignerCert()
	bare := func(int) error {
		_, err := xocsp.CreateResponse(l.opts.Certificate, signer, xocsp.Response{
			Status: xocsp.Good, SerialNumber: cert.SerialNumber, ThisUpdate: time.Now(),
			NextUpdate: time.Now().Add(time.Hour), Certificate: signer}, l.opts.OCSPKey)
		return err
	}
	for name, question := range map[string][]byte{"kept": plain, "fresh": addNonce(b, plain)} {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/clients=%d", name, clients), func(b *testing.B) {
				inTurns(b, "answers", clients, func(int) error {
					r.Answer(b.Context(), question)
					return nil
				}, bare)
			})
			b.Run(fmt.Sprintf("%s/http/clients=%d", name, clients), func(b *testing.B) {
				inTurns(b, "answers", clients, func(int) error {
					return askHTTP(client, web.URL+ca.PathOCSP, question)
				}, bare)
			})
		}
	}
}

// askHTTP asks over a connection that is kept.
func askHTTP(client *http.Client, url string, question []byte) error {
	resp, err := client.Post(url, "application/ocsp-request", bytes.NewReader(question))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || len(answer) < 100) {
		err = fmt.Errorf("%s, %d bytes", resp.Status, len(answer))
	}
	return err
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
