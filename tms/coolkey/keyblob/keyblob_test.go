package keyblob_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

var challenge = [keyblob.ChallengeLen]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// answer makes an answer as the applet does, from the bytes up: a raw RSA operation on a block that
// is built here.
func answer(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	size := key.Size()
	blob := binary.BigEndian.AppendUint16([]byte{0, 1}, uint16(8*size))
	blob = append(binary.BigEndian.AppendUint16(blob, uint16(size)), key.N.Bytes()...)
	blob = append(blob, 0, 3, 1, 0, 1)
	digest := sha1.Sum(append(bytes.Clone(blob), challenge[:]...))
	block := append(unhex(t, "3021300906052B0E03021A05000414"), digest[:]...)
	block = append(append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, size-3-len(block))...),
		append([]byte{0}, block...)...)
	proof := make([]byte, size)
	new(big.Int).Exp(new(big.Int).SetBytes(block), key.D, key.N).FillBytes(proof)
	out := append(binary.BigEndian.AppendUint16(nil, uint16(len(blob))), blob...)
	return append(binary.BigEndian.AppendUint16(out, uint16(size)), proof...)
}

func ecAnswer(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	blob, err := keyblob.NewPublic(key.Public())
	require.NoError(t, err)
	a := keyblob.Answer{Blob: blob.Bytes()}
	digest := sha1.Sum(append(blob.Bytes(), challenge[:]...))
	a.Proof, err = ecdsa.SignASN1(rand.Reader, key, digest[:])
	require.NoError(t, err)
	return a.Bytes()
}

func TestRSAAnswer(t *testing.T) {
	for _, bits := range []int{1024, 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		raw := answer(t, key)
		require.Len(t, raw, map[int]int{1024: 0x010F, 2048: 0x020F}[bits], "as the real applet answers")
		a, err := keyblob.ParseAnswer(raw)
		require.NoError(t, err)
		require.True(t, key.PublicKey.Equal(a.Public))
		require.NoError(t, a.Verify(challenge))
		require.Equal(t, raw, a.Bytes())
		blob, err := keyblob.NewPublic(a.Public)
		require.NoError(t, err)
		require.Equal(t, a.Blob, blob.Bytes())

		other := challenge
		other[15] ^= 1
		require.ErrorIs(t, a.Verify(other), keyblob.ErrProof)
		for _, at := range []int{10, len(raw) - 1} { // modulus, proof
			bad := bytes.Clone(raw)
			bad[at] ^= 1
			if a, err := keyblob.ParseAnswer(bad); err == nil {
				require.ErrorIs(t, a.Verify(challenge), keyblob.ErrProof)
			}
		}
	}
}

func TestECAnswer(t *testing.T) {
	for bits, curve := range map[uint16]elliptic.Curve{
		0x0100: elliptic.P256(), 0x0180: elliptic.P384(), 0x0209: elliptic.P521(),
	} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		raw := ecAnswer(t, key)
		require.Equal(t, append([]byte{0, 0x0A}, byte(bits>>8), byte(bits)), raw[2:6])
		a, err := keyblob.ParseAnswer(raw)
		require.NoError(t, err)
		require.True(t, key.PublicKey.Equal(a.Public))
		require.NoError(t, a.Verify(challenge))
		require.Equal(t, raw, a.Bytes())
		require.ErrorIs(t, a.Verify([16]byte{}), keyblob.ErrProof)

		a.Public = "no key"
		require.ErrorIs(t, a.Verify(challenge), keyblob.ErrProof)
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	n := strings.Repeat("FF", 128)
	point := "04" + strings.Repeat("00", 64)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	good := ecAnswer(t, key)
	for name, tt := range map[string]struct {
		blob string
		want error
	}{
		"empty":              {"", keyblob.ErrForm},
		"three bytes":        {"000104", keyblob.ErrForm},
		"encrypted":          {"01010400", keyblob.ErrForm},
		"private":            {"00030400", keyblob.ErrForm},
		"no modulus":         {"00010400", keyblob.ErrForm},
		"modulus cut short":  {"00010400 0080 FF", keyblob.ErrForm},
		"no exponent":        {"00010400 0080" + n, keyblob.ErrForm},
		"bytes behind":       {"00010400 0080" + n + "0003 010001 00", keyblob.ErrForm},
		"other length":       {"00010800 0080" + n + "0003 010001", keyblob.ErrKey},
		"512 bits":           {"00010200 0040" + n[:128] + "0003 010001", keyblob.ErrKey},
		"even modulus":       {"00010400 0080" + n[:254] + "FE 0003 010001", keyblob.ErrKey},
		"exponent 1":         {"00010400 0080" + n + "0001 01", keyblob.ErrKey},
		"even exponent":      {"00010400 0080" + n + "0001 04", keyblob.ErrKey},
		"no exponent at all": {"00010400 0080" + n + "0000", keyblob.ErrKey},
		"long exponent":      {"00010400 0080" + n + "0009 010000000000000001", keyblob.ErrKey},
		"33-bit exponent":    {"00010400 0080" + n + "0005 0100000001", keyblob.ErrKey},
		"no curve":           {"000A0101 0041" + point, keyblob.ErrKey},
		"off the curve":      {"000A0100 0041 04" + strings.Repeat("01", 64), keyblob.ErrKey},
		"point at infinity":  {"000A0100 0001 00", keyblob.ErrKey},
		"compressed":         {"000A0100 0021 02" + strings.Repeat("01", 32), keyblob.ErrKey},
		"no point":           {"000A0100", keyblob.ErrForm},
		"behind the point":   {"000A0100 0041" + point + "00", keyblob.ErrForm},
	} {
		a := keyblob.Answer{Blob: unhex(t, tt.blob), Proof: []byte{1}}
		_, err := keyblob.ParseAnswer(a.Bytes())
		require.ErrorIs(t, err, tt.want, name)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "no proof": good[:2+4+2+65], "proof cut short": good[:len(good)-1],
		"bytes behind the proof": append(bytes.Clone(good), 0), "too long": make([]byte, 1201),
	} {
		_, err := keyblob.ParseAnswer(b)
		require.ErrorIs(t, err, keyblob.ErrForm, name)
	}
}

