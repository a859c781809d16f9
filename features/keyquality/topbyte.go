package keyquality

import (
	"math"
	"math/big"
)

// A rule by which sound implementations choose primes leaves its mark on the top byte of moduli. The
// batch is held against each rule; where it fits none, the primes come from somewhere narrower.
type rule struct {
	name   string
	lowest float64 // of a prime, as a fraction of 2^(half the modulus's bits)
	share  [256]float64
}

// rules are the two in use: both top bits of a prime are set (PKCS #1 habit), or the prime is at least
// the square root of 1/2 (FIPS 186-5, A.1.3).
var rules = []*rule{
	newRule("two top bits set", 0.75),
	newRule("at least sqrt(1/2)", math.Sqrt2/2),
}

// FewestTopBytes is the number of moduli below which TopBytes says nothing.
const FewestTopBytes = 100

// TopBytes holds the moduli's top bytes against the known ways to choose primes. p is the best
// probability that a sound batch looks as odd as this one, rule the way that gives it. ok is false
// with fewer than FewestTopBytes moduli: too few to judge.
//
// Like every test of chance it is wrong about sound batches, as often as the bound that p is held to.
func TopBytes(moduli []*big.Int) (p float64, name string, ok bool) {
	var counts [256]int
	n := 0
	for _, m := range moduli {
		if m.BitLen() < 16 {
			continue
		}
		counts[new(big.Int).Rsh(m, uint(m.BitLen()-8)).Uint64()]++
		n++
	}
	if n < FewestTopBytes {
		return 0, "", false
	}
	for _, r := range rules {
		if q := r.fit(counts, n); name == "" || q > p {
			p, name = q, r.name
		}
	}
	return p, name, true
}

// fit is the p-value of Pearson's chi-squared test, bytes taken together until at least five of them
// are expected.
func (r *rule) fit(counts [256]int, n int) float64 {
	var chi, expected float64
	observed, groups := 0, 0
	finish := func() {
		d := float64(observed) - expected
		chi += d * d / expected
		groups++
		expected, observed = 0, 0
	}
	for b, share := range r.share {
		if share == 0 && counts[b] > 0 {
			return 0 // no prime chosen by this rule leads here
		}
		expected += share * float64(n)
		observed += counts[b]
		if expected >= 5 {
			finish()
		}
	}
	if expected > 0 {
		finish()
	}
	return chiSquaredTail(chi, float64(groups-1))
}

// newRule works out the share of each top byte of p*q, p and q uniform from lowest to 1.
func newRule(name string, lowest float64) *rule {
	r := &rule{name: name, lowest: lowest}
	total := 0.0
	for b := 128; b < 256; b++ {
		r.share[b] = r.below(float64(b+1)/256) - r.below(float64(b)/256)
		total += r.share[b]
	}
	for b := range r.share {
		if r.share[b] /= total; r.share[b] < 1e-12 {
			r.share[b] = 0
		}
	}
	return r
}

// below is the area of the pairs x, y from lowest to 1 with x*y < z.
func (r *rule) below(z float64) float64 {
	a := r.lowest
	if z <= a*a {
		return 0
	}
	// x up to z leaves all y; beyond, y ends at z/x; x beyond z/a leaves none.
	area, from, to := 0.0, a, math.Min(1, z/a)
	if z > a {
		area, from = (z-a)*(1-a), z
	}
	if to > from {
		area += z*math.Log(to/from) - a*(to-from)
	}
	return area
}

// chiSquaredTail is the probability of at least x with k degrees of freedom: the upper regularised
// incomplete gamma function Q(k/2, x/2), by series or continued fraction (Abramowitz and Stegun 6.5).
func chiSquaredTail(x, k float64) float64 {
	a, x := k/2, x/2
	switch {
	case a <= 0 || x <= 0:
		return 1
	case x < a+1:
		return 1 - lowerSeries(a, x)
	}
	return upperFraction(a, x)
}

const gammaSteps = 10000

func lowerSeries(a, x float64) float64 {
	term := 1 / a
	sum := term
	for n := 1; n < gammaSteps && term > sum*1e-16; n++ {
		term *= x / (a + float64(n))
		sum += term
	}
	lg, _ := math.Lgamma(a)
	return sum * math.Exp(-x+a*math.Log(x)-lg)
}

func upperFraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for n := 1; n < gammaSteps; n++ {
		an := -float64(n) * (float64(n) - a)
		b += 2
		if d = an*d + b; math.Abs(d) < tiny {
			d = tiny
		}
		if c = b + an/c; math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		h *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	lg, _ := math.Lgamma(a)
	return math.Exp(-x+a*math.Log(x)-lg) * h
}
