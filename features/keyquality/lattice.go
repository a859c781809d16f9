package keyquality

import "math/big"

// reduce makes the rows short and nearly orthogonal: LLL with delta 0.99 (Lenstra, Lenstra and
// Lovasz 1982; Cohen, A Course in Computational Algebraic Number Theory, 2.6.1). The rows are exact;
// their orthogonalisation has twice the precision of the longest entry, and is made anew for each
// row that is looked at, so that no error gathers.
func reduce(rows [][]*big.Int) {
	l := newLattice(rows)
	for k := 1; k < len(rows); {
		l.orthogonalise(k)
		for j := k - 1; j >= 0; j-- {
			l.sizeReduce(k, j)
		}
		if l.good(k) {
			k++
			continue
		}
		rows[k], rows[k-1] = rows[k-1], rows[k]
		if k > 1 {
			k--
		}
		l.orthogonalise(k - 1)
	}
}

type lattice struct {
	rows [][]*big.Int
	prec uint
	mu   [][]*big.Float // of row i along the orthogonal part of row j
	norm []*big.Float   // squared length of the orthogonal part of row i
	r    []*big.Float   // scratch
}

func newLattice(rows [][]*big.Int) *lattice {
	longest := 0
	for _, row := range rows {
		for _, x := range row {
			longest = max(longest, x.BitLen())
		}
	}
	l := &lattice{rows: rows, prec: uint(4*longest + 64)}
	l.mu = make([][]*big.Float, len(rows))
	l.norm = make([]*big.Float, len(rows))
	l.r = make([]*big.Float, len(rows))
	for i := range rows {
		l.norm[i], l.r[i] = l.float(), l.float()
		l.mu[i] = make([]*big.Float, len(rows))
		for j := range rows {
			l.mu[i][j] = l.float()
		}
	}
	l.orthogonalise(0)
	return l
}

func (l *lattice) float() *big.Float { return new(big.Float).SetPrec(l.prec) }

// orthogonalise works out row k of mu and norm, those before it being right (Cholesky on the exact
// inner products).
func (l *lattice) orthogonalise(k int) {
	t := l.float()
	for j := 0; j <= k; j++ {
		l.r[j].SetInt(dot(l.rows[k], l.rows[j]))
		for i := range j {
			l.r[j].Sub(l.r[j], t.Mul(l.mu[j][i], l.r[i]))
		}
		if j < k {
			l.mu[k][j].Quo(l.r[j], l.norm[j])
		}
	}
	l.norm[k].Set(l.r[k])
}

// sizeReduce takes from row k as much of row j as fits.
func (l *lattice) sizeReduce(k, j int) {
	q := round(l.mu[k][j])
	if q.Sign() == 0 {
		return
	}
	var t big.Int
	for i, x := range l.rows[k] {
		x.Sub(x, t.Mul(q, l.rows[j][i]))
	}
	f, g := l.float().SetInt(q), l.float()
	l.mu[k][j].Sub(l.mu[k][j], f)
	for i := range j {
		l.mu[k][i].Sub(l.mu[k][i], g.Mul(f, l.mu[j][i]))
	}
}

// good is Lovasz's condition between rows k-1 and k.
func (l *lattice) good(k int) bool {
	m := l.mu[k][k-1]
	bound := l.float().Sub(big.NewFloat(0.99), l.float().Mul(m, m))
	return l.norm[k].Cmp(bound.Mul(bound, l.norm[k-1])) >= 0
}

func dot(a, b []*big.Int) *big.Int {
	sum, t := new(big.Int), new(big.Int)
	for i := range a {
		sum.Add(sum, t.Mul(a[i], b[i]))
	}
	return sum
}

func round(f *big.Float) *big.Int {
	half := big.NewFloat(0.5)
	if f.Sign() < 0 {
		half.Neg(half)
	}
	q, _ := new(big.Float).SetPrec(f.Prec()).Add(f, half).Int(nil)
	return q
}
