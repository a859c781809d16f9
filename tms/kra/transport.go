package kra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra/keywrap"
)

// minTransportBits is the smallest RSA transport key.
const minTransportBits = 2048

// transport opens the keys that are encrypted to the authority, and wraps private keys under them.
type transport struct {
	key      crypto.Decrypter
	pkcs1v15 bool
	random   io.Reader
}

func newTransport(key crypto.Decrypter, pkcs1v15 bool, random io.Reader) (*transport, error) {
	if key == nil {
		return nil, errors.New("transport key is missing")
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("transport key is no RSA key")
	}
	if pub.N.BitLen() < minTransportBits {
		return nil, fmt.Errorf("transport key has %d bits, want %d", pub.N.BitLen(), minTransportBits)
	}
	return &transport{key: key, pkcs1v15: pkcs1v15, random: random}, nil
}

// wrapper is an opened transport key. It is secret: wipe it.
type wrapper struct {
	wrap connector.KeyWrap
	key  []byte
}

func (w *wrapper) wipe() { clear(w.key) }

// open gives the key of t that is to be used: of two, the DES key for desFirst, else the AES key.
func (t *transport) open(c connector.CardTransport, desFirst bool) (*wrapper, error) {
	w := &wrapper{wrap: c.AESWrap}
	sent, lengths := c.DRMTransAESKey, []int{16, 24, 32}
	switch {
	case w.wrap != connector.WrapAESKWP && w.wrap != connector.WrapAESCBC:
		return nil, connector.KRAErrorf(connector.KRANoWrapped, "%v is no way for an AES key", w.wrap)
	case len(c.DRMTransAESKey)+len(c.DRMTransDESKey) == 0:
		return nil, connector.KRAErrorf(connector.KRANoWrapped, "no transport key was sent")
	case len(c.DRMTransAESKey) == 0 || desFirst && len(c.DRMTransDESKey) > 0:
		w.wrap, sent, lengths = connector.WrapDES3CBC, c.DRMTransDESKey, []int{24, 16}
	}
	var err error
	if w.key, err = t.decrypt(sent, lengths); err != nil {
		return nil, connector.KRAErrorf(connector.KRANoWrapped, "transport key: %w", err)
	}
	return w, nil
}

// decrypt opens a key of one of the lengths. The older padding, where it is allowed, must hold a
// key of the first length: anything else gives a random key in the same time, so that nobody
// learns from this authority what another's message holds.
func (t *transport) decrypt(sent []byte, lengths []int) ([]byte, error) {
	plain, err := t.key.Decrypt(nil, sent, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err == nil {
		for _, n := range lengths {
			if len(plain) == n {
				return plain, nil
			}
		}
		clear(plain)
		return nil, fmt.Errorf("%d bytes inside", len(plain))
	}
	if !t.pkcs1v15 {
		return nil, errors.New("it does not open")
	}
	plain, err = t.key.Decrypt(rand.Reader, sent,
		&rsa.PKCS1v15DecryptOptions{SessionKeyLen: lengths[0]})
	if err != nil {
		return nil, errors.New("it does not open")
	}
	return plain, nil
}

// wrapPrivate wraps a private key as the card is to unwrap it.
func (t *transport) wrapPrivate(w *wrapper, pkcs8 []byte) (wrapped, iv []byte, err error) {
	switch w.wrap {
	case connector.WrapDES3CBC:
		wrapped, iv, err = keywrap.WrapDES3CBC(t.random, w.key, pkcs8)
	case connector.WrapAESCBC:
		wrapped, err = keywrap.WrapAESCBC(w.key, pkcs8)
		iv = make([]byte, 16)
	default: // the IV is part of the form; who wants to see one gets zeros
		wrapped, err = keywrap.WrapKWP(w.key, pkcs8)
		iv = make([]byte, 8)
	}
	if err != nil {
		return nil, nil, connector.KRAErrorf(connector.KRANoWrapped, "wrapping: %w", err)
	}
	return wrapped, iv, nil
}
