package keyquality

import "math/big"

// shortTried are the numbers of leading zero bits that are tried, in this order: what a lattice of a
// size that takes seconds decides.
var shortTried = []int{128, 64, 32, 16}

// short tells how many leading bits of all nonces are zero. It is the hidden number problem: the private
// key is found as a coordinate of a short lattice vector (Boneh and Venkatesan 1996; Nguyen and
// Shparlinski 2003), and held against the public key, so that there is no false alarm.
func (k *key) short(eqs []equation) int {
	for _, bits := range shortTried {
		if bits >= k.n.BitLen() {
			continue
		}
		// each signature tells about one bit more than bits, as nonces are centred
		need := k.n.BitLen()/bits + 3
		if len(eqs) < need {
			continue
		}
		if d := k.findShort(eqs[:need], bits); d != nil {
			return k.n.BitLen() - k.longest(eqs, d)
		}
	}
	return 0
}

// longest is the length in bits of the longest nonce, d being the private key.
func (k *key) longest(eqs []equation, d *big.Int) int {
	most := 0
	for _, e := range eqs {
		nonce := new(big.Int).Mul(e.t, d)
		most = max(most, nonce.Mod(nonce.Add(nonce, e.a), k.n).BitLen())
	}
	return most
}

// findShort looks for the key, all nonces being below 2^(size of the order - bits). It is nil when it is
// not found.
func (k *key) findShort(eqs []equation, bits int) *big.Int {
	m := len(eqs)
	bound := new(big.Int).Lsh(big.NewInt(1), uint(k.n.BitLen()-bits))
	half := new(big.Int).Rsh(bound, 1)
	scale := new(big.Int).Quo(k.n, bound)
	basis := make([][]*big.Int, m+2)
	for i := range basis {
		basis[i] = make([]*big.Int, m+2)
		for j := range basis[i] {
			basis[i][j] = new(big.Int)
		}
	}
	for i, e := range eqs {
		basis[i][i].Mul(scale, k.n)
		basis[m][i].Mul(scale, e.t)
		basis[m+1][i].Mul(scale, new(big.Int).Sub(e.a, half))
	}
	basis[m][m].SetInt64(1)
	basis[m+1][m+1].Set(k.n)
	reduce(basis)
	for _, row := range basis {
		d := new(big.Int).Mod(row[m], k.n)
		for _, d := range []*big.Int{d, new(big.Int).Sub(k.n, d)} {
			if k.is(d) {
				return d
			}
		}
	}
	return nil
}
