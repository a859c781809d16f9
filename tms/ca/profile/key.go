package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"sync"
)

// KeyType is the kind and size of a subject's key.
type KeyType string

// The kinds.
const (
	RSA1024 KeyType = "rsa1024" // for cards that can do no more, where a profile allows it
	RSA2048 KeyType = "rsa2048"
	RSA3072 KeyType = "rsa3072"
	RSA4096 KeyType = "rsa4096"
	P256    KeyType = "p256"
	P384    KeyType = "p384"
	P521    KeyType = "p521"
)

func (k KeyType) known() bool {
	return slices.Contains([]KeyType{RSA1024, RSA2048, RSA3072, RSA4096, P256, P384, P521}, k)
}

func (k KeyType) isRSA() bool { return k[0] == 'r' }

// parseKey reads a subject public key and gives its kind. Keys that cannot be trusted are refused,
// whoever asks: RSA with an exponent other than 65537 or a modulus of the structure by which a
// widespread card library's keys can be factored (CVE-2017-15361), and points off their curve.
func parseKey(spki []byte) (crypto.PublicKey, KeyType, error) {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, "", fmt.Errorf("%w: public key: %w", ErrRequest, err)
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(k); err != nil {
			return nil, "", fmt.Errorf("%w: public key: %w", ErrRequest, err)
		}
		return k, KeyType(fmt.Sprintf("rsa%d", k.N.BitLen())), nil
	case *ecdsa.PublicKey:
		if _, err := k.ECDH(); err != nil {
			return nil, "", fmt.Errorf("%w: public key: %w", ErrRequest, err)
		}
		switch k.Curve {
		case elliptic.P256():
			return k, P256, nil
		case elliptic.P384():
			return k, P384, nil
		case elliptic.P521():
			return k, P521, nil
		}
	}
	return nil, "", fmt.Errorf("%w: public key is of a kind that is not served", ErrRequest)
}

func checkRSA(k *rsa.PublicKey) error {
	if k.E != 65537 {
		return fmt.Errorf("rsa exponent %d, want 65537", k.E)
	}
	if k.N.Bit(0) == 0 {
		return fmt.Errorf("rsa modulus is even")
	}
	fingerprint := true
	for _, s := range subgroups() {
		r := new(big.Int).Mod(k.N, big.NewInt(s.prime)).Int64()
		if r == 0 {
			return fmt.Errorf("rsa modulus has the factor %d", s.prime)
		}
		fingerprint = fingerprint && s.powers[r]
	}
	if fingerprint {
		return fmt.Errorf("rsa modulus is of the kind that can be factored (CVE-2017-15361)")
	}
	return nil
}

// subgroup is the set of powers of 65537 modulo a prime.
type subgroup struct {
	prime  int64
	powers map[int64]bool
}

// subgroups of all odd primes up to 167: moduli of the weak kind are in each of them, others hardly
// ever. // Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, §2.2
var subgroups = sync.OnceValue(func() []subgroup {
	var out []subgroup
	for p := int64(3); p <= 167; p += 2 {
		if !big.NewInt(p).ProbablyPrime(0) {
			continue
		}
		s := subgroup{p, map[int64]bool{}}
		for x := int64(1); !s.powers[x]; x = x * 65537 % p {
			s.powers[x] = true
		}
		out = append(out, s)
	}
	return out
})
