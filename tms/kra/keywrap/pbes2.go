package keywrap

import (
	"crypto/aes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
)

// Parameters of a private key for a person.
const (
	pbkdf2Iterations = 600_000
	pbkdf2SaltLen    = 16
	pbkdf2KeyLen     = 32
)

// Object identifiers of PBES2. // RFC 8018 §A, RFC 3565
var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// RFC 8018 §A.2 and §A.4, RFC 5958 §3.
type (
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}
	pbes2KDF struct {
		Algorithm asn1.ObjectIdentifier
		Params    pbkdf2Params
	}
	pbes2Cipher struct {
		Algorithm asn1.ObjectIdentifier
		IV        []byte
	}
	pbes2Params struct {
		KDF    pbes2KDF
		Cipher pbes2Cipher
	}
	pbes2 struct {
		Algorithm asn1.ObjectIdentifier
		Params    pbes2Params
	}
	encryptedPrivateKeyInfo struct {
		Algorithm pbes2
		Data      []byte
	}
)

// EncryptPKCS8 gives the EncryptedPrivateKeyInfo of a PKCS #8 private key under a passphrase:
// PBES2 of PBKDF2 with HMAC-SHA-256 and AES-256-CBC. Salt and IV come from random.
func EncryptPKCS8(random io.Reader, passphrase string, plain []byte) ([]byte, error) {
	fresh := make([]byte, pbkdf2SaltLen+aes.BlockSize)
	if _, err := io.ReadFull(random, fresh); err != nil {
		return nil, fmt.Errorf("encrypting a private key: salt: %w", err)
	}
	salt, iv := fresh[:pbkdf2SaltLen], fresh[pbkdf2SaltLen:]
	key, err := pbkdf2.Key(sha256.New, passphrase, salt, pbkdf2Iterations, pbkdf2KeyLen)
	if err != nil {
		return nil, fmt.Errorf("encrypting a private key: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("encrypting a private key: %w", err)
	}
	data, err := cbc(block, iv, plain)
	if err != nil {
		return nil, fmt.Errorf("encrypting a private key: %w", err)
	}
	prf := pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}
	return asn1.Marshal(encryptedPrivateKeyInfo{
		Algorithm: pbes2{Algorithm: oidPBES2, Params: pbes2Params{
			KDF:    pbes2KDF{oidPBKDF2, pbkdf2Params{salt, pbkdf2Iterations, prf}},
			Cipher: pbes2Cipher{oidAES256CBC, iv},
		}},
		Data: data,
	})
}
