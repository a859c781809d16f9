package pubkey

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "crypto/sha1" // for crypto.Hash
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
)

// curve is one of the NIST curves, by the number of bits of its field.
type curve struct {
	bits int
	ecdh ecdh.Curve
	dsa  elliptic.Curve
}

var curves = []curve{
	{256, ecdh.P256(), elliptic.P256()},
	{384, ecdh.P384(), elliptic.P384()},
	{521, ecdh.P521(), elliptic.P521()},
}

func curveOf(bits int) (curve, error) {
	for _, c := range curves {
		if c.bits == bits {
			return c, nil
		}
	}
	return curve{}, fmt.Errorf("elliptic curve of %d bits: %w", bits, ErrSize)
}

// ECSize reports whether there is a curve over a field of that many bits: 256, 384 and 521.
func ECSize(bits int) bool {
	_, err := curveOf(bits)
	return err == nil
}

func (c curve) size() int { return (c.bits + 7) / 8 }

// GenerateEC makes the scalar of a private key. All randomness is read from random.
func GenerateEC(random io.Reader, bits int) ([]byte, error) {
	c, err := curveOf(bits)
	if err != nil {
		return nil, err
	}
	d := make([]byte, c.size())
	for {
		if _, err := io.ReadFull(random, d); err != nil {
			return nil, fmt.Errorf("making an EC key: %w", err)
		}
		d[0] &= 0xFF >> (8*len(d) - c.bits)
		if _, err := c.ecdh.NewPrivateKey(d); err == nil {
			return d, nil
		}
	}
}

// EC is a private key on a NIST curve. It is safe for concurrent use.
type EC struct {
	curve curve
	dh    *ecdh.PrivateKey
	dsa   *ecdsa.PrivateKey
}

// NewEC makes a key of its scalar, which has the length of the curve's field in bytes.
func NewEC(bits int, scalar []byte) (*EC, error) {
	c, err := curveOf(bits)
	if err != nil {
		return nil, err
	}
	dh, err := c.ecdh.NewPrivateKey(scalar)
	if err != nil {
		return nil, fmt.Errorf("scalar of %d bytes: %w", len(scalar), ErrNumber)
	}
	dsa, err := ecdsa.ParseRawPrivateKey(c.dsa, scalar)
	if err != nil {
		return nil, fmt.Errorf("scalar of %d bytes: %w", len(scalar), ErrNumber)
	}
	return &EC{c, dh, dsa}, nil
}

// Point gives the public key, uncompressed: 04, X, Y (SEC 1 §2.3.3).
func (k *EC) Point() []byte { return k.dh.PublicKey().Bytes() }

// CheckPoint reports whether b is an uncompressed point of the curve of that size.
func CheckPoint(bits int, b []byte) error {
	c, err := curveOf(bits)
	if err != nil {
		return err
	}
	if _, err := c.ecdh.NewPublicKey(b); err != nil {
		return fmt.Errorf("point of %d bytes: %w", len(b), ErrPoint)
	}
	return nil
}

// MaxDigest is the length in bytes of the longest digest that Sign takes.
const MaxDigest = 64

// Sign signs a digest of 1 to MaxDigest bytes, of any hash function, and gives the signature in DER
// (RFC 3279 §2.2.3). The nonce follows from key and digest (RFC 6979), with the hash function of the
// size to which the digest is filled up.
func (k *EC) Sign(digest []byte) ([]byte, error) {
	if len(digest) == 0 || len(digest) > MaxDigest {
		return nil, fmt.Errorf("digest of %d bytes: %w", len(digest), ErrRange)
	}
	// ECDSA takes the leftmost bits of a digest that is longer than the order, and the number that
	// a shorter one stands for: zeros in front of that one change nothing.
	digest = digest[:min(len(digest), k.curve.size())]
	for _, h := range []crypto.Hash{
		crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512,
	} {
		if n := h.Size(); n >= len(digest) {
			filled := make([]byte, n)
			copy(filled[n-len(digest):], digest)
			return k.dsa.Sign(nil, filled, h)
		}
	}
	return nil, fmt.Errorf("digest of %d bytes: %w", len(digest), ErrRange)
}

// SignRaw is Sign with r and s, each as long as the field, in place of the DER.
func (k *EC) SignRaw(digest []byte) ([]byte, error) {
	der, err := k.Sign(digest)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, fmt.Errorf("own signature: %w", err)
	}
	n := k.curve.size()
	out := make([]byte, 2*n)
	sig.R.FillBytes(out[:n])
	sig.S.FillBytes(out[n:])
	return out, nil
}

// Agree gives the secret shared with the holder of an uncompressed point: the X coordinate, as long
// as the field (SEC 1 §3.3.1).
func (k *EC) Agree(point []byte) ([]byte, error) {
	other, err := k.curve.ecdh.NewPublicKey(point)
	if err != nil {
		return nil, fmt.Errorf("point of %d bytes: %w", len(point), ErrPoint)
	}
	return k.dh.ECDH(other)
}
