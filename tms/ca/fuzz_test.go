package ca_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca"
	"tokenwright/tms/connector"
)

// FuzzCSR: whatever is handed in as a request becomes an enrollment within bounds, or an error.
func FuzzCSR(f *testing.F) {
	for _, kind := range []string{"p256", "rsa2048"} {
		raw, err := ca.NewCSR(newKey(f, kind), "CN=Token CA,O=Example,C=DE")
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		csr, err := ca.ParseCSR(raw)
		if err != nil {
			require.ErrorIs(t, err, connector.ErrCABadRequest)
			return
		}
		_, err = x509.ParsePKIXPublicKey(csr.PublicKey)
		require.NoError(t, err)
		if err := csr.Request("caServerCert").Check(); err != nil {
			require.ErrorIs(t, err, connector.ErrCABadRequest)
		}
	})
}
