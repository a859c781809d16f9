package content

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"math/big"

	"tokenwright/tms/coolkey"
)

// Curve identifiers in DER, by the length of their keys in bits (RFC 5480 §2.1.1.1).
var curves = []struct {
	bits int
	oid  []byte
}{
	{256, []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}},
	{384, []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}},
	{521, []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23}},
}

// CurveBits gives the length in bits of keys on the curve that CKA_EC_PARAMS names; ok is false for
// a curve that readers of CoolKey tokens do not know.
func CurveBits(params []byte) (bits int, ok bool) {
	for _, c := range curves {
		if bytes.Equal(c.oid, params) {
			return c.bits, true
		}
	}
	return 0, false
}

// PairSlots gives the key slots that go with a container by the convention of TPSs.
func PairSlots(container int) coolkey.SlotPair {
	return coolkey.SlotPair{Private: byte(2 * container), Public: byte(2*container + 1)}
}

// NewCertificate makes the entry of a certificate in DER. CKA_ID is the container, 0 to 15.
func NewCertificate(container int, label string, der []byte) Certificate {
	return Certificate{
		Container: container, Fixed: NewFixed(ClassCertificate, container, Token), Label: label,
		DER: der,
	}
}

// NewPair makes the entries of a key pair that goes with the certificate of the same container. key
// is an *rsa.PublicKey, or an *ecdsa.PublicKey on P-256, P-384 or P-521; public and private are
// boolean attributes such as SigningPublic and SigningPrivate.
func NewPair(container int, slots coolkey.SlotPair, key crypto.PublicKey, public, private Fixed) (
	[]Key, error,
) {
	if err := checkContainer(container); err != nil {
		return nil, err
	}
	pub := Key{Slot: int(slots.Public), Fixed: NewFixed(ClassPublicKey, container, public)}
	priv := Key{Slot: int(slots.Private), Fixed: NewFixed(ClassPrivateKey, container, private)}
	switch k := key.(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		params, point, err := ecParts(k)
		if err != nil {
			return nil, err
		}
		pub.Type, pub.ECParams, pub.ECPoint = EC, params, point
		priv.Type, priv.ECParams = EC, params
	default:
		return nil, fmt.Errorf("%w: %T is neither RSA nor EC", ErrValue, key)
	}
	return []Key{pub, priv}, nil
}

func ecParts(k *ecdsa.PublicKey) (params, point []byte, err error) {
	for _, c := range curves {
		if c.bits == k.Params().BitSize {
			if point, err = k.Bytes(); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", ErrValue, err)
			}
			return c.oid, point, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: curve %s", ErrValue, k.Params().Name)
}

// fill gives a key what its certificate says about it and the key does not.
func (k *Key) fill(key crypto.PublicKey) error {
	switch pub := key.(type) {
	case *rsa.PublicKey:
		k.Type = RSA
		if len(k.Modulus) == 0 {
			k.Modulus = pub.N.Bytes()
		}
		if len(k.PublicExponent) == 0 {
			k.PublicExponent = big.NewInt(int64(pub.E)).Bytes()
		}
		return nil
	case *ecdsa.PublicKey:
		params, point, err := ecParts(pub)
		if err != nil {
			return err
		}
		k.Type = EC
		if len(k.ECParams) == 0 {
			k.ECParams = params
		}
		if len(k.ECPoint) == 0 {
			k.ECPoint = point
		}
		return nil
	default:
		return fmt.Errorf("%w: certificate for a key of type %T", ErrValue, key)
	}
}
