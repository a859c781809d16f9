package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"strings"

	"tokenwright/simcard/pubkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/coolkey/keyblob"
)

// keyKind is a kind of key pair.
type keyKind struct {
	name string
	ec   bool
	bits int
}

var keyKinds = []keyKind{
	{"rsa2048", false, 2048}, {"rsa1024", false, 1024},
	{"p256", true, 256}, {"p384", true, 384}, {"p521", true, 521},
}

func keyKindNames() []string {
	var out []string
	for _, k := range keyKinds {
		out = append(out, k.name)
	}
	return out
}

// purpose is what a key pair is for, and how a TPS describes it.
type purpose struct {
	name            string
	public, private content.Fixed
	usage           x509.KeyUsage
	extended        []x509.ExtKeyUsage
}

var (
	signing = purpose{
		name: "signing", public: content.SigningPublic, private: content.SigningPrivate,
		usage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		extended: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth},
	}
	encryption = purpose{
		name: "encryption", public: content.EncryptionPublic, private: content.EncryptionPrivate,
		usage:    x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment,
		extended: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
	agreement = purpose{
		name: "encryption", public: content.AgreementPublic, private: content.AgreementPrivate,
		usage:    x509.KeyUsageKeyAgreement,
		extended: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
	authentication = purpose{
		name: "authentication", public: content.SigningPublic, private: content.SigningPrivate,
		usage:    x509.KeyUsageDigitalSignature,
		extended: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
)

// keySpec is a key pair to make. Its certificate goes to container, its keys to the slots that go
// with it.
type keySpec struct {
	keyKind
	purpose
	container int
}

// maxSpecs is how many pairs of slots a START ENROLLMENT can name, but for the pair that belongs to
// container 0.
const maxSpecs = 7

// keySpecs gives each key its purpose, by order.
func keySpecs(names []string, imported bool) ([]keySpec, error) {
	if len(names) == 0 || len(names) > maxSpecs {
		return nil, fmt.Errorf("%d keys, want 1 to %d", len(names), maxSpecs)
	}
	var out []keySpec
	for i, name := range names {
		kind, err := keyKindOf(name)
		if err != nil {
			return nil, err
		}
		if kind.ec && imported {
			return nil, fmt.Errorf("%s cannot be --imported: applets import RSA keys alone", name)
		}
		spec := keySpec{keyKind: kind, container: i + 1}
		switch {
		case i == 0:
			spec.purpose = signing
		case i == 1 && kind.ec:
			spec.purpose = agreement
		case i == 1:
			spec.purpose = encryption
		default:
			spec.purpose = authentication
		}
		if i > 2 {
			spec.purpose.name = fmt.Sprintf("authentication-%d", i-1)
		}
		out = append(out, spec)
	}
	return out, nil
}

func keyKindOf(name string) (keyKind, error) {
	for _, k := range keyKinds {
		if k.name == name {
			return k, nil
		}
	}
	return keyKind{}, fmt.Errorf("%.20q is not %s", name, strings.Join(keyKindNames(), ", "))
}

// label is how the certificate is called on the token, as TPSs write it.
func (s keySpec) label(user string) string {
	return strings.ReplaceAll(s.purpose.name, "-", " ") + " key for " + user
}

// generate makes a key pair outside the card. The standard library's generators would not follow the
// seed.
func (k keyKind) generate(random io.Reader) (crypto.Signer, error) {
	if k.ec {
		scalar, err := pubkey.GenerateEC(random, k.bits)
		if err != nil {
			return nil, err
		}
		curve, err := keyblob.Curve(k.bits)
		if err != nil {
			return nil, err
		}
		return ecdsa.ParseRawPrivateKey(curve, scalar)
	}
	n, err := pubkey.GenerateRSA(random, k.bits)
	if err != nil {
		return nil, err
	}
	p, q := new(big.Int).SetBytes(n.P), new(big.Int).SetBytes(n.Q)
	e := new(big.Int).SetBytes(n.Exponent)
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}
