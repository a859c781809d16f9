package profile_test

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
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/conf"
)

var now = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

var issuer = profile.Issuer{KeyID: []byte{1, 2, 3}, OCSP: "http://ca.example/ocsp",
	IssuerURL: "http://ca.example/ca.crt", CRL: "http://ca.example/ca.crl"}

var keys = sync.OnceValue(func() map[string]crypto.Signer {
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	p, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return map[string]crypto.Signer{"rsa": r, "ec": p}
})

func spki(t testing.TB, k crypto.PublicKey) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(k)
	require.NoError(t, err)
	return b
}

func input(t testing.TB, kind string) profile.Input {
	t.Helper()
	return profile.Input{UserID: "anna", TokenType: "userKey", CUID: "4090-0062-FF02-0000-0B9C",
		Subject: "CN=Anna,O=Example", SANPatterns: []string{"anna@example.org"},
		Attributes: map[string]string{"mail": "anna@example.org", "upn": "anna@corp.example"},
		PublicKey:  spki(t, keys()[kind].Public())}
}

func defaults(t testing.TB) profile.Set {
	t.Helper()
	s, err := profile.Defaults()
	require.NoError(t, err)
	return s
}

// parsed makes a certificate of content, signed by anybody.
func parsed(t testing.TB, c profile.Content) *x509.Certificate {
	t.Helper()
	key := keys()["ec"]
	alg, err := der.AlgorithmOf(key.Public())
	require.NoError(t, err)
	tbs, err := der.TBS{Serial: big.NewInt(77), Algorithm: alg, Issuer: c.Subject, Subject: c.Subject,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, PublicKey: c.PublicKey,
		Extensions: c.Extensions}.Encode()
	require.NoError(t, err)
	raw, err := alg.SignCertificate(rand.Reader, key, tbs)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return cert
}

// The table of profiles that token types refer to: subject, days, key usage of RSA and EC keys.
func TestDefaultProfiles(t *testing.T) {
	const ds, ce, ke, ka = x509.KeyUsageDigitalSignature, x509.KeyUsageContentCommitment,
		x509.KeyUsageKeyEncipherment, x509.KeyUsageKeyAgreement
	person, device := "UID=anna,O=Token Key User", "UID=Token Key Device - 4090-0062-FF02-0000-0B9C"
	tests := map[string]struct {
		subject string
		days    int
		rsa, ec x509.KeyUsage
		mail    bool
		upn     string
	}{
		"caTokenUserSigningKeyEnrollment":         {person, 1825, ds | ce, ds | ce, true, ""},
		"caTokenUserEncryptionKeyEnrollment":      {person, 1825, ke, ka, true, ""},
		"caTokenUserAuthenticationKeyEnrollment":  {person, 1825, ds, ds, true, ""},
		"caTempTokenUserSigningKeyEnrollment":     {person, 7, ds | ce, ds | ce, true, ""},
		"caTempTokenUserEncryptionKeyEnrollment":  {person, 7, ke, ka, true, ""},
		"caTokenDeviceKeyEnrollment":              {device, 1825, ds, ds, false, ""},
		"caTempTokenDeviceKeyEnrollment":          {device, 7, ds, ds, false, ""},
		"caTokenUserDelegateAuthKeyEnrollment":    {"CN=Anna,O=Example", 1825, ds | ce, ds | ce, false, "anna@example.org"},
		"caTokenUserDelegateSigningKeyEnrollment": {"CN=Anna,O=Example", 1825, ds | ce, ds | ce, true, ""},
		"caTokenMSLoginEnrollment": {`CN=uid\=anna,E=anna@example.org,OU=anna@corp.example`, 1825, ds | ce, ds | ce,
			true, "anna@corp.example"},
	}
	for id, tt := range tests {
		for kind, want := range map[string]x509.KeyUsage{"rsa": tt.rsa, "ec": tt.ec} {
			t.Run(id+"/"+kind, func(t *testing.T) {
				c, err := defaults(t)[id].Build(input(t, kind), issuer, now)
				require.NoError(t, err)
				cert := parsed(t, c)
				assert.Equal(t, tt.subject, c.Text)
				assert.Equal(t, want, cert.KeyUsage)
				assert.Equal(t, time.Duration(tt.days)*24*time.Hour, cert.NotAfter.Sub(cert.NotBefore))
				assert.Equal(t, now.Add(-5*time.Minute), cert.NotBefore)
				assert.False(t, cert.IsCA)
				assert.True(t, cert.BasicConstraintsValid)
				assert.Equal(t, issuer.KeyID, cert.AuthorityKeyId)
				assert.Len(t, cert.SubjectKeyId, 20)
				assert.Equal(t, []string{issuer.OCSP}, cert.OCSPServer)
				assert.Equal(t, []string{issuer.IssuerURL}, cert.IssuingCertificateURL)
				assert.Equal(t, []string{issuer.CRL}, cert.CRLDistributionPoints)
				assert.Equal(t, tt.mail, len(cert.EmailAddresses) == 1)
				assert.Contains(t, string(extension(cert, der.OIDSubjectAltName)), tt.upn)
			})
		}
	}
	logon, err := defaults(t)["caTokenMSLoginEnrollment"].Build(input(t, "rsa"), issuer, now)
	require.NoError(t, err)
	cert := parsed(t, logon)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, cert.ExtKeyUsage)
	assert.Equal(t, []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}}, cert.UnknownExtKeyUsage)
}

