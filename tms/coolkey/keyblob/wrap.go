package keyblob

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"crypto/subtle"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/keys"
)

// ErrWrap means that wrapped data are not what the key was used on.
var ErrWrap = errors.New("key blob: wrapped data are damaged, or the key is another one")

// maxPair bounds a private key in bytes: PKCS #8 of RSA 4096 takes less than 2,400.
const maxPair = 4096

// WrapPair encrypts a PKCS #8 private key under the session key that IMPORT KEY ENCRYPTED brings,
// as its algorithm asks: AlgorithmDES and AlgorithmDESKCV are 3DES-CBC from an IV of 8 bytes with
// PKCS #5 padding; AlgorithmAESKWP is RFC 5649 and AlgorithmAESCBC AES-CBC from a zero IV with
// PKCS #7 padding, both whatever the IV says.
func WrapPair(algorithm byte, key keys.Key, iv, pkcs8 []byte) ([]byte, error) {
	if len(pkcs8) == 0 || len(pkcs8) > maxPair {
		return nil, fmt.Errorf("%w: private key of %d bytes", ErrKey, len(pkcs8))
	}
	if err := suits(algorithm, key); err != nil {
		return nil, err
	}
	switch algorithm {
	case coolkey.AlgorithmAESKWP:
		return kwpWrap(key, pkcs8)
	case coolkey.AlgorithmAESCBC:
		return key.EncryptCBC(zeroIV[:], pad(pkcs8, aes.BlockSize))
	default:
		return key.EncryptCBC(iv, pad(pkcs8, des.BlockSize))
	}
}

// UnwrapPair undoes WrapPair as the applet does. Of 3DES-CBC the padding is left on: whoever reads
// the DER finds its end. The other two fail with ErrWrap when the data are not what was wrapped.
func UnwrapPair(algorithm byte, key keys.Key, iv, wrapped []byte) ([]byte, error) {
	if err := suits(algorithm, key); err != nil {
		return nil, err
	}
	switch algorithm {
	case coolkey.AlgorithmAESKWP:
		return kwpUnwrap(key, wrapped)
	case coolkey.AlgorithmAESCBC:
		b, err := key.DecryptCBC(zeroIV[:], wrapped)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWrap, err)
		}
		return unpad(b)
	default:
		return key.DecryptCBC(iv, wrapped)
	}
}

// CheckValue is the key check value of a session key in IMPORT KEY ENCRYPTED, 3 bytes: of zero
// bytes under 3DES, of bytes 01 under AES.
func CheckValue(key keys.Key) []byte {
	kcv := key.KCV()
	return kcv[:]
}

var zeroIV [aes.BlockSize]byte

func suits(algorithm byte, key keys.Key) error {
	want := keys.DES3
	switch algorithm {
	case coolkey.AlgorithmAESKWP, coolkey.AlgorithmAESCBC:
		want = keys.AES
	case coolkey.AlgorithmDES, coolkey.AlgorithmDESKCV:
	default:
		return fmt.Errorf("%w: algorithm %02X", ErrForm, algorithm)
	}
	if key.IsZero() || key.Algorithm() != want {
		return fmt.Errorf("%w: algorithm %02X wants a key for %v", ErrKey, algorithm, want)
	}
	return nil
}

// pad adds 1 to size bytes that each hold their number (PKCS #7, RFC 5652 §6.3).
func pad(b []byte, size int) []byte {
	n := size - len(b)%size
	return append(b[:len(b):len(b)], bytes.Repeat([]byte{byte(n)}, n)...)
}

// unpad looks at every byte of the last block whatever it finds, and says nothing of where the
// padding fails.
func unpad(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, ErrWrap
	}
	n := int(b[len(b)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i := range aes.BlockSize {
		in := subtle.ConstantTimeLessOrEq(i+1, n)
		same := subtle.ConstantTimeByteEq(b[len(b)-1-i], byte(n))
		good &= 1 ^ in | same
	}
	if good != 1 {
		return nil, ErrWrap
	}
	return b[:len(b)-n], nil
}
