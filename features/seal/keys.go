package seal

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// leastRSA is the least size of an RSA key in bits.
const leastRSA = 2048

const maxKey = 1 << 16 // bytes of a key file

// Signer opens a private key: a file with PEM ("PRIVATE KEY", PKCS #8, not encrypted), or, by a URI
// that begins with "pkcs11:", a key on a token (RFC 7512). Close it when done.
//
// The URI names object or id, token where there are several, module-path, and pin-source, a file
// that holds the PIN. A PIN in the URI itself is refused: others can read command lines.
func Signer(where string) (crypto.Signer, func() error, error) {
	if strings.HasPrefix(where, scheme) {
		u, err := parseURI(where)
		if err != nil {
			return nil, nil, err
		}
		return openToken(u)
	}
	key, err := fileSigner(where)
	return key, func() error { return nil }, err
}

func fileSigner(path string) (crypto.Signer, error) {
	block, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	if block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s holds %q, want an unencrypted PKCS #8 \"PRIVATE KEY\"", path, block.Type)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: no private key", path) // the cause could quote it
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: keys of type %T sign nothing", path, key)
	}
	if k, ok := key.(*rsa.PrivateKey); ok && k.N.BitLen() < leastRSA {
		return nil, fmt.Errorf("%s: RSA key of %d bits, at least %d", path, k.N.BitLen(), leastRSA)
	}
	return signer, nil
}

// PublicKey reads the key that a seal is verified by: PEM with "PUBLIC KEY" or "CERTIFICATE". Of a
// certificate only the key counts; whose it is, and until when, is the reader's to judge.
func PublicKey(path string) (crypto.PublicKey, error) {
	block, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("%s holds %q, want PUBLIC KEY or CERTIFICATE", path, block.Type)
}

func readPEM(path string) (*pem.Block, error) {
	b, err := read(path, maxKey)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New(path + ": no PEM")
	}
	return block, nil
}