func extension(c *x509.Certificate, oid asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value
		}
	}
	return nil
}

func TestDefaultsPassLint(t *testing.T) {
	for _, k := range keys() {
		require.NoError(t, defaults(t).Check(k.Public(), issuer, now))
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	require.NoError(t, defaults(t).Check(p384.Public(), issuer, now))
}

// A directory without mail gives a certificate without mail; what a profile requires is required.
func TestMissingValues(t *testing.T) {
	in := input(t, "rsa")
	in.Attributes = nil
	c, err := defaults(t)["caTokenUserSigningKeyEnrollment"].Build(in, issuer, now)
	require.NoError(t, err)
	assert.Nil(t, extension(parsed(t, c), der.OIDSubjectAltName))
	for id, change := range map[string]func(*profile.Input){
		"caTokenMSLoginEnrollment":             func(in *profile.Input) { delete(in.Attributes, "upn") },
		"caTokenUserDelegateAuthKeyEnrollment": func(in *profile.Input) { in.SANPatterns = nil },
		"caTokenUserSigningKeyEnrollment":      func(in *profile.Input) { in.UserID = "" },
		"caTokenDeviceKeyEnrollment":           func(in *profile.Input) { in.CUID = "" },
		"caServerCert":                         func(in *profile.Input) { in.Subject = "" },
		"caTokenUserSigningKeyRenewal":         func(*profile.Input) {},
	} {
		in := input(t, "rsa")
		change(&in)
		_, err := defaults(t)[id].Build(in, issuer, now)
		assert.ErrorIs(t, err, profile.ErrRequest, id)
	}
}

// Values are values, whatever they look like: nobody names himself into another place.
func TestValuesInjectNothing(t *testing.T) {
	in := input(t, "rsa")
	in.UserID = "anna,O=Board,CN=root"
	c, err := defaults(t)["caTokenUserSigningKeyEnrollment"].Build(in, issuer, now)
	require.NoError(t, err)
	cert := parsed(t, c)
	assert.Equal(t, []string{"Token Key User"}, cert.Subject.Organization)
	assert.Empty(t, cert.Subject.CommonName)
	for _, mail := range []string{"a@b.example,dns:x", "a@b.example\x00", "Anna <a@b.example>"} {
		in := input(t, "rsa")
		in.Attributes["mail"] = mail
		_, err := defaults(t)["caTokenUserSigningKeyEnrollment"].Build(in, issuer, now)
		assert.ErrorIs(t, err, profile.ErrRequest, mail)
	}
}

func TestRenewalKeepsWhatTheOriginalSays(t *testing.T) {
	set := defaults(t)
	for id, of := range map[string]string{
		"caTokenUserSigningKeyRenewal":      "caTokenUserDelegateSigningKeyEnrollment",
		"caTokenUserEncryptionKeyRenewal":   "caTokenUserEncryptionKeyEnrollment",
		"caTokenUserAuthKeyRenewal":         "caTokenMSLoginEnrollment",
		"caTokenUserDelegateAuthKeyRenewal": "caTokenUserDelegateAuthKeyEnrollment",
	} {
		c, err := set[of].Build(input(t, "ec"), issuer, now)
		require.NoError(t, err)
		original := parsed(t, c)
		later := now.Add(1000 * 24 * time.Hour)
		c, err = set[id].Renew(original, of, issuer, later)
		require.NoError(t, err)
		next := parsed(t, c)
		assert.Equal(t, original.RawSubject, next.RawSubject)
		assert.Equal(t, original.RawSubjectPublicKeyInfo, next.RawSubjectPublicKeyInfo)
		assert.Equal(t, original.NotAfter.Sub(original.NotBefore), next.NotAfter.Sub(next.NotBefore))
		assert.Equal(t, later.Add(-5*time.Minute), next.NotBefore)
		assert.ElementsMatch(t, ids(original.Extensions), ids(next.Extensions))
		for _, oid := range []asn1.ObjectIdentifier{der.OIDKeyUsage, der.OIDExtKeyUsage, der.OIDSubjectAltName} {
			assert.Equal(t, extension(original, oid), extension(next, oid))
		}
		_, err = set[id].Renew(original, "caServerCert", issuer, later)
		assert.ErrorIs(t, err, profile.ErrRequest)
		_, err = set[of].Renew(original, of, issuer, later)
		assert.ErrorIs(t, err, profile.ErrRequest)
	}
}

func ids(list []pkix.Extension) (out []string) {
	for _, e := range list {
		out = append(out, e.Id.String())
	}
	return out
}

func TestGracePeriod(t *testing.T) {
	p := mustParse(t, "renewal=true\nrenewal.grace=true\nrenewal.graceBefore=10\nrenewal.graceAfter=5\nvalidity.days=90\n")
	c, err := defaults(t)["caTokenUserSigningKeyEnrollment"].Build(input(t, "ec"), issuer, now)
	require.NoError(t, err)
	original := parsed(t, c)
	end := original.NotAfter
	for at, ok := range map[time.Time]bool{end.AddDate(0, 0, -11): false, end.AddDate(0, 0, -9): true,
		end.AddDate(0, 0, 4): true, end.AddDate(0, 0, 6): false} {
		c, err := p.Renew(original, "x", issuer, at)
		assert.Equal(t, ok, err == nil, at)
		if ok {
			assert.Equal(t, 90*24*time.Hour, c.NotAfter.Sub(c.NotBefore))
		}
	}
}

func mustParse(t testing.TB, text string) *profile.Profile {
	t.Helper()
	f, err := conf.Parse("own.cfg", []byte(text))
	require.NoError(t, err)
	p, err := profile.New("own", f)
	require.NoError(t, err)
	return p
}

const good = "subject=CN=$request.cn$\nvalidity.days=30\nkeyUsage=digitalSignature\n"

func TestMistakesNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		good + "keyusage=x\n":                           "own.cfg:4: keyusage",
		good + "extKeyUsage=logon\n":                    "own.cfg:4",
		good + "extKeyUsage=1.3.6.1.5.5.7.3.9\n":        "ocsp",
		good + "san.0=mail:x\n":                         "own.cfg:4: san.0",
		good + "san.0=rfc822:$request.mail\n":           "own.cfg:4",
		good + "san.0=rfc822:$mail$\n":                  "own.cfg:4",
		good + "san.1.required=true\n":                  "san.1",
		good + "key.types=dsa\n":                        "dsa",
		good + "inputs=password\n":                      "password",
		good + "enable=yes\n":                           "neither true nor false",
		good + "policies=a.b\n":                         "own.cfg:4",
		good + "validity.backdate=9999\n":               "1440",
		good + "renewal.grace=true\n":                   "own.cfg:4",
		good + "keyUsage.rsa=keyCertSign\n":             "no certificate authorities",
		"subject=CN=a\nkeyUsage=digitalSignature\n":     "validity.days",
		"subject=CN=a\nvalidity.days=0\n":               "own.cfg:2",
		"subject=CN=a\nvalidity.days=3\n":               "keyUsage",
		"subject=CN\nvalidity.days=3\nkeyUsage=cRLSign": "own.cfg:1: subject",
		"renewal=true\n":                                "validity.days",
	} {
		f, err := conf.Parse("own.cfg", []byte(text))
		require.NoError(t, err)
		_, err = profile.New("own", f)
		require.ErrorIs(t, err, profile.ErrProfile, text)
		assert.ErrorContains(t, err, want, text)
	}
	_, err := profile.New("a b", &conf.File{})
	require.ErrorIs(t, err, profile.ErrProfile)
}

