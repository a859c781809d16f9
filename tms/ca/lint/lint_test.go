package lint_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca/lint"
)

// certificate makes a self-signed one after a change.
func certificate(t testing.TB, change func(*x509.Certificate)) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1 << 62), Subject: pkix.Name{CommonName: "Root"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	change(tmpl)
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	return raw
}

func TestFindings(t *testing.T) {
	require.NoError(t, lint.Certificate(certificate(t, func(*x509.Certificate) {})))
	for want, change := range map[string]func(*x509.Certificate){
		"e_subject_common_name_max_length": func(c *x509.Certificate) {
			c.Subject.CommonName = "a name that is longer than the sixty-four characters that there may be"
		},
		"e_ca_subject_field_empty": func(c *x509.Certificate) { c.Subject = pkix.Name{} },
	} {
		err := lint.Certificate(certificate(t, change))
		require.ErrorIs(t, err, lint.ErrFindings, want)
		assert.ErrorContains(t, err, want)
	}
	assert.Greater(t, lint.Rules(), 100)
}

func TestWhatCanNotBeRead(t *testing.T) {
	for _, f := range []func([]byte) error{lint.Certificate, lint.RevocationList, lint.OCSP} {
		require.Error(t, f(nil))
		require.Error(t, f([]byte{0x30, 0}))
	}
}

func BenchmarkCertificate(b *testing.B) {
	raw := certificate(b, func(*x509.Certificate) {})
	for b.Loop() {
		if err := lint.Certificate(raw); err != nil {
			b.Fatal(err)
		}
	}
}
