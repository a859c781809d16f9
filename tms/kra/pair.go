package kra

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"

	"tokenwright/tms/connector"
)

// pair is a key pair in the forms that are archived and sent. It prints as nothing secret.
type pair struct {
	kind  connector.KeyType
	bits  int
	spki  []byte
	pkcs8 []byte // secret
}

// String tells what the key is.
func (p *pair) String() string { return fmt.Sprintf("%s-%d key pair", p.kind, p.bits) }

// Format prints the same as String for every verb.
func (p *pair) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.String())) }

// wipe overwrites the private key.
func (p *pair) wipe() {
	if p != nil {
		clear(p.pkcs8)
	}
}

// makeRSA gives what makes RSA key pairs of the keys that generate gives; nil stands for the standard
// library, with the machine's randomness: it takes no other.
func makeRSA(generate func(bits int) (*rsa.PrivateKey, error)) func(bits int) (*pair, error) {
	if generate == nil {
		generate = func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	return func(bits int) (*pair, error) {
		key, err := generate(bits)
		if err != nil {
			return nil, fmt.Errorf("generating an RSA key: %w", err)
		}
		defer wipeRSA(key)
		return newPair(connector.KeyRSA, bits, key, &key.PublicKey)
	}
}

// makeEC makes an EC key pair, likewise.
func makeEC(bits int) (*pair, error) {
	curve := map[int]elliptic.Curve{
		256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521(),
	}[bits]
	if curve == nil {
		return nil, fmt.Errorf("generating an EC key: no curve of %d bits", bits)
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating an EC key: %w", err)
	}
	defer wipeInts(key.D) //nolint:staticcheck // it is overwritten, not used
	return newPair(connector.KeyEC, bits, key, &key.PublicKey)
}

func newPair(kind connector.KeyType, bits int, private crypto.PrivateKey, public crypto.PublicKey) (
	*pair, error,
) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return &pair{kind: kind, bits: bits, spki: spki, pkcs8: pkcs8}, nil
}

// wipeRSA overwrites what can be reached of a key that is not used again.
func wipeRSA(k *rsa.PrivateKey) {
	wipeInts(k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv)
	wipeInts(k.Primes...)
}

func wipeInts(ints ...*big.Int) {
	for _, n := range ints {
		if n != nil {
			clear(n.Bits())
		}
	}
}
