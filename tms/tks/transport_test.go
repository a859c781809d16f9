package tks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
)

// transportCert makes a certificate of a KRA.
func transportCert(t testing.TB, pub, priv any) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, priv)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func TestTransportKeysOpenOnBothEnds(t *testing.T) {
	kra, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	cert := transportCert(t, &kra.PublicKey, kra)
	aes := aesSet(t, "aes", 16)
	aes.Mappings = nil
	des := distinct(t)
	static := key(t, keys.DES3, "505152535455565758595A5B5C5D5E5F")
	for name, pkcs1 := range map[string]bool{"oaep": false, "pkcs1 v1.5": true} {
		s, err := New(context.Background(), Config{PKCS1v15: pkcs1,
			KeySets: []KeySetConfig{des, aes}}, Options{TransportCert: cert})
		require.NoError(t, err)
		open := func(b []byte) []byte {
			if pkcs1 {
				plain, err := rsa.DecryptPKCS1v15(nil, kra, b)
				require.NoError(t, err)
				return plain
			}
			plain, err := rsa.DecryptOAEP(sha256.New(), nil, kra, b, nil)
			require.NoError(t, err)
			return plain
		}
		for scp := byte(1); scp <= 3; scp++ {
			t.Run(name+"/scp0"+string('0'+rune(scp)), func(t *testing.T) {
				req := connector.SessionKeyRequest{Info: keys.KeyInfo{KVN: 1, SCP: scp},
					KeySet: "jForte", CardChallenge: make([]byte, 8), ServerSideKeygen: true}
				switch scp {
				case 2:
					req.Seq, req.CardChallenge = []byte{0, 1}, make([]byte, 6)
				case 3:
					req.KeySet = "aes"
				}
				signCard(t, s, &req)
				res, err := s.ComputeSessionKey(context.Background(), req)
				require.NoError(t, err)
				unwrap := static.DecryptECB
				switch scp {
				case 2:
					unwrap = res.Keys.SDEK.DecryptECB
				case 3:
					k, err := keys.New(keys.AES, aes.KEK)
					require.NoError(t, err)
					unwrap = func(b []byte) ([]byte, error) { return k.DecryptCBC(make([]byte, 16), b) }
				}
				desKey, err := unwrap(res.KekWrappedDESKey)
				require.NoError(t, err)
				aesKey, err := unwrap(res.KekWrappedAESKey)
				require.NoError(t, err)
				assert.Equal(t, append(desKey[:16:16], desKey[:8]...), open(res.DRMTransDESKey))
				assert.Equal(t, aesKey, open(res.DRMTransAESKey))
				checkValue(t, keys.DES3, desKey, res.KeyCheckDES)
				checkValue(t, keys.AES, aesKey, res.KeyCheckAES)
			})
		}
	}
}

func checkValue(t *testing.T, alg keys.Algorithm, plain, check []byte) {
	t.Helper()
	k, err := keys.New(alg, plain)
	require.NoError(t, err)
	kcv := k.KCV()
	assert.Equal(t, kcv[:], check)
}

func TestTransportCertificateMustHoldAStrongRSAKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = New(context.Background(), Config{KeySets: []KeySetConfig{distinct(t)}},
		Options{TransportCert: transportCert(t, &ec.PublicKey, ec)})
	require.ErrorContains(t, err, "tks.drm_transport_cert_nickname")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	_, err = New(context.Background(), Config{KeySets: []KeySetConfig{distinct(t)}},
		Options{TransportCert: transportCert(t, &weak.PublicKey, weak)})
	require.ErrorContains(t, err, "1024")
}
