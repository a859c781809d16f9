package pubkey_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/pubkey"
)

func seeded(n byte) io.Reader { return rand.NewChaCha8([32]byte{n}) }

// foreign gives a key as crypto/rsa has it, which judges it.
func foreign(t testing.TB, n pubkey.RSANumbers) *rsa.PrivateKey {
	t.Helper()
	num := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	p, q, e := num(n.P), num(n.Q), num(n.Exponent)
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: num(n.Modulus), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	k.Precompute()
	return k
}

func TestGeneratedRSA(t *testing.T) {
	for _, bits := range []int{1024, 1280, 2048} {
		n, err := pubkey.GenerateRSA(seeded(1), bits)
		require.NoError(t, err)
		k := foreign(t, n)
		require.NoError(t, k.Validate())
		require.Equal(t, bits, k.N.BitLen())
		require.Equal(t, n.DP, k.Precomputed.Dp.Bytes())
		require.Equal(t, n.DQ, k.Precomputed.Dq.Bytes())
		require.Equal(t, n.QInv, k.Precomputed.Qinv.Bytes())

		again, err := pubkey.GenerateRSA(seeded(1), bits)
		require.NoError(t, err)
		require.Equal(t, n, again, "the same seed makes the same key")
		other, err := pubkey.GenerateRSA(seeded(2), bits)
		require.NoError(t, err)
		require.NotEqual(t, n.Modulus, other.Modulus)
	}
	for _, bits := range []int{512, 736, 896} {
		n, err := pubkey.GenerateRSA(seeded(3), bits)
		require.NoError(t, err)
		require.Equal(t, bits, new(big.Int).SetBytes(n.Modulus).BitLen())
	}
	for _, bits := range []int{0, 8, 511, 1000, 3072, 8192, -1} {
		_, err := pubkey.GenerateRSA(seeded(1), bits)
		require.ErrorIs(t, err, pubkey.ErrSize)
	}
	broken := errors.New("no entropy")
	_, err := pubkey.GenerateRSA(iotest.ErrReader(broken), 1024)
	require.ErrorIs(t, err, broken)
}

// Raw operations are held against crypto/rsa through its paddings.
func TestRawRSA(t *testing.T) {
	n, err := pubkey.GenerateRSA(seeded(4), 1024)
	require.NoError(t, err)
	private, err := pubkey.NewRSAPrivate(n)
	require.NoError(t, err)
	public, err := pubkey.NewRSAPublic(n.Modulus, n.Exponent)
	require.NoError(t, err)
	k := foreign(t, n)

	digest := sha1.Sum([]byte("signed"))
	sig := pubkey.PadSHA1(digest, 128)
	require.NoError(t, private.Apply(sig, sig))
	require.NoError(t, rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA1, digest[:], sig))

	secret := []byte("for the token")
	enc, err := rsa.EncryptPKCS1v15(seeded(5), &k.PublicKey, secret)
	require.NoError(t, err)
	block := make([]byte, 128)
	require.NoError(t, private.Apply(block, enc))
	require.Equal(t, []byte{0, 2}, block[:2])
	require.True(t, bytes.HasSuffix(block, append([]byte{0}, secret...)))
	require.NoError(t, public.Apply(block, block))
	require.Equal(t, enc, block)

	for _, apply := range []func(dst, src []byte) error{private.Apply, public.Apply} {
		require.ErrorIs(t, apply(block, n.Modulus), pubkey.ErrRange)
		require.ErrorIs(t, apply(block, bytes.Repeat([]byte{0xFF}, 128)), pubkey.ErrRange)
		require.ErrorIs(t, apply(make([]byte, 10), enc), pubkey.ErrRange)
		require.NoError(t, apply(block, nil))
		require.Equal(t, make([]byte, 128), block)
	}
	require.Nil(t, pubkey.PadSHA1(digest, 45))
	require.Len(t, pubkey.PadSHA1(digest, 46), 46)
}

func TestUnusableRSANumbers(t *testing.T) {
	long := bytes.Repeat([]byte{0xFF}, 513)
	for _, bad := range [][]byte{nil, {0}, {0, 0, 0}, long} {
		_, err := pubkey.NewRSAPublic(bad, []byte{3})
		require.ErrorIs(t, err, pubkey.ErrNumber)
		_, err = pubkey.NewRSAPublic([]byte{15}, bad)
		require.ErrorIs(t, err, pubkey.ErrNumber)
		good := pubkey.RSANumbers{P: []byte{7}, Q: []byte{5}, QInv: []byte{3}, DP: []byte{1}, DQ: []byte{1}}
		for _, at := range []*[]byte{&good.P, &good.Q, &good.QInv, &good.DP, &good.DQ} {
			was := *at
			*at = bad
			_, err := pubkey.NewRSAPrivate(good)
			require.ErrorIs(t, err, pubkey.ErrNumber)
			*at = was
		}
	}
	_, err := pubkey.NewRSAPublic(append([]byte{0}, long[:512]...), []byte{3})
	require.NoError(t, err)
}

