package soft

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

// entry is one key of the file, ready for use.
type entry struct {
	name    string
	spec    keystore.Spec
	key     keys.Key // Symmetric.
	private signer   // Asymmetric; nil otherwise.
}

// signer is what RSA and ECDSA private keys have in common.
type signer interface {
	crypto.Signer
	Equal(crypto.PrivateKey) bool
}

// record is the file's form of an entry.
type record struct {
	Name string        `json:"name"`
	Spec keystore.Spec `json:"spec"`
	Data []byte        `json:"data"`
}

type contents struct {
	Keys []record `json:"keys"`
}

func parseEntries(b []byte) (map[string]*entry, error) {
	var c contents
	if err := strictJSON(b, &c); err != nil {
		// No detail: it could quote key material.
		return nil, fmt.Errorf("%w: contents", ErrFormat)
	}
	out := make(map[string]*entry, len(c.Keys))
	for i, r := range c.Keys {
		e, err := r.entry()
		clear(r.Data)
		if err != nil {
			return nil, fmt.Errorf("%w: key %d: %w", ErrFormat, i+1, err)
		}
		if out[e.name] != nil {
			return nil, fmt.Errorf("%w: key %d: %w", ErrFormat, i+1, keystore.ErrExists)
		}
		out[e.name] = e
	}
	return out, nil
}

func (r record) entry() (*entry, error) {
	if err := keystore.CheckName(r.Name); err != nil {
		return nil, err
	}
	e := &entry{name: r.Name, spec: r.Spec}
	if alg, n, ok := r.Spec.Symmetric(); ok {
		if len(r.Data) != n {
			return nil, fmt.Errorf("%s of %d bytes: %w", r.Spec, len(r.Data), keys.ErrKeyLength)
		}
		var err error
		e.key, err = keys.New(alg, r.Data)
		return e, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(r.Data)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", keystore.ErrKind)
	}
	private, ok := parsed.(signer)
	if !ok || specOfPrivate(private) != r.Spec || r.Spec == "" {
		return nil, fmt.Errorf("private key: %w", keystore.ErrKind)
	}
	e.private = private
	return e, nil
}

func printEntries(entries map[string]*entry) ([]byte, error) {
	c := contents{Keys: []record{}}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		r := record{Name: e.name, Spec: e.spec}
		if e.private == nil {
			r.Data = e.key.Bytes()
		} else {
			var err error
			if r.Data, err = x509.MarshalPKCS8PrivateKey(e.private); err != nil {
				return nil, fmt.Errorf("key %q: %w", name, err)
			}
		}
		defer clear(r.Data)
		c.Keys = append(c.Keys, r)
	}
	return json.Marshal(c)
}

// specOfPrivate gives the specification of a private key, "" for one that is not supported.
func specOfPrivate(p crypto.Signer) keystore.Spec {
	switch k := p.(type) {
	case *rsa.PrivateKey:
		switch k.N.BitLen() {
		case 2048:
			return keystore.RSA2048
		case 3072:
			return keystore.RSA3072
		case 4096:
			return keystore.RSA4096
		}
	case *ecdsa.PrivateKey:
		switch k.Curve {
		case elliptic.P256():
			return keystore.P256
		case elliptic.P384():
			return keystore.P384
		}
	}
	return ""
}

// generateKey draws a symmetric key; DES keys get odd parity and two or three different parts.
func generateKey(random io.Reader, spec keystore.Spec) (keys.Key, error) {
	alg, n, ok := spec.Symmetric()
	if !ok {
		return keys.Key{}, fmt.Errorf("%w: %q is not symmetric", keystore.ErrSpec, spec)
	}
	b := make([]byte, n)
	defer clear(b)
	for {
		if _, err := io.ReadFull(random, b); err != nil {
			return keys.Key{}, fmt.Errorf("random key: %w", err)
		}
		if alg != keys.DES3 {
			break
		}
		for i, v := range b {
			b[i] = v&0xFE | byte(bits.OnesCount8(v>>1)+1)&1
		}
		if apart(b) {
			break
		}
	}
	return keys.New(alg, b)
}

// apart tells whether neighbouring DES parts differ, without which triple DES is single DES.
func apart(b []byte) bool {
	for i := 8; i < len(b); i += 8 {
		if [8]byte(b[i-8:i]) == [8]byte(b[i:i+8]) {
			return false
		}
	}
	return true
}

// generateSigner makes an asymmetric key with the machine's randomness: the standard library
// takes no other source.
func generateSigner(spec keystore.Spec) (signer, error) {
	switch spec {
	case keystore.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case keystore.RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case keystore.RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case keystore.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case keystore.P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("%w: %q is not asymmetric", keystore.ErrSpec, spec)
}
