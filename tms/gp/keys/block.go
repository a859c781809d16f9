package keys

import (
	"crypto/cipher"
	"fmt"
)

// check gives the block length when src is a whole number of blocks and iv, unless nil, is one.
func (k Key) check(op string, iv, src []byte) (int, error) {
	if k.IsZero() {
		return 0, fmt.Errorf("%s: %w", op, ErrNoKey)
	}
	n := k.mat().block.BlockSize()
	if len(src)%n != 0 {
		return 0, fmt.Errorf("%s: %d bytes, blocks of %d: %w", op, len(src), n, ErrLength)
	}
	if iv != nil && len(iv) != n {
		return 0, fmt.Errorf("%s: initial vector of %d bytes, want %d: %w", op, len(iv), n, ErrLength)
	}
	return n, nil
}

// EncryptECB encrypts whole blocks one by one into a new slice.
func (k Key) EncryptECB(src []byte) ([]byte, error) {
	n, err := k.check("ecb encryption", nil, src)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, len(src))
	for i := 0; i < len(src); i += n {
		k.mat().block.Encrypt(dst[i:i+n], src[i:i+n])
	}
	return dst, nil
}

// DecryptECB decrypts whole blocks one by one into a new slice.
func (k Key) DecryptECB(src []byte) ([]byte, error) {
	n, err := k.check("ecb decryption", nil, src)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, len(src))
	for i := 0; i < len(src); i += n {
		k.mat().block.Decrypt(dst[i:i+n], src[i:i+n])
	}
	return dst, nil
}

// EncryptCBC encrypts whole blocks, chained from iv, into a new slice. A nil iv is a block of 00.
func (k Key) EncryptCBC(iv, src []byte) ([]byte, error) {
	n, err := k.check("cbc encryption", iv, src)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, len(src))
	if iv == nil {
		iv = make([]byte, n)
	}
	cipher.NewCBCEncrypter(k.mat().block, iv).CryptBlocks(dst, src)
	return dst, nil
}

// DecryptCBC decrypts whole blocks, chained from iv, into a new slice. A nil iv is a block of 00.
func (k Key) DecryptCBC(iv, src []byte) ([]byte, error) {
	n, err := k.check("cbc decryption", iv, src)
	if err != nil {
		return nil, err
	}
	dst := make([]byte, len(src))
	if iv == nil {
		iv = make([]byte, n)
	}
	cipher.NewCBCDecrypter(k.mat().block, iv).CryptBlocks(dst, src)
	return dst, nil
}
