package lot

import (
	"fmt"
	"math/big"

	"tokenwright/features/keyquality"
)

// leastOdds is the probability below which a batch's top bytes are taken for the work of primes from too
// narrow a range: one sound lot in a million is wrongly accused.
const leastOdds = 1e-6

// Keys tells what is wrong with the RSA keys that the cards of a sample made: a line for each finding,
// naming the card. Nothing wrong gives no line.
func Keys(cards []Card) ([]string, error) {
	var moduli []*big.Int
	var of []string
	for _, c := range cards {
		for _, text := range c.Moduli {
			n, ok := new(big.Int).SetString(text, 16)
			if !ok || n.Sign() <= 0 || n.BitLen() > 16384 {
				return nil, fmt.Errorf("card %s: %.20q is no modulus", c.CUID, text)
			}
			moduli, of = append(moduli, n), append(of, c.CUID)
		}
	}
	var out []string
	for _, i := range keyquality.Repeated(moduli) {
		out = append(out, fmt.Sprintf("card %s: a modulus that another key has too", of[i]))
	}
	for _, i := range keyquality.Shared(moduli) {
		out = append(out, fmt.Sprintf("card %s: a modulus that shares a prime with another key", of[i]))
	}
	for i, n := range moduli {
		if keyquality.ROCA(n) {
			out = append(out, fmt.Sprintf("card %s: a modulus with the fingerprint of ROCA", of[i]))
		}
	}
	if p, rule, ok := keyquality.TopBytes(moduli); ok && p < leastOdds {
		out = append(out, fmt.Sprintf("all cards: primes from too narrow a range (the odds are %.1e at best, "+
			"by the rule %q)", p, rule))
	}
	return out, nil
}
