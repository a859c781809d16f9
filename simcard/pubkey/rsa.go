package pubkey

import (
	"fmt"
	"math/big"
)

// maxNumber is the length in bytes of the largest number of any key, the modulus of RSA-4096.
const maxNumber = 512

// number reads a number that must not be zero.
func number(b []byte) (*big.Int, error) {
	n := new(big.Int).SetBytes(b)
	if n.Sign() == 0 || n.BitLen() > 8*maxNumber {
		return nil, fmt.Errorf("%w of %d bits", ErrNumber, n.BitLen())
	}
	return n, nil
}

// RSAPublic is an RSA public key. It is safe for concurrent use.
type RSAPublic struct {
	n, e *big.Int
}

// NewRSAPublic makes a key of its modulus and exponent. Neither needs to be plausible.
func NewRSAPublic(modulus, exponent []byte) (*RSAPublic, error) {
	n, err := number(modulus)
	if err != nil {
		return nil, fmt.Errorf("modulus: %w", err)
	}
	e, err := number(exponent)
	if err != nil {
		return nil, fmt.Errorf("exponent: %w", err)
	}
	return &RSAPublic{n, e}, nil
}

// Apply puts src^e mod n into dst, with zeros in front. dst and src may be the same memory.
func (k *RSAPublic) Apply(dst, src []byte) error {
	x := new(big.Int).SetBytes(src)
	if x.Cmp(k.n) >= 0 {
		return ErrRange
	}
	return fill(dst, x.Exp(x, k.e, k.n))
}

func fill(dst []byte, x *big.Int) error {
	if x.BitLen() > 8*len(dst) {
		return ErrRange
	}
	x.FillBytes(dst)
	return nil
}

// RSANumbers are the numbers of a private key in the form for the Chinese remainder theorem, with the
// modulus and the exponent of the public half. All are secret but those two.
type RSANumbers struct {
	Modulus, Exponent []byte
	P, Q, QInv        []byte // QInv is the inverse of Q modulo P.
	DP, DQ            []byte
}

// RSAPrivate is an RSA private key. It is safe for concurrent use.
type RSAPrivate struct {
	n, p, q, qInv, dp, dq *big.Int
}

// NewRSAPrivate makes a key of the private numbers. It does not check that they belong together; the
// modulus is the product of P and Q whatever n.Modulus says.
func NewRSAPrivate(n RSANumbers) (*RSAPrivate, error) {
	var k RSAPrivate
	for _, f := range []struct {
		name string
		to   **big.Int
		b    []byte
	}{
		{"P", &k.p, n.P},
		{"Q", &k.q, n.Q},
		{"Q inverse", &k.qInv, n.QInv},
		{"DP", &k.dp, n.DP},
		{"DQ", &k.dq, n.DQ},
	} {
		var err error
		if *f.to, err = number(f.b); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	k.n = new(big.Int).Mul(k.p, k.q)
	return &k, nil
}

// Apply puts src^d mod n into dst, with zeros in front (RFC 8017 §5.1.2, second form). dst and src
// may be the same memory. The result is not checked.
func (k *RSAPrivate) Apply(dst, src []byte) error {
	x := new(big.Int).SetBytes(src)
	if x.Cmp(k.n) >= 0 {
		return ErrRange
	}
	m2 := new(big.Int).Exp(x, k.dq, k.q)
	m1 := x.Exp(x, k.dp, k.p)
	h := m1.Sub(m1, m2)
	h.Mul(h, k.qInv).Mod(h, k.p)
	return fill(dst, h.Mul(h, k.q).Add(h, m2))
}
