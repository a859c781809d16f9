package keywrap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"
	"io"
)

// WrapAESCBC encrypts 1 to MaxPlain bytes by AES-CBC under a key of 16, 24 or 32 bytes, padded to
// whole blocks (PKCS #7, RFC 5652 §6.3). The IV is zero: the key must be one that is used once.
func WrapAESCBC(key, plain []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("aes-cbc wrap: %w", err)
	}
	return cbc(block, make([]byte, aes.BlockSize), plain)
}

// WrapDES3CBC encrypts 1 to MaxPlain bytes by triple DES in CBC under a key of 16 (K1‖K2) or 24
// bytes, padded to whole blocks. It draws the IV, 8 bytes, from random.
func WrapDES3CBC(random io.Reader, key, plain []byte) (wrapped, iv []byte, err error) {
	if len(key) != 16 && len(key) != 24 {
		return nil, nil, fmt.Errorf("3des-cbc wrap: key of %d bytes, want 16 or 24", len(key))
	}
	full := make([]byte, 24)
	defer clear(full)
	copy(full, key)
	copy(full[len(key):], key)
	block, err := des.NewTripleDESCipher(full)
	if err != nil {
		return nil, nil, fmt.Errorf("3des-cbc wrap: %w", err)
	}
	iv = make([]byte, des.BlockSize)
	if _, err := io.ReadFull(random, iv); err != nil {
		return nil, nil, fmt.Errorf("3des-cbc wrap: initial vector: %w", err)
	}
	wrapped, err = cbc(block, iv, plain)
	return wrapped, iv, err
}

func cbc(block cipher.Block, iv, plain []byte) ([]byte, error) {
	if len(plain) == 0 || len(plain) > MaxPlain {
		return nil, fmt.Errorf("cbc wrap: %w: %d bytes", ErrLength, len(plain))
	}
	n := block.BlockSize() - len(plain)%block.BlockSize()
	out := make([]byte, len(plain)+n)
	copy(out[copy(out, plain):], bytes.Repeat([]byte{byte(n)}, n))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out, nil
}
