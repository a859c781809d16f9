package der_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca/der"
)

// must makes a list of extensions out of what their makers give.
type must struct {
	t    testing.TB
	list []pkix.Extension
}

func (m *must) add(e pkix.Extension, err error) {
	m.t.Helper()
	require.NoError(m.t, err)
	m.list = append(m.list, e)
}

func signers(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	return map[string]crypto.Signer{"rsa": r, "p256": p256, "p384": p384}
}

// TestTBSAgreesWithCryptoX509 holds every byte against the encoder of the standard library, which
// is handed the library's own form of each extension.
func TestTBSAgreesWithCryptoX509(t *testing.T) {
	for name, key := range signers(t) {
		t.Run(name, func(t *testing.T) {
			issuer := &x509.Certificate{RawSubject: encode(t, "CN=Issuer,O=Example,C=DE")}
			spki, err := x509.MarshalPKIXPublicKey(key.Public())
			require.NoError(t, err)
			id, err := der.KeyID(spki)
			require.NoError(t, err)
			alg, err := der.AlgorithmOf(key.Public())
			require.NoError(t, err)
			tbs := der.TBS{Serial: new(big.Int).Lsh(big.NewInt(0xF1), 120), Algorithm: alg,
				Issuer: issuer.RawSubject, Subject: encode(t, `UID=anna\, b,O=Token Key User`),
				NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
				NotAfter:  time.Date(2051, 1, 2, 3, 4, 5, 0, time.UTC), PublicKey: spki}
			ours := must{t: t}
			ours.add(der.KeyUsageExt(1<<0 | 1<<1))
			ours.add(der.ExtKeyUsageExt([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}}))
			ours.add(der.BasicConstraintsExt(false, -1))
			ours.add(der.SubjectKeyIDExt(id))
			ours.add(der.AuthorityKeyIDExt([]byte{1, 2, 3}))
			ours.add(der.AuthorityInfoExt("http://ca.example/ocsp", "http://ca.example/ca.crt"))
			ours.add(der.AltNamesExt([]der.AltName{{"dns", "a.example"}, {"rfc822", "a@b.example"},
				{"ip", "10.0.0.1"}, {"uri", "urn:x:y"}}, false))
			ours.add(der.PoliciesExt([]asn1.ObjectIdentifier{{1, 2, 3, 4}}))
			ours.add(der.CRLPointsExt(der.OIDCRLPoints, "http://ca.example/ca.crl"))
			tbs.Extensions = ours.list
			got, err := tbs.Encode()
			require.NoError(t, err)

			policy, err := x509.OIDFromInts([]uint64{1, 2, 3, 4})
			require.NoError(t, err)
			tmpl := &x509.Certificate{SerialNumber: tbs.Serial, RawSubject: tbs.Subject,
				NotBefore: tbs.NotBefore, NotAfter: tbs.NotAfter,
				KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
				ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
				BasicConstraintsValid: true, SubjectKeyId: id, AuthorityKeyId: []byte{1, 2, 3},
				OCSPServer:            []string{"http://ca.example/ocsp"},
				IssuingCertificateURL: []string{"http://ca.example/ca.crt"},
				DNSNames:              []string{"a.example"}, EmailAddresses: []string{"a@b.example"},
				IPAddresses: parseIP("10.0.0.1"), URIs: parseURI(t, "urn:x:y"),
				Policies: []x509.OID{policy}, CRLDistributionPoints: []string{"http://ca.example/ca.crl"},
			}
			cert, err := x509.CreateCertificate(rand.Reader, tmpl, issuer, key.Public(), key)
			require.NoError(t, err)
			want, err := der.SplitCertificate(cert)
			require.NoError(t, err)
			require.Equal(t, want, got)

			signed, err := alg.SignCertificate(rand.Reader, key, got)
			require.NoError(t, err)
			parsed, err := x509.ParseCertificate(signed)
			require.NoError(t, err)
			issuer.PublicKey, issuer.PublicKeyAlgorithm = key.Public(), parsed.PublicKeyAlgorithm
			require.NoError(t, issuer.CheckSignature(parsed.SignatureAlgorithm,
				parsed.RawTBSCertificate, parsed.Signature))
			unsigned, err := alg.Unsigned(got)
			require.NoError(t, err)
			parsed, err = x509.ParseCertificate(unsigned)
			require.NoError(t, err)
			require.Error(t, issuer.CheckSignature(parsed.SignatureAlgorithm,
				parsed.RawTBSCertificate, parsed.Signature), "nobody's signature")
		})
	}
}