// What lint finds is said with the profile's name before anything is issued.
func TestProfilesThatLintRefuses(t *testing.T) {
	set := profile.Set{"own": mustParse(t, good+"policies=1.2.3, 1.2.3\n")}
	err := set.Check(keys()["ec"].Public(), issuer, now)
	require.ErrorContains(t, err, "own")
	require.ErrorContains(t, err, "policy")
}

func TestOwnProfilesTakeTheDefaultsPlace(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, profile.WriteDefaults(filepath.Join(dir, "copies")))
	copies, err := profile.Load(filepath.Join(dir, "copies"))
	require.NoError(t, err)
	assert.Equal(t, defaults(t).IDs(), copies.IDs())
	own := filepath.Join(dir, "own")
	require.NoError(t, os.Mkdir(own, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(own, "caServerCert.cfg"), []byte(good+"enable=false\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(own, "extra.cfg"), []byte(good), 0o600))
	set, err := profile.Load(own)
	require.NoError(t, err)
	assert.Len(t, set, len(copies)+1)
	assert.False(t, set["caServerCert"].Enabled)
	require.NoError(t, os.WriteFile(filepath.Join(own, "bad.cfg"), []byte(good+"x=1\n"), 0o600))
	_, err = profile.Load(own)
	require.ErrorContains(t, err, "bad.cfg:4")
	none, err := profile.Load(filepath.Join(dir, "none"))
	require.NoError(t, err)
	assert.Equal(t, copies.IDs(), none.IDs())
}

func TestKeysThatAreRefused(t *testing.T) {
	p := defaults(t)["caTokenUserSigningKeyEnrollment"]
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	odd := *keys()["rsa"].Public().(*rsa.PublicKey)
	odd.E = 3
	even := odd
	even.E, even.N = 65537, new(big.Int).Sub(odd.N, big.NewInt(1))
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	for name, key := range map[string]crypto.PublicKey{"small": small.Public(), "exponent": &odd, "even": &even,
		"weak": &rsa.PublicKey{N: weakModulus(), E: 65537}, "p224": p224.Public()} {
		in := input(t, "rsa")
		in.PublicKey = spki(t, key)
		_, err := p.Build(in, issuer, now)
		require.ErrorIs(t, err, profile.ErrRequest, name)
		if name == "weak" {
			assert.ErrorContains(t, err, "CVE-2017-15361")
		}
	}
	for _, raw := range [][]byte{nil, {0x30}, []byte(strings.Repeat("a", 300))} {
		in := input(t, "rsa")
		in.PublicKey = raw
		_, err := p.Build(in, issuer, now)
		require.ErrorIs(t, err, profile.ErrRequest)
	}
}

// weakModulus makes a modulus of the form k*M + (65537^a mod M), M the product of the first primes,
// which is what the weak library's primes, and hence their products, look like.
func weakModulus() *big.Int {
	m := big.NewInt(1)
	for p := int64(2); p <= 701; p++ {
		if big.NewInt(p).ProbablyPrime(10) {
			m.Mul(m, big.NewInt(p))
		}
	}
	r := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), m)
	k := new(big.Int).Lsh(big.NewInt(1), uint(2047-m.BitLen()+1))
	return k.Mul(k, m).Add(k, r)
}

