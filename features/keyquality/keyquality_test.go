package keyquality

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seeded is a source of test values that are the same in every run.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func below(r *rand.Rand, n *big.Int) *big.Int {
	b := make([]byte, (n.BitLen()+7)/8+8)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return new(big.Int).Mod(new(big.Int).SetBytes(b), n)
}

// prime gives a prime from low to high.
func prime(r *rand.Rand, low, high *big.Int) *big.Int {
	span := new(big.Int).Sub(high, low)
	for {
		p := below(r, span)
		if p.Add(p, low).SetBit(p, 0, 1).ProbablyPrime(8) {
			return p
		}
	}
}

// modulus gives one of so many bits, both primes with their two top bits set.
func modulus(r *rand.Rand, bits uint) *big.Int {
	high := new(big.Int).Lsh(big.NewInt(1), bits/2)
	low := new(big.Int).Sub(high, new(big.Int).Rsh(high, 2))
	return new(big.Int).Mul(prime(r, low, high), prime(r, low, high))
}

// rocaPrime makes one as the faulty library does: k*M + (65537^a mod M).
func rocaPrime(r *rand.Rand, bits uint) *big.Int {
	m := big.NewInt(2)
	for p := int64(3); p <= 167; p += 2 {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
		}
	}
	high := new(big.Int).Lsh(big.NewInt(1), bits)
	for {
		k := below(r, new(big.Int).Quo(high, m))
		power := new(big.Int).Exp(big.NewInt(rocaGenerator), below(r, m), m)
		p := k.Add(k.Mul(k, m), power)
		if p.BitLen() == int(bits) && p.ProbablyPrime(8) {
			return p
		}
	}
}

func TestROCAFindsThePlantedKeyAndNoSoundOne(t *testing.T) {
	r := seeded(1)
	for range 3 {
		n := new(big.Int).Mul(rocaPrime(r, 512), rocaPrime(r, 512))
		assert.True(t, ROCA(n))
	}
	for range 50 {
		assert.False(t, ROCA(modulus(r, 512)))
	}
	sound, err := rsa.GenerateKey(crand.Reader, 2048)
	require.NoError(t, err)
	assert.False(t, ROCA(sound.N))
	assert.False(t, ROCA(big.NewInt(0)))
	assert.False(t, ROCA(big.NewInt(-5)))
}

func TestSharedFindsThePlantedPrime(t *testing.T) {
	r := seeded(2)
	var batch []*big.Int
	for range 40 {
		batch = append(batch, modulus(r, 512))
	}
	assert.Empty(t, Shared(batch))
	high := new(big.Int).Lsh(big.NewInt(1), 256)
	low := new(big.Int).Rsh(high, 1)
	p := prime(r, low, high)
	batch[7] = new(big.Int).Mul(p, prime(r, low, high))
	batch[33] = new(big.Int).Mul(p, prime(r, low, high))
	batch = append(batch, batch[3])
	assert.Equal(t, []int{7, 33}, Shared(batch))
	assert.Equal(t, []int{40}, Repeated(batch))
	assert.Empty(t, Shared(batch[:1]))
	assert.Empty(t, Shared(nil))
	assert.Equal(t, []int{7, 33}, Shared(append(batch[:40:40], big.NewInt(0), big.NewInt(-6))))
}

func TestTopBytesTellNarrowPrimesFromSoundOnes(t *testing.T) {
	const size = 600
	r := seeded(3)
	draw := func(low, high float64) []*big.Int {
		at := func(f float64) *big.Int {
			n, _ := new(big.Float).SetMantExp(big.NewFloat(f), 64).Int(nil)
			return n
		}
		var out []*big.Int
		for range size {
			out = append(out, new(big.Int).Mul(prime(r, at(low), at(high)), prime(r, at(low), at(high))))
		}
		return out
	}
	p, rule, ok := TopBytes(draw(0.75, 1))
	assert.True(t, ok)
	assert.Equal(t, "two top bits set", rule)
	assert.Greater(t, p, 1e-3)

	p, rule, ok = TopBytes(draw(0.70710679, 1))
	assert.True(t, ok)
	assert.Equal(t, "at least sqrt(1/2)", rule)
	assert.Greater(t, p, 1e-3)

	p, _, ok = TopBytes(draw(0.75, 0.875)) // three bits of each prime are always the same
	assert.True(t, ok)
	assert.Less(t, p, 1e-6)

	_, _, ok = TopBytes(draw(0.75, 1)[:FewestTopBytes-1])
	assert.False(t, ok)
}