func TestEC(t *testing.T) {
	for _, c := range []struct {
		bits int
		dsa  elliptic.Curve
		dh   ecdh.Curve
	}{
		{256, elliptic.P256(), ecdh.P256()},
		{384, elliptic.P384(), ecdh.P384()},
		{521, elliptic.P521(), ecdh.P521()},
	} {
		d, err := pubkey.GenerateEC(seeded(6), c.bits)
		require.NoError(t, err)
		again, err := pubkey.GenerateEC(seeded(6), c.bits)
		require.NoError(t, err)
		require.Equal(t, d, again)
		k, err := pubkey.NewEC(c.bits, d)
		require.NoError(t, err)
		require.NoError(t, pubkey.CheckPoint(c.bits, k.Point()))
		pub, err := ecdsa.ParseUncompressedPublicKey(c.dsa, k.Point())
		require.NoError(t, err)

		sha1Sum, sha512Sum := sha1.Sum([]byte("a")), sha512.Sum512([]byte("a"))
		sha256Sum := sha256.Sum256([]byte("a"))
		for _, digest := range [][]byte{sha1Sum[:], sha256Sum[:], sha512Sum[:], sha512Sum[:33], {1}} {
			der, err := k.Sign(digest)
			require.NoError(t, err)
			require.True(t, ecdsa.VerifyASN1(pub, digest, der))
			repeated, err := k.Sign(digest)
			require.NoError(t, err)
			require.Equal(t, der, repeated)
			raw, err := k.SignRaw(digest)
			require.NoError(t, err)
			n := len(raw) / 2
			require.Equal(t, len(d), n)
			require.True(t, ecdsa.Verify(pub, digest, new(big.Int).SetBytes(raw[:n]), new(big.Int).SetBytes(raw[n:])))
		}
		for _, bad := range [][]byte{nil, make([]byte, 65)} {
			_, err = k.Sign(bad)
			require.ErrorIs(t, err, pubkey.ErrRange)
			_, err = k.SignRaw(bad)
			require.ErrorIs(t, err, pubkey.ErrRange)
		}
		agree(t, k, c.dh)
	}
	for _, bits := range []int{0, 255, 257, 1024} {
		_, err := pubkey.GenerateEC(seeded(1), bits)
		require.ErrorIs(t, err, pubkey.ErrSize)
		_, err = pubkey.NewEC(bits, []byte{1})
		require.ErrorIs(t, err, pubkey.ErrSize)
		require.ErrorIs(t, pubkey.CheckPoint(bits, []byte{4}), pubkey.ErrSize)
		require.False(t, pubkey.ECSize(bits))
	}
	_, err := pubkey.NewEC(256, make([]byte, 32))
	require.ErrorIs(t, err, pubkey.ErrNumber)
	_, err = pubkey.GenerateEC(iotest.ErrReader(io.ErrClosedPipe), 256)
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

func agree(t *testing.T, k *pubkey.EC, c ecdh.Curve) {
	t.Helper()
	d, err := pubkey.GenerateEC(seeded(7), map[int]int{65: 256, 97: 384, 133: 521}[len(k.Point())])
	require.NoError(t, err)
	other, err := c.NewPrivateKey(d)
	require.NoError(t, err)
	ours, err := c.NewPublicKey(k.Point())
	require.NoError(t, err)
	want, err := other.ECDH(ours)
	require.NoError(t, err)
	got, err := k.Agree(other.PublicKey().Bytes())
	require.NoError(t, err)
	require.Equal(t, want, got)
	bad := other.PublicKey().Bytes()
	bad[len(bad)-1] ^= 1
	_, err = k.Agree(bad)
	require.ErrorIs(t, err, pubkey.ErrPoint)
	_, err = k.Agree(nil)
	require.ErrorIs(t, err, pubkey.ErrPoint)
}

// RFC 6979 §A.2.5: P-256 with SHA-1 and SHA-256, message "sample".
func TestECDSAVectors(t *testing.T) {
	scalar, ok := new(big.Int).SetString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", 16)
	require.True(t, ok)
	k, err := pubkey.NewEC(256, scalar.Bytes())
	require.NoError(t, err)
	one, two := sha1.Sum([]byte("sample")), sha256.Sum256([]byte("sample"))
	for _, v := range []struct {
		digest []byte
		r, s   string
	}{
		{one[:], "61340C88C3AAEBEB4F6D667F672CA9759A6CCAA9FA8811313039EE4A35471D32",
			"6D7F147DAC089441BB2E2FE8F7A3FA264B9C475098FDCF6E00D7C996E1B8B7EB"},
		{two[:], "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
			"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"},
	} {
		raw, err := k.SignRaw(v.digest)
		require.NoError(t, err)
		want, ok := new(big.Int).SetString(v.r+v.s, 16)
		require.True(t, ok)
		require.Equal(t, want.FillBytes(make([]byte, 64)), raw)
	}
}
