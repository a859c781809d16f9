package keyquality

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
)

// Signature is an ECDSA signature and the hash that it signs.
type Signature struct {
	R, S *big.Int
	Hash []byte
}

// Nonces is what is wrong with the nonces of one key's signatures.
type Nonces struct {
	// Repeated are the signatures, by place, whose nonce an earlier one had too.
	Repeated []int
	// Related says how the nonces follow from one another, "" if no way is known.
	Related string
	// Short is the number of leading bits that are zero in all of them, if that lets the key be found;
	// 0 if it does not.
	Short int
}

// Sound says that nothing was found.
func (n Nonces) Sound() bool { return len(n.Repeated) == 0 && n.Related == "" && n.Short == 0 }

// ErrSignature is a signature that is none of the key's: its nonce tells nothing.
var ErrSignature = errors.New("signature does not verify")

// MaxSignatures bounds the signatures of one key that are looked at.
const MaxSignatures = 4096

// ECDSANonces looks for nonces that give the key away. All signatures have to be the key's. Whether
// nonces are short is tried from shortTried bits on; fewer bits than that take more signatures, and
// longer, than a test of a card has.
func ECDSANonces(pub *ecdsa.PublicKey, sigs []Signature) (Nonces, error) {
	if len(sigs) > MaxSignatures {
		return Nonces{}, fmt.Errorf("%d signatures, at most %d are looked at", len(sigs), MaxSignatures)
	}
	for i, s := range sigs {
		if s.R == nil || s.S == nil || !ecdsa.Verify(pub, s.Hash, s.R, s.S) {
			return Nonces{}, fmt.Errorf("signature %d: %w", i, ErrSignature)
		}
	}
	k := &key{pub: pub, n: pub.Params().N}
	eqs := make([]equation, len(sigs))
	for i, s := range sigs {
		eqs[i] = k.equation(s)
	}
	out := Nonces{Repeated: repeated(sigs)}
	out.Related = k.related(eqs)
	if out.Sound() {
		out.Short = k.short(eqs)
	}
	return out, nil
}

func repeated(sigs []Signature) []int {
	seen := map[string]bool{}
	var out []int
	for i, s := range sigs {
		key := string(s.R.Bytes())
		if seen[key] {
			out = append(out, i)
		}
		seen[key] = true
	}
	return out
}

// equation is what a signature says of its nonce: nonce = a + t*d modulo the group's order, where d is
// the private key.
type equation struct{ a, t *big.Int }

type key struct {
	pub *ecdsa.PublicKey
	n   *big.Int
}

func (k *key) equation(s Signature) equation {
	h := new(big.Int).SetBytes(s.Hash)
	if extra := len(s.Hash)*8 - k.n.BitLen(); extra > 0 {
		h.Rsh(h, uint(extra))
	}
	inv := new(big.Int).ModInverse(s.S, k.n)
	return equation{
		a: h.Mod(h.Mul(h, inv), k.n),
		t: new(big.Int).Mod(new(big.Int).Mul(s.R, inv), k.n),
	}
}

// related tries whether each nonce follows from the one before by a known weak generator.
func (k *key) related(eqs []equation) string {
	ways := []struct {
		name  string
		mul   int64
		added int64
	}{
		{"each is the one before plus 1", 1, 1}, {"each is the one before minus 1", 1, -1},
		{"each is the one before plus 2", 1, 2}, {"each is twice the one before", 2, 0},
		{"each is the one before shifted, plus 1", 2, 1}, {"each is the negative of the one before", -1, 0},
	}
	for i := 1; i < len(eqs); i++ {
		for _, w := range ways {
			if k.follows(eqs[i-1], eqs[i], w.mul, w.added) {
				return w.name
			}
		}
	}
	return ""
}

// follows: if x.nonce*mul + added = y.nonce, the two equations give d.
func (k *key) follows(x, y equation, mul, added int64) bool {
	m := big.NewInt(mul)
	// (a_x + t_x d) m + c = a_y + t_y d  =>  d = (a_y - a_x m - c) / (t_x m - t_y)
	num := new(big.Int).Sub(y.a, new(big.Int).Mul(x.a, m))
	num.Sub(num, big.NewInt(added))
	den := new(big.Int).Sub(new(big.Int).Mul(x.t, m), y.t)
	inv := den.ModInverse(den.Mod(den, k.n), k.n)
	if inv == nil {
		return false
	}
	return k.is(num.Mod(num.Mul(num, inv), k.n))
}

// is says that d is the private key.
func (k *key) is(d *big.Int) bool {
	if d.Sign() <= 0 || d.Cmp(k.n) >= 0 {
		return false
	}
	raw := d.FillBytes(make([]byte, (k.n.BitLen()+7)/8))
	priv, err := ecdsa.ParseRawPrivateKey(k.pub.Curve, raw)
	return err == nil && priv.PublicKey.Equal(k.pub)
}
