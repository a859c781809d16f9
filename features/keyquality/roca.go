package keyquality

import "math/big"

// rocaGenerator generates the residues that the faulty library's primes have: each is
// k*M + (65537^a mod M), where M is the product of the first primes (Nemec et al., ACM CCS 2017, 2).
const rocaGenerator = 65537

// rocaPrimes divide M for every key size from 512 bits up; only those are kept whose residues 65537
// does not generate all of, since the others tell nothing.
var rocaPrimes = tellingPrimes(167)

type residues struct {
	prime  uint64
	member []bool // by residue: it is a power of 65537
}

func tellingPrimes(highest uint64) []residues {
	var out []residues
	for p := uint64(3); p <= highest; p += 2 {
		if !new(big.Int).SetUint64(p).ProbablyPrime(0) {
			continue
		}
		r := residues{prime: p, member: make([]bool, p)}
		n := uint64(0)
		for x := uint64(1); !r.member[x]; x = x * rocaGenerator % p {
			r.member[x] = true
			n++
		}
		if n < p-1 {
			out = append(out, r)
		}
	}
	return out
}

// ROCA says that a modulus has the fingerprint of the faulty library. A sound modulus has it by
// chance about once in 2^27.
func ROCA(modulus *big.Int) bool {
	if modulus.Sign() <= 0 {
		return false
	}
	var p, rest big.Int
	for _, r := range rocaPrimes {
		if !r.member[rest.Mod(modulus, p.SetUint64(r.prime)).Uint64()] {
			return false
		}
	}
	return true
}
