package connector

import (
	"fmt"

	"tokenwright/tms/gp/keys"
)

// SecretKey is the shared secret of a TKS and a TPS by operation. keys.Key is one, and so is a
// key in a key store.
type SecretKey interface {
	Algorithm() keys.Algorithm
	EncryptECB(src []byte) ([]byte, error)
	DecryptECB(src []byte) ([]byte, error)
	EncryptCBC(iv, src []byte) ([]byte, error)
	DecryptCBC(iv, src []byte) ([]byte, error)
}

// SharedSecret protects session keys between a TKS and one TPS, inside the TLS connection.
// With an AES secret a key travels as AES-CBC, zero IV, no padding; with a DES3 one, which only
// installations taken over from an older product have, as DES3-ECB of the same bytes.
type SharedSecret struct{ key SecretKey }

// NewSharedSecret gives a SharedSecret over k.
func NewSharedSecret(k SecretKey) (*SharedSecret, error) {
	if k == nil {
		return nil, fmt.Errorf("shared secret is missing")
	}
	switch k.Algorithm() {
	case keys.AES, keys.DES3:
		return &SharedSecret{key: k}, nil
	default:
		return nil, fmt.Errorf("shared secret is neither AES nor DES3")
	}
}

// Legacy says that the secret is a DES3 key, which is worth a warning and a replacement.
func (s *SharedSecret) Legacy() bool { return s.key.Algorithm() == keys.DES3 }

// Wrap gives key k under the secret: 16 bytes for DES3 (K1‖K2) and AES-128, 32 for AES-256 and
// for AES-192, whose last 8 bytes are zero.
func (s *SharedSecret) Wrap(k keys.Key) ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("wrapping a key that is not there")
	}
	plain := k.Bytes()
	defer clear(plain)
	switch {
	case k.Algorithm() == keys.DES3:
		plain = plain[:wrappedKeyLen]
	case len(plain) == 24:
		plain = append(plain, make([]byte, 8)...)
	}
	if s.Legacy() {
		return s.key.EncryptECB(plain)
	}
	return s.key.EncryptCBC(make([]byte, 16), plain)
}

// Unwrap gives back what Wrap wrapped. DES3 keys may be 16 or 24 bytes (24: the last 8 must
// repeat the first); AES keys 16 or 32, of which bits says how many count (0: all).
func (s *SharedSecret) Unwrap(alg keys.Algorithm, wrapped []byte, bits int) (keys.Key, error) {
	plain, err := s.decrypt(alg, wrapped)
	if err != nil {
		return keys.Key{}, err
	}
	defer clear(plain)
	if alg == keys.DES3 {
		return keys.New(keys.DES3, plain[:wrappedKeyLen])
	}
	if bits == 192 && len(plain) == 32 {
		return keys.New(keys.AES, plain[:24])
	}
	if bits != 0 && bits != 8*len(plain) {
		return keys.Key{}, fmt.Errorf("wrapped key of %d bytes is said to have %d bits",
			len(plain), bits)
	}
	return keys.New(keys.AES, plain)
}

func (s *SharedSecret) decrypt(alg keys.Algorithm, wrapped []byte) ([]byte, error) {
	n := len(wrapped)
	if n != 16 && (n != 24 || alg != keys.DES3) && (n != 32 || alg != keys.AES) {
		return nil, fmt.Errorf("wrapped key has %d bytes", n)
	}
	if s.Legacy() {
		return s.key.DecryptECB(wrapped)
	}
	if n%16 != 0 {
		return nil, fmt.Errorf("wrapped key has %d bytes, no multiple of 16", n)
	}
	return s.key.DecryptCBC(make([]byte, 16), wrapped)
}
