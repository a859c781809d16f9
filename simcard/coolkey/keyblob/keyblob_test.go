package keyblob_test

import (
	"crypto/aes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/coolkey/keyblob"
	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func numbers(t testing.TB) pubkey.RSANumbers {
	t.Helper()
	n, err := pubkey.GenerateRSA(rand.NewChaCha8([32]byte{1}), 1024)
	require.NoError(t, err)
	return n
}

// pkcs8 has the standard library print a key.
func pkcs8(t testing.TB, n pubkey.RSANumbers) []byte {
	t.Helper()
	num := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	p, q, e, one := num(n.P), num(n.Q), num(n.Exponent), big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: num(n.Modulus), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	k.Precompute()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	return der
}

func TestPKCS8(t *testing.T) {
	n := numbers(t)
	der := pkcs8(t, n)
	got, err := keyblob.PKCS8(append(der, 8, 8, 8, 8, 8, 8, 8, 8))
	require.NoError(t, err)
	require.Equal(t, n, got)

	for i := range der {
		_, err := keyblob.PKCS8(der[:i])
		require.ErrorIs(t, err, apdu.SW9CD0, "cut at %d", i)
	}
	for _, c := range []struct {
		der  string
		want apdu.SW
	}{
		{"00820000", apdu.SW9CD0},   // tag 00
		{"3083000001", apdu.SW9CD0}, // length of three bytes
		{"30020100", apdu.SW9CD0},   // nothing behind the version
		{"3005020100300102", apdu.SW9C21},
		{"3010020100300D06092A864886F70D0101020500", apdu.SW9C21},
		{"3012020100300D06092A864886F70D01010105000400", apdu.SW9CD0},
		// A modulus of zeros alone.
		{"3012020100300D06092A864886F70D01010105000409300702010002020000", apdu.SW9CD0},
	} {
		_, err := keyblob.PKCS8(unhex(t, c.der))
		require.ErrorIs(t, err, c.want, c.der)
	}
}

func TestBlobs(t *testing.T) {
	n := numbers(t)
	b, err := keyblob.Parse(keyblob.AppendRSA(nil, 1024, n.Modulus, n.Exponent))
	require.NoError(t, err)
	require.Equal(t, lang.KeyRSAPublic, b.Type)
	require.EqualValues(t, 1024, b.Bits)
	mod, exp, err := b.Public()
	require.NoError(t, err)
	require.Equal(t, n.Modulus, mod)
	require.Equal(t, n.Exponent, exp)
	for i := range b.Data {
		_, _, err := keyblob.Blob{Data: b.Data[:i]}.Public()
		require.ErrorIs(t, err, apdu.SW9C0F)
	}

	crt := unhex(t, "0001AA0001BB0001CC0001DD0002EEFF")
	got, err := keyblob.Blob{Data: crt}.Private()
	require.NoError(t, err)
	require.Equal(t, pubkey.RSANumbers{
		P: []byte{0xAA}, Q: []byte{0xBB}, QInv: []byte{0xCC}, DP: []byte{0xDD}, DQ: []byte{0xEE, 0xFF},
	}, got)
	for i := range crt {
		want := apdu.SW9C0F
		if i >= 12 {
			want = apdu.SW9C1F
		}
		_, err := keyblob.Blob{Data: crt[:i]}.Private()
		require.ErrorIs(t, err, want, "cut at %d", i)
	}

	b, err = keyblob.Parse(keyblob.AppendEC(nil, 521, []byte{4, 1, 2}))
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0003040102"), b.Data)
	require.Equal(t, lang.KeyECCPublic, b.Type)
	for i := range keyblob.HeadLen {
		_, err := keyblob.Parse(make([]byte, i))
		require.ErrorIs(t, err, apdu.SW9C0F)
	}
}

func TestSupportedTypes(t *testing.T) {
	for i := range 256 {
		want := error(apdu.SW9C18)
		switch i {
		case 1, 3, 9:
			want = nil
		case 2, 4, 5, 6, 7, 8:
			want = apdu.SW9C17
		}
		require.Equal(t, want, keyblob.Supported(lang.KeyType(i)), i)
	}
}

// RFC 5649 §6: both examples.
func TestKeyWrapWithPadding(t *testing.T) {
	c, err := aes.NewCipher(unhex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"))
	require.NoError(t, err)
	for wrapped, want := range map[string]string{
		"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a": "c37b7e6492584340bed12207808941155068f738",
		"afbeb0f07dfbf5419200f2ccb50bb24f":                                 "466f7250617369",
	} {
		got, ok := keyblob.UnwrapKWP(c, unhex(t, wrapped))
		require.True(t, ok)
		require.Equal(t, unhex(t, want), got)
		for i := range len(wrapped) / 2 {
			bad := unhex(t, wrapped)
			bad[i] ^= 1
			_, ok := keyblob.UnwrapKWP(c, bad)
			require.False(t, ok)
			_, ok = keyblob.UnwrapKWP(c, unhex(t, wrapped)[:i])
			require.False(t, ok)
		}
	}
}

func TestUnpad(t *testing.T) {
	for in, want := range map[string]string{
		"AABB0606060606060606": "", "AABBCCDDEEFF0202": "AABBCCDDEEFF", "0808080808080808": "-",
		"": "", "AABBCCDDEEFF0102": "", "AABBCCDDEEFF0100": "", "AABBCCDDEEFF0109": "",
		"AABBCCDDEEFF01": "",
	} {
		got, ok := keyblob.Unpad(unhex(t, in), 8)
		require.Equal(t, want != "", ok, in)
		if want == "-" {
			want = ""
		}
		if ok {
			require.Equal(t, unhex(t, want), got)
		}
	}
}
