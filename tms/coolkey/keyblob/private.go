package keyblob

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"tokenwright/tms/coolkey"
)

// NewCRT makes the plain blob of an RSA private key as IMPORT KEY takes it: P, Q, Q^-1 mod P, and
// the two exponents. It is secret.
func NewCRT(key *rsa.PrivateKey) (Blob, error) {
	if err := checkPrivate(key); err != nil {
		return Blob{}, err
	}
	key.Precompute()
	p := key.Precomputed
	data := appendNumber(nil, key.Primes[0].Bytes(), key.Primes[1].Bytes(), p.Qinv.Bytes(),
		p.Dp.Bytes(), p.Dq.Bytes())
	return Blob{Type: coolkey.KeyRSAPrivateCRT, Bits: uint16(key.N.BitLen()), Data: data}, nil
}

// NewPair makes the plain blob of a whole key pair as PKCS #8 PrivateKeyInfo. It is secret.
func NewPair(key crypto.PrivateKey) (Blob, error) {
	der, bits, err := PKCS8(key)
	if err != nil {
		return Blob{}, err
	}
	return Blob{Type: coolkey.KeyPKCS8Pair, Bits: uint16(bits), Data: der}, nil
}

// NewEncryptedPair makes the blob of a key pair of a length in bits that somebody else encrypted:
// what WrapPair gives, or a key recovery authority.
func NewEncryptedPair(bits int, wrapped []byte) Blob {
	return Blob{
		Encoding: Encrypted, Type: coolkey.KeyPKCS8Pair, Bits: uint16(bits), Data: wrapped,
	}
}

// PKCS8 gives the PrivateKeyInfo (RFC 5208) of an *rsa.PrivateKey or *ecdsa.PrivateKey in the form
// that applets read, and the length of the key in bits. An RSA key has two primes. The result is
// secret.
func PKCS8(key crypto.PrivateKey) (der []byte, bits int, err error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if err := checkPrivate(k); err != nil {
			return nil, 0, err
		}
		bits = k.N.BitLen()
	case *ecdsa.PrivateKey:
		bits = k.Params().BitSize
		if _, err := Curve(bits); err != nil {
			return nil, 0, err
		}
	default:
		return nil, 0, fmt.Errorf("%w: %T is neither RSA nor EC", ErrKey, key)
	}
	if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return der, bits, nil
}

func checkPrivate(k *rsa.PrivateKey) error {
	if len(k.Primes) != 2 {
		return fmt.Errorf("%w: RSA key of %d primes", ErrKey, len(k.Primes))
	}
	return checkRSA(&k.PublicKey)
}
