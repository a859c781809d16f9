// Package keyquality looks at the public keys and signatures of a batch of cards for the marks of bad
// randomness: moduli that share a prime, the fingerprint of the ROCA library (CVE-2017-15361), primes
// chosen from too narrow a range, and ECDSA nonces that repeat, follow from one another or are short.
//
// It owns mathematics on public values. It must not know cards, readers, lots or reports, and it never
// needs a private key: where a nonce gives one away, the finding says so and does not name it.
package keyquality
