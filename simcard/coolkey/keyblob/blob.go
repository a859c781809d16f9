package keyblob

import (
	"encoding/binary"

	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// Encodings of a blob.
const (
	Plain     = 0
	Encrypted = 1
)

// HeadLen is the length in bytes of a blob's header: encoding, type, and key size in two.
const HeadLen = 4

// Blob is a key blob. Bits is the size of the key object that it fills, whatever the numbers are.
type Blob struct {
	Encoding byte
	Type     lang.KeyType
	Bits     uint16
	Data     []byte
}

// Parse reads the header. It gives 9C0F for fewer than HeadLen bytes.
func Parse(b []byte) (Blob, error) {
	if len(b) < HeadLen {
		return Blob{}, apdu.SW9C0F
	}
	return Blob{
		Encoding: b[0], Type: lang.KeyType(b[1]), Bits: binary.BigEndian.Uint16(b[2:]),
		Data: b[HeadLen:],
	}, nil
}

// Supported gives 9C17 for types that the applet knows and does not import, 9C18 for all others but
// RSA public, RSA private CRT and PKCS#8 pairs.
func Supported(t lang.KeyType) error {
	switch {
	case t == lang.KeyRSAPublic, t == lang.KeyRSAPrivateCRT, t == lang.KeyPKCS8Pair:
		return nil
	case t == lang.KeyRSAPrivate, t >= 4 && t <= 8:
		return apdu.SW9C17
	}
	return apdu.SW9C18
}

// number takes a number behind its two-byte length off b.
func number(b []byte) (n, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	size := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < size {
		return nil, nil, false
	}
	return b[2 : 2+size], b[2+size:], true
}

// Public reads modulus and exponent of an RSA public key. What is cut short is 9C0F; bytes behind
// the exponent do not matter.
func (b Blob) Public() (modulus, exponent []byte, err error) {
	modulus, rest, ok := number(b.Data)
	if ok {
		exponent, _, ok = number(rest)
	}
	if !ok {
		return nil, nil, apdu.SW9C0F
	}
	return modulus, exponent, nil
}

// Private reads P, Q, Q^-1 mod P, DP and DQ of an RSA private key. What is cut short is 9C0F, but
// 9C1F for DQ.
func (b Blob) Private() (n pubkey.RSANumbers, err error) {
	rest, ok := b.Data, false
	for _, to := range []*[]byte{&n.P, &n.Q, &n.QInv, &n.DP} {
		if *to, rest, ok = number(rest); !ok {
			return pubkey.RSANumbers{}, apdu.SW9C0F
		}
	}
	if n.DQ, _, ok = number(rest); !ok {
		return pubkey.RSANumbers{}, apdu.SW9C1F
	}
	return n, nil
}

// AppendRSA appends the blob of an RSA public key of that many bits.
func AppendRSA(dst []byte, bits uint16, modulus, exponent []byte) []byte {
	dst = appendHead(dst, lang.KeyRSAPublic, bits)
	return appendNumber(appendNumber(dst, modulus), exponent)
}

// AppendEC appends the blob of a public key on the curve of that many bits: an uncompressed point.
func AppendEC(dst []byte, bits uint16, point []byte) []byte {
	return appendNumber(appendHead(dst, lang.KeyECCPublic, bits), point)
}

func appendHead(dst []byte, t lang.KeyType, bits uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, Plain, byte(t)), bits)
}

func appendNumber(dst, n []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(n))), n...)
}