func TestPrivateBlobs(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	crt, err := keyblob.NewCRT(key)
	require.NoError(t, err)
	require.Equal(t, coolkey.KeyRSAPrivateCRT, crt.Type)
	require.Equal(t, uint16(1024), crt.Bits)
	p, q := key.Primes[0], key.Primes[1]
	one := big.NewInt(1)
	var want []byte
	for _, n := range []*big.Int{
		p, q, new(big.Int).ModInverse(q, p), new(big.Int).Mod(key.D, new(big.Int).Sub(p, one)),
		new(big.Int).Mod(key.D, new(big.Int).Sub(q, one)),
	} {
		want = append(binary.BigEndian.AppendUint16(want, uint16(len(n.Bytes()))), n.Bytes()...)
	}
	require.Equal(t, want, crt.Data)

	pair, err := keyblob.NewPair(key)
	require.NoError(t, err)
	require.Equal(t, "00090400", hex.EncodeToString(pair.Bytes()[:4]))
	require.Contains(t, hex.EncodeToString(pair.Data), "06092a864886f70d010101",
		"the identifier that applets look for")
	back, err := x509.ParsePKCS8PrivateKey(pair.Data)
	require.NoError(t, err)
	require.True(t, key.Equal(back))

	b := keyblob.NewEncryptedPair(2048, []byte{1, 2, 3})
	require.Equal(t, "01090800010203", hex.EncodeToString(b.Bytes()))
	parsed, err := keyblob.Parse(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, b, parsed)
	require.Equal(t, "PKCS#8 pair, 2048 bits, encrypted, 3 bytes", fmt.Sprintf("%v", b))
	require.NotContains(t, fmt.Sprintf("%+v %#v %x", pair, pair, pair),
		hex.EncodeToString(pair.Data[:8]), "no output shows a private key")
	require.Equal(t, "encoding 07", keyblob.Encoding(7).String())

	ec, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	der, bits, err := keyblob.PKCS8(ec)
	require.NoError(t, err)
	require.Equal(t, 521, bits)
	back, err = x509.ParsePKCS8PrivateKey(der)
	require.NoError(t, err)
	require.True(t, ec.Equal(back))
}

func TestPrivateBlobsRefuse(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	for _, key := range []crypto.PrivateKey{
		p224, "no key", &rsa.PrivateKey{}, &rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: big.NewInt(15), E: 3},
			Primes:    []*big.Int{big.NewInt(3), big.NewInt(5)},
		},
	} {
		_, _, err := keyblob.PKCS8(key)
		require.ErrorIs(t, err, keyblob.ErrKey)
	}
	_, err = keyblob.NewPublic(p224.Public())
	require.ErrorIs(t, err, keyblob.ErrKey)
	_, err = keyblob.NewPublic(nil)
	require.ErrorIs(t, err, keyblob.ErrKey)
	_, err = keyblob.NewCRT(&rsa.PrivateKey{})
	require.ErrorIs(t, err, keyblob.ErrKey)
	_, err = keyblob.NewPair(nil)
	require.ErrorIs(t, err, keyblob.ErrKey)
}

func FuzzAnswer(f *testing.F) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(f, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	f.Add(answer(f, rsaKey))
	f.Add(ecAnswer(f, ecKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := keyblob.ParseAnswer(b)
		if err != nil {
			return
		}
		require.Equal(t, b, a.Bytes())
		if err := a.Verify(challenge); err != nil {
			require.ErrorIs(t, err, keyblob.ErrProof)
		}
		blob, err := keyblob.NewPublic(a.Public)
		require.NoError(t, err)
		again, err := blob.Public()
		require.NoError(t, err)
		require.Equal(t, a.Public, again)
	})
}