func TestChiSquaredTailAgreesWithTables(t *testing.T) {
	for _, c := range []struct{ x, k, p float64 }{
		{3.841459, 1, 0.05}, {18.307038, 10, 0.05}, {2.558212, 10, 0.99}, {149.449, 100, 0.001},
	} {
		assert.InDelta(t, c.p, chiSquaredTail(c.x, c.k), 1e-5)
	}
}

// sign signs with a nonce of the caller's.
func sign(t *testing.T, priv *ecdsa.PrivateKey, nonce *big.Int, msg byte) Signature {
	t.Helper()
	hash := sha256.Sum256([]byte{msg})
	curve, n := priv.Curve, priv.Params().N
	raw := nonce.FillBytes(make([]byte, (n.BitLen()+7)/8))
	point, err := ecdsa.ParseRawPrivateKey(curve, raw)
	require.NoError(t, err)
	public, err := point.PublicKey.Bytes()
	require.NoError(t, err)
	x := new(big.Int).SetBytes(public[1 : 1+len(raw)])
	d, err := priv.Bytes()
	require.NoError(t, err)
	r := x.Mod(x, n)
	s := new(big.Int).Mul(r, new(big.Int).SetBytes(d))
	s.Add(s, new(big.Int).SetBytes(hash[:]))
	s.Mul(s, new(big.Int).ModInverse(nonce, n))
	return Signature{R: r, S: s.Mod(s, n), Hash: hash[:]}
}

func TestNonces(t *testing.T) {
	r := seeded(4)
	priv, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	require.NoError(t, err)
	n := priv.Params().N
	batch := func(size int, nonce func(i int) *big.Int) []Signature {
		var out []Signature
		for i := range size {
			out = append(out, sign(t, priv, nonce(i), byte(i)))
		}
		return out
	}
	start := below(r, n)
	short := func(bits uint) func(int) *big.Int {
		bound := new(big.Int).Rsh(n, bits)
		return func(int) *big.Int { return below(r, bound) }
	}
	for _, c := range []struct {
		name string
		sigs []Signature
		want Nonces
	}{
		{"sound", batch(19, func(int) *big.Int { return below(r, n) }), Nonces{}},
		{"short by 64 bits", batch(19, short(64)), Nonces{Short: 64}},
		{"short by 32 bits", batch(19, short(32)), Nonces{Short: 32}},
		{"short by 17 bits", batch(19, short(17)), Nonces{Short: 17}},
		{"counted", batch(5, func(i int) *big.Int {
			return new(big.Int).Add(start, big.NewInt(int64(i)))
		}), Nonces{Related: "each is the one before plus 1"}},
		{"repeated", batch(5, func(i int) *big.Int {
			return new(big.Int).Add(start, big.NewInt(int64(i%3*77)))
		}), Nonces{Repeated: []int{3, 4}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ECDSANonces(&priv.PublicKey, c.sigs)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.name == "sound", got.Sound())
		})
	}
	bad := batch(1, func(int) *big.Int { return below(r, n) })
	bad[0].S.Add(bad[0].S, big.NewInt(1))
	_, err = ECDSANonces(&priv.PublicKey, bad)
	assert.ErrorIs(t, err, ErrSignature)
	_, err = ECDSANonces(&priv.PublicKey, make([]Signature, MaxSignatures+1))
	assert.Error(t, err)
}

func BenchmarkShared(b *testing.B) {
	r := seeded(5)
	var batch []*big.Int
	for range 64 {
		batch = append(batch, modulus(r, 2048))
	}
	for b.Loop() {
		Shared(batch)
	}
}
