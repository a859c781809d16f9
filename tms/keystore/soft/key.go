package soft

import (
	"crypto"
	"fmt"
	"io"
	"log/slog"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

// key is a symmetric key by operation. It has no method that gives its bytes.
type key struct {
	name string
	k    keys.Key
}

var _ keystore.Key = key{}

// Name is the key's name in its file.
func (k key) Name() string { return k.name }

// Algorithm is the key's cipher.
func (k key) Algorithm() keys.Algorithm { return k.k.Algorithm() }

// Len is the key's length in bytes.
func (k key) Len() int { return k.k.Len() }

func (k key) describe() string { return fmt.Sprintf("%q %v", k.name, k.k) }

// String gives the name and what kind of key it is.
func (k key) String() string { return k.describe() }

// Format prints the same as String for every verb.
func (k key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.describe()) }

// MarshalText gives the form of String.
func (k key) MarshalText() ([]byte, error) { return []byte(k.describe()), nil }

// LogValue gives the form of String.
func (k key) LogValue() slog.Value { return slog.StringValue(k.describe()) }

func (k key) named(err error) error {
	if err != nil {
		return fmt.Errorf("key %q: %w", k.name, err)
	}
	return nil
}

// EncryptECB encrypts whole blocks one by one.
func (k key) EncryptECB(src []byte) ([]byte, error) {
	b, err := k.k.EncryptECB(src)
	return b, k.named(err)
}

// DecryptECB decrypts whole blocks one by one.
func (k key) DecryptECB(src []byte) ([]byte, error) {
	b, err := k.k.DecryptECB(src)
	return b, k.named(err)
}

// EncryptCBC encrypts whole blocks chained from iv.
func (k key) EncryptCBC(iv, src []byte) ([]byte, error) {
	b, err := k.k.EncryptCBC(iv, src)
	return b, k.named(err)
}

// DecryptCBC decrypts whole blocks chained from iv.
func (k key) DecryptCBC(iv, src []byte) ([]byte, error) {
	b, err := k.k.DecryptCBC(iv, src)
	return b, k.named(err)
}

// CMAC gives the AES-CMAC of msg.
func (k key) CMAC(msg []byte) ([]byte, error) {
	b, err := k.k.CMAC(msg)
	return b, k.named(err)
}

// HMACSHA256 gives the HMAC of msg.
func (k key) HMACSHA256(msg []byte) ([]byte, error) {
	b, err := k.k.HMACSHA256(msg)
	return b, k.named(err)
}

// WrapUnder encrypts this key's bytes under w.
func (k key) WrapUnder(w keystore.Wrapper, m keystore.Mode) ([]byte, error) {
	b, err := keystore.Wrap(k.k, w, m)
	return b, k.named(err)
}

// Unwrap decrypts a key that was wrapped under this one.
func (k key) Unwrap(m keystore.Mode, alg keys.Algorithm, length int, wrapped []byte,
) (keys.Key, error) {
	out, err := keystore.UnwrapBytes(k.k, k.k.Algorithm(), m, alg, length, wrapped)
	return out, k.named(err)
}

// DeriveECB makes a key of data encrypted under this one.
func (k key) DeriveECB(alg keys.Algorithm, data []byte) (keys.Key, error) {
	b, err := k.k.EncryptECB(data)
	if err != nil {
		return keys.Key{}, k.named(err)
	}
	defer clear(b)
	out, err := keys.New(alg, b)
	return out, k.named(err)
}

// privateKey signs and shows no private key.
type privateKey struct {
	name string
	s    *crypto.Signer // two steps away from the key, where fmt does not follow
}

func (p privateKey) describe() string { return fmt.Sprintf("%q [private key, redacted]", p.name) }

// Public gives the public key.
func (p privateKey) Public() crypto.PublicKey { return (*p.s).Public() }

// Sign signs a digest as crypto.Signer says.
func (p privateKey) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	b, err := (*p.s).Sign(random, digest, o)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", p.name, err)
	}
	return b, nil
}

// String gives the name.
func (p privateKey) String() string { return p.describe() }

// Format prints the same as String for every verb.
func (p privateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.describe()) }

// MarshalText gives the form of String.
func (p privateKey) MarshalText() ([]byte, error) { return []byte(p.describe()), nil }

// rsaKey decrypts too.
type rsaKey struct{ privateKey }

var _ crypto.Decrypter = rsaKey{}

// Format prints the same as String for every verb.
func (r rsaKey) Format(f fmt.State, v rune) { r.privateKey.Format(f, v) }

// Decrypt decrypts as crypto.Decrypter says.
func (r rsaKey) Decrypt(random io.Reader, msg []byte, o crypto.DecrypterOpts) ([]byte, error) {
	d, ok := (*r.s).(crypto.Decrypter)
	if !ok {
		return nil, fmt.Errorf("key %q: %w", r.name, keystore.ErrKind)
	}
	b, err := d.Decrypt(random, msg, o)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", r.name, err)
	}
	return b, nil
}

func (e *entry) asKey() (keystore.Key, error) {
	if e.private != nil {
		return nil, fmt.Errorf("%w: %q is %s", keystore.ErrKind, e.name, e.spec)
	}
	return key{name: e.name, k: e.key}, nil
}

func (e *entry) asSigner() (crypto.Signer, error) {
	if e.private == nil {
		return nil, fmt.Errorf("%w: %q is %s", keystore.ErrKind, e.name, e.spec)
	}
	s := crypto.Signer(e.private)
	p := privateKey{name: e.name, s: &s}
	if _, ok := e.private.(crypto.Decrypter); ok {
		return rsaKey{p}, nil
	}
	return p, nil
}