func FuzzProfile(f *testing.F) {
	f.Add(good)
	f.Add("renewal=true\nvalidity.days=original\n")
	f.Add("subject=$request.subject$\nsan.0=upn:$request.upn$\nvalidity.days=7\nkeyUsage.rsa=keyEncipherment\nkeyUsage.ec=keyAgreement\n")
	in := input(f, "ec")
	in.Attributes["cn"] = "Anna"
	f.Fuzz(func(t *testing.T, text string) {
		file, err := conf.Parse("f.cfg", []byte(text))
		if err != nil {
			return
		}
		p, err := profile.New("f", file)
		if err != nil {
			require.ErrorIs(t, err, profile.ErrProfile)
			return
		}
		c, err := p.Build(in, issuer, now)
		if err != nil {
			require.ErrorIs(t, err, profile.ErrRequest)
			return
		}
		require.False(t, parsed(t, c).IsCA)
	})
}

// FuzzRequest: whatever a request says, it becomes a certificate that the standard library reads,
// or an error.
func FuzzRequest(f *testing.F) {
	f.Add("anna", "anna@example.org", "anna@corp.example", "CN=Anna", spki(f, keys()["ec"].Public()))
	f.Add("a\x00b", "a@b", "\xff", `CN=a\2C,O=b`, []byte{0x30, 0})
	set := defaults(f)
	f.Fuzz(func(t *testing.T, uid, mail, upn, subject string, key []byte) {
		in := profile.Input{UserID: uid, CUID: uid, Subject: subject, SANPatterns: []string{mail, upn},
			Attributes: map[string]string{"mail": mail, "upn": upn}, PublicKey: key}
		for _, id := range set.IDs() {
			c, err := set[id].Build(in, issuer, now)
			if err != nil {
				require.ErrorIs(t, err, profile.ErrRequest)
				continue
			}
			parsed(t, c)
		}
	})
}
