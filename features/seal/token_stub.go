//go:build !pkcs11 || !cgo

package seal

import (
	"crypto"
	"errors"
)

func openToken(keyURI) (crypto.Signer, func() error, error) {
	return nil, nil, errors.New("no PKCS#11 in this build: it needs cgo and -tags pkcs11")
}
