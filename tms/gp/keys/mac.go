package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"fmt"
)

// CMAC gives the 16-byte AES-CMAC of msg (RFC 4493, NIST SP 800-38B). DES3 keys give
// ErrAlgorithm: no GlobalPlatform protocol uses TDES-CMAC.
func (k Key) CMAC(msg []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("cmac: %w", ErrNoKey)
	}
	if k.mat().alg != AES {
		return nil, fmt.Errorf("cmac: %v: %w", k.mat().alg, ErrAlgorithm)
	}
	out := make([]byte, aes.BlockSize)
	k.mat().aesCMAC(out, msg)
	return out, nil
}

// aesCMAC writes the CMAC of msg to out, which holds one block.
func (m *material) aesCMAC(out, msg []byte) {
	clear(out)
	for len(msg) > aes.BlockSize {
		subtle.XORBytes(out, out, msg[:aes.BlockSize])
		m.block.Encrypt(out, out)
		msg = msg[aes.BlockSize:]
	}
	subtle.XORBytes(out, out, msg)
	if len(msg) == aes.BlockSize {
		subtle.XORBytes(out, out, m.k1[:])
	} else {
		out[len(msg)] ^= 0x80
		subtle.XORBytes(out, out, m.k2[:])
	}
	m.block.Encrypt(out, out)
}

// subkeys derives K1 and K2 (RFC 4493 §2.3).
func subkeys(b cipher.Block) (k1, k2 [aes.BlockSize]byte) {
	b.Encrypt(k1[:], k1[:])
	double(&k1)
	k2 = k1
	double(&k2)
	return k1, k2
}

// double multiplies by x in GF(2^128), in time that does not depend on the value.
func double(b *[aes.BlockSize]byte) {
	carry := b[0] >> 7
	for i := range aes.BlockSize - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[aes.BlockSize-1] = b[aes.BlockSize-1]<<1 ^ 0x87*carry
}

// FullMAC gives the 8-byte full triple DES MAC of msg, padded with 80 00.. to a whole number of
// blocks (GPCS 2.3.1 §B.1.2.1). AES keys give ErrAlgorithm.
func (k Key) FullMAC(icv [8]byte, msg []byte) ([8]byte, error) {
	if err := k.needDES("full triple des mac"); err != nil {
		return [8]byte{}, err
	}
	return desMAC(k.mat().block, k.mat().block, icv, msg), nil
}

// RetailMAC gives the 8-byte MAC of msg by single DES with a final triple DES, padded with 80 00..
// to a whole number of blocks (GPCS 2.3.1 §B.1.2.2, ISO 9797-1 algorithm 3). The key has 16 bytes.
func (k Key) RetailMAC(icv [8]byte, msg []byte) ([8]byte, error) {
	if err := k.needDES("single des plus final triple des mac"); err != nil {
		return [8]byte{}, err
	}
	return desMAC(k.mat().first, k.mat().block, icv, msg), nil
}

// EncryptSingleDES encrypts one block by single DES under the first 8 bytes of the key
// (GPCS 2.3.1 §E.3.4).
func (k Key) EncryptSingleDES(block [8]byte) ([8]byte, error) {
	if err := k.needDES("single des"); err != nil {
		return [8]byte{}, err
	}
	k.mat().first.Encrypt(block[:], block[:])
	return block, nil
}

func (k Key) needDES(op string) error {
	if k.IsZero() {
		return fmt.Errorf("%s: %w", op, ErrNoKey)
	}
	if k.mat().alg != DES3 {
		return fmt.Errorf("%s: %v: %w", op, k.mat().alg, ErrAlgorithm)
	}
	return nil
}

// desMAC chains msg, padded, through step and its last block through last.
func desMAC(step, last cipher.Block, icv [8]byte, msg []byte) [8]byte {
	for len(msg) >= des.BlockSize {
		subtle.XORBytes(icv[:], icv[:], msg[:des.BlockSize])
		step.Encrypt(icv[:], icv[:])
		msg = msg[des.BlockSize:]
	}
	subtle.XORBytes(icv[:], icv[:], msg)
	icv[len(msg)] ^= 0x80
	last.Encrypt(icv[:], icv[:])
	return icv
}
