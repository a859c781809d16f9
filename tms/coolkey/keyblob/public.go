package keyblob

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"

	"tokenwright/tms/coolkey"
)

// Bounds of RSA keys in bits: what the builds of the applet make and take.
const (
	minRSA = 1024
	maxRSA = 4096
)

// maxExponent is the largest public exponent: crypto/rsa holds it in 31 bits.
const maxExponent = 1<<31 - 1

// Curve gives the curve that a key length in bits stands for: 256, 384 and 521 are the NIST curves.
// Commands and blobs of the applet name no other parameter.
func Curve(bits int) (elliptic.Curve, error) {
	switch bits {
	case 256:
		return elliptic.P256(), nil
	case 384:
		return elliptic.P384(), nil
	case 521:
		return elliptic.P521(), nil
	default:
		return nil, fmt.Errorf("%w: no curve of %d bits", ErrKey, bits)
	}
}

// NewPublic makes the plain blob of an *rsa.PublicKey or *ecdsa.PublicKey: modulus and exponent, or
// the point in uncompressed form.
func NewPublic(key crypto.PublicKey) (Blob, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(k); err != nil {
			return Blob{}, err
		}
		data := appendNumber(nil, k.N.Bytes(), big.NewInt(int64(k.E)).Bytes())
		return Blob{Type: coolkey.KeyRSAPublic, Bits: uint16(k.N.BitLen()), Data: data}, nil
	case *ecdsa.PublicKey:
		bits := k.Params().BitSize
		if _, err := Curve(bits); err != nil {
			return Blob{}, err
		}
		point, err := k.Bytes()
		if err != nil {
			return Blob{}, fmt.Errorf("%w: %w", ErrKey, err)
		}
		return Blob{
			Type: coolkey.KeyECCPublic, Bits: uint16(bits), Data: appendNumber(nil, point),
		}, nil
	default:
		return Blob{}, fmt.Errorf("%w: %T is neither RSA nor EC", ErrKey, key)
	}
}

// Public reads the key of a plain public blob: an *rsa.PublicKey of 1024 to 4096 bits whose modulus
// has the length that the blob states, or an *ecdsa.PublicKey whose point lies on the curve. Nothing
// may stand behind it.
func (b Blob) Public() (crypto.PublicKey, error) {
	if b.Encoding != Plain {
		return nil, fmt.Errorf("%w: %v public key", ErrForm, b.Encoding)
	}
	switch b.Type {
	case coolkey.KeyRSAPublic:
		return b.rsaPublic()
	case coolkey.KeyECCPublic:
		return b.ecPublic()
	default:
		return nil, fmt.Errorf("%w: %v in place of a public key", ErrForm, b.Type)
	}
}

func (b Blob) rsaPublic() (crypto.PublicKey, error) {
	modulus, rest, err := number(b.Data, "modulus")
	if err != nil {
		return nil, err
	}
	exponent, rest, err := number(rest, "exponent")
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the exponent", ErrForm, len(rest))
	}
	e := new(big.Int).SetBytes(exponent)
	if !e.IsInt64() || e.Int64() > maxExponent {
		return nil, fmt.Errorf("%w: exponent of %d bits", ErrKey, e.BitLen())
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}
	if key.N.BitLen() != int(b.Bits) {
		return nil, fmt.Errorf("%w: modulus of %d bits in a blob of %d", ErrKey, key.N.BitLen(), b.Bits)
	}
	return key, checkRSA(key)
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < minRSA || bits > maxRSA || bits%8 != 0:
		return fmt.Errorf("%w: RSA of %d bits", ErrKey, bits)
	case k.N.Bit(0) == 0:
		return fmt.Errorf("%w: even modulus", ErrKey)
	case k.E < 3 || k.E%2 == 0 || k.E > maxExponent:
		return fmt.Errorf("%w: exponent %d", ErrKey, k.E)
	}
	return nil
}

func (b Blob) ecPublic() (crypto.PublicKey, error) {
	curve, err := Curve(int(b.Bits))
	if err != nil {
		return nil, err
	}
	point, rest, err := number(b.Data, "point")
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the point", ErrForm, len(rest))
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}
