package keyquality

import "math/big"

// Shared are the moduli, by their place in a batch, that have a factor in common with another one.
// Equal moduli are no shared factor; Repeated finds them.
//
// The cost grows little faster than the batch's size (Bernstein's batch gcd): 10,000 moduli of
// 2048 bits take seconds. Moduli that are not positive are passed over.
func Shared(moduli []*big.Int) []int {
	places, distinct := distinct(moduli)
	if len(distinct) < 2 {
		return nil
	}
	tree := products(distinct)
	rest := []*big.Int{new(big.Int).Set(tree[len(tree)-1][0])}
	for level := len(tree) - 1; level >= 0; level-- {
		next := make([]*big.Int, len(tree[level]))
		for i, n := range tree[level] {
			above := rest[0]
			if level < len(tree)-1 {
				above = rest[i/2]
			}
			next[i] = new(big.Int).Mod(above, new(big.Int).Mul(n, n))
		}
		rest = next
	}
	shared := make([]bool, len(distinct))
	one := big.NewInt(1)
	for i, n := range distinct {
		g := new(big.Int).Quo(rest[i], n)
		shared[i] = g.GCD(nil, nil, g, n).Cmp(one) != 0
	}
	var out []int
	for i, p := range places {
		if p >= 0 && shared[p] {
			out = append(out, i)
		}
	}
	return out
}

// Repeated are the moduli, by their place, that came before in the batch.
func Repeated(moduli []*big.Int) []int {
	seen := map[string]bool{}
	var out []int
	for i, n := range moduli {
		if key := string(n.Bytes()); seen[key] {
			out = append(out, i)
		} else {
			seen[key] = true
		}
	}
	return out
}

// distinct gives each different positive modulus once, and for every modulus its place there, or -1.
func distinct(moduli []*big.Int) (places []int, out []*big.Int) {
	at := map[string]int{}
	places = make([]int, len(moduli))
	for i, n := range moduli {
		if n.Sign() <= 0 {
			places[i] = -1
			continue
		}
		key := string(n.Bytes())
		p, ok := at[key]
		if !ok {
			p = len(out)
			at[key] = p
			out = append(out, n)
		}
		places[i] = p
	}
	return places, out
}

// products is the tree of products of neighbours, the moduli first.
func products(moduli []*big.Int) [][]*big.Int {
	tree := [][]*big.Int{moduli}
	for level := moduli; len(level) > 1; {
		next := make([]*big.Int, 0, (len(level)+1)/2)
		for i := 0; i < len(level); i += 2 {
			if i+1 == len(level) {
				next = append(next, level[i])
				break
			}
			next = append(next, new(big.Int).Mul(level[i], level[i+1]))
		}
		tree = append(tree, next)
		level = next
	}
	return tree
}