func TestBasicConstraintsOfCAs(t *testing.T) {
	for _, path := range []int{-1, 0, 3} {
		e, err := der.BasicConstraintsExt(true, path)
		require.NoError(t, err)
		want := map[int]string{-1: "30030101ff", 0: "30060101ff020100", 3: "30060101ff020103"}
		assert.Equal(t, want[path], hexOf(e.Value))
		assert.True(t, e.Critical)
	}
}

func TestUPNIsAnOtherName(t *testing.T) {
	e, err := der.AltNamesExt([]der.AltName{{"upn", "anna@corp.example"}}, false)
	require.NoError(t, err)
	var rest []asn1.RawValue
	_, err = asn1.Unmarshal(e.Value, &rest)
	require.NoError(t, err)
	require.Len(t, rest, 1)
	assert.Equal(t, 0, rest[0].Tag)
	var oid asn1.ObjectIdentifier
	tail, err := asn1.Unmarshal(rest[0].Bytes, &oid)
	require.NoError(t, err)
	assert.Equal(t, der.OIDUPN, oid)
	var value asn1.RawValue
	_, err = asn1.Unmarshal(tail, &value)
	require.NoError(t, err)
	assert.Equal(t, append([]byte{0x0C, 17}, "anna@corp.example"...), value.Bytes)
}

func TestWhatCanNotBeEncoded(t *testing.T) {
	long := make([]byte, 600)
	for i := range long {
		long[i] = 'a'
	}
	for _, n := range []der.AltName{{"rfc822", ""}, {"rfc822", "anna"}, {"rfc822", "a b@c"},
		{"rfc822", "a@b\x00c"}, {"rfc822", "anna@"}, {"rfc822", "änna@b.example"}, {"dns", "-a"},
		{"dns", "a..b"}, {"ip", "1.2.3"}, {"uri", "a b:c"}, {"upn", "a\nb"}, {"upn", string(long)},
		{"1.2.3.x", "a"}, {"mail", "a@b"}} {
		_, err := der.AltNamesExt([]der.AltName{n}, false)
		assert.Error(t, err, "%+v", n)
	}
	for _, serial := range []*big.Int{nil, big.NewInt(0), big.NewInt(-1),
		new(big.Int).Lsh(big.NewInt(1), 159)} {
		_, err := der.TBS{Serial: serial, NotAfter: time.Now()}.Encode()
		assert.Error(t, err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	_, err = der.AlgorithmOf(p521.Public())
	assert.Error(t, err)
	for _, text := range []string{"", "1", "1.2", "3.1.1", "1.40.1", "1.2.03", "1.2.99999999999", "1.2.-1"} {
		_, err := der.ParseOID(text)
		assert.Error(t, err, text)
	}
	for _, u := range []string{"", "ldap://x/", "http://", "http://a b/", "https://u:p@h/"} {
		assert.Error(t, der.CheckURL(u), u)
	}
}

func TestKeyUsageNames(t *testing.T) {
	u, err := der.ParseKeyUsage([]string{"DigitalSignature", "decipherOnly"})
	require.NoError(t, err)
	assert.True(t, u.Has("digitalSignature"))
	assert.False(t, u.Has("keyAgreement"))
	e, err := der.KeyUsageExt(u)
	require.NoError(t, err)
	assert.Equal(t, "0303078080", hexOf(e.Value))
	_, err = der.ParseKeyUsage([]string{"signing"})
	assert.Error(t, err)
}
