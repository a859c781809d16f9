package pubkey

import (
	"fmt"
	"io"
	"math/big"
	"slices"
)

// rsaSizes are the key sizes of Java Card's KeyBuilder, in bits.
var rsaSizes = []int{512, 736, 768, 896, 1024, 1280, 1536, 1984, 2048, 4096}

// RSASize reports whether a card can hold RSA keys of that many bits.
func RSASize(bits int) bool { return slices.Contains(rsaSizes, bits) }

// rsaExponent is F4, the public exponent of all keys made here.
const rsaExponent = 65537

// GenerateRSA makes a key pair of a size that RSASize reports, with the exponent 65537. All
// randomness is read from random: the same bytes make the same key.
func GenerateRSA(random io.Reader, bits int) (RSANumbers, error) {
	if !RSASize(bits) {
		return RSANumbers{}, fmt.Errorf("RSA of %d bits: %w", bits, ErrSize)
	}
	e := big.NewInt(rsaExponent)
	for {
		p, err := prime(random, bits/2, e)
		if err != nil {
			return RSANumbers{}, err
		}
		q, err := prime(random, bits/2, e)
		if err != nil {
			return RSANumbers{}, err
		}
		if p.Cmp(q) < 0 {
			p, q = q, p
		}
		if !apart(p, q, bits) {
			continue
		}
		return numbers(p, q, e), nil
	}
}

// apart tells whether two primes differ enough (FIPS 186-5 §A.1.3: by more than 2^(bits/2-100)).
func apart(p, q *big.Int, bits int) bool {
	return new(big.Int).Sub(p, q).BitLen() > bits/2-100
}

func numbers(p, q, e *big.Int) RSANumbers {
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	return RSANumbers{
		Modulus: new(big.Int).Mul(p, q).Bytes(), Exponent: e.Bytes(),
		P: p.Bytes(), Q: q.Bytes(), QInv: new(big.Int).ModInverse(q, p).Bytes(),
		DP: new(big.Int).ModInverse(e, p1).Bytes(), DQ: new(big.Int).ModInverse(e, q1).Bytes(),
	}
}

// Candidates are sieved: among those within window of a random odd number only the ones without a
// small prime factor are tested, with checks Miller-Rabin rounds and a Lucas test behind them.
const (
	window = 1 << 12
	checks = 10
)

// smallPrimes are the odd primes below 1<<11.
var smallPrimes = func() (primes []uint64) {
	for n := uint64(3); n < 1<<11; n += 2 {
		if !slices.ContainsFunc(primes, func(p uint64) bool { return n%p == 0 }) {
			primes = append(primes, n)
		}
	}
	return primes
}()

// prime finds a prime of exactly bits bits with its two highest ones set, so that the product of two
// has twice as many, and with e a unit modulo p-1. It is the first one above a random number.
func prime(random io.Reader, bits int, e *big.Int) (*big.Int, error) {
	b := make([]byte, (bits+7)/8)
	for {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("making an RSA key: %w", err)
		}
		start := new(big.Int).SetBytes(b)
		for i := bits; i < 8*len(b); i++ {
			start.SetBit(start, i, 0)
		}
		start.SetBit(start, bits-1, 1).SetBit(start, bits-2, 1).SetBit(start, 0, 1)
		if p := search(start, bits, e); p != nil {
			return p, nil
		}
	}
}

// search gives the first suitable prime within the window from an odd start, nil if there is none.
func search(start *big.Int, bits int, e *big.Int) *big.Int {
	var composite [window]bool
	rest, small := new(big.Int), new(big.Int)
	for _, s := range smallPrimes {
		r := rest.Mod(start, small.SetUint64(s)).Uint64()
		for i := (s - r) % s; i < window; i += s {
			composite[i] = true
		}
	}
	p, one, gcd := new(big.Int), big.NewInt(1), new(big.Int)
	for i := int64(0); i < window; i += 2 {
		if composite[i] {
			continue
		}
		p.Add(start, small.SetInt64(i))
		if p.BitLen() != bits {
			return nil
		}
		coprime := gcd.GCD(nil, nil, rest.Sub(p, one), e).Cmp(one) == 0
		if coprime && p.ProbablyPrime(checks) {
			return p
		}
	}
	return nil
}

// sha1Info is the DER of a DigestInfo for SHA-1 up to the digest (RFC 8017 §9.2 note 1).
var sha1Info = []byte{
	0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14,
}

// PadSHA1 gives a SHA-1 digest in the encoding that a PKCS#1 v1.5 signature of n bytes is made of
// (RFC 8017 §9.2). n is at least 46; it gives nil otherwise.
func PadSHA1(digest [20]byte, n int) []byte {
	const minFill = 8
	if n < 3+minFill+len(sha1Info)+len(digest) {
		return nil
	}
	out := make([]byte, n)
	out[1] = 1
	tail := append(slices.Clone(sha1Info), digest[:]...)
	at := n - len(tail)
	for i := 2; i < at-1; i++ {
		out[i] = 0xFF
	}
	copy(out[at:], tail)
	return out
}
