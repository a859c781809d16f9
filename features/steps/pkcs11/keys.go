package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"

	"tokenwright/features/cryptoki"
	"tokenwright/features/holder"
)

var message = []byte("what a program written in Go has a card sign")

// sha256Info is what stands before the digest in a DigestInfo for SHA-256 (RFC 8017 §9.2).
const sha256Info = "3031300d060960864801650304020105000420"

// sign signs the message with the card's signing key.
func sign(ctx context.Context) (signature []byte, p holder.Pair, err error) {
	s, h, err := loaded(ctx)
	if err != nil {
		return nil, p, err
	}
	if p, err = h.For(holder.Signing); err != nil {
		return nil, p, err
	}
	digest := sha256.Sum256(message)
	how, input := cryptoki.ECDSA, digest[:]
	if p.Algorithm.Curve() == nil {
		info, err := hex.DecodeString(sha256Info)
		if err != nil {
			return nil, p, err
		}
		how, input = cryptoki.RSA, append(info, digest[:]...)
	}
	signature, err = s.module.Sign(s.reader, p.ID, how, input)
	return signature, p, err
}

func signingRefused(ctx context.Context, reason string) error {
	_, _, err := sign(ctx)
	return refused(ctx, err, reason)
}

func signs(ctx context.Context) error {
	signature, p, err := sign(ctx)
	if err != nil {
		return blame(ctx, err)
	}
	digest := sha256.Sum256(message)
	switch k := p.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		err = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature)
	case *ecdsa.PublicKey:
		r := new(big.Int).SetBytes(signature[:len(signature)/2])
		s := new(big.Int).SetBytes(signature[len(signature)/2:])
		if len(signature)%2 != 0 || !ecdsa.Verify(k, digest[:], r, s) {
			err = errors.New("the signature is wrong")
		}
	default:
		err = fmt.Errorf("the certificate is for a %T", k)
	}
	return blame(ctx, err)
}

func reads(ctx context.Context) error {
	s, h, err := loaded(ctx)
	if err != nil {
		return err
	}
	p, err := h.For(holder.Encryption)
	if err != nil {
		return err
	}
	public, ok := p.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the certificate is for a %T", p.Certificate.PublicKey)
	}
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, public, message)
	if err != nil {
		return err
	}
	got, err := s.module.Decrypt(s.reader, p.ID, cryptoki.RSA, sealed)
	if err == nil && !bytes.Equal(got, message) {
		err = fmt.Errorf("it reads %q", got)
	}
	return blame(ctx, err)
}

func agrees(ctx context.Context) error {
	s, h, err := loaded(ctx)
	if err != nil {
		return err
	}
	p, err := h.For(holder.Agreement)
	if err != nil {
		return err
	}
	public, ok := p.Certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("the certificate is for a %T", p.Certificate.PublicKey)
	}
	onCard, err := public.ECDH()
	if err != nil {
		return err
	}
	peer, err := onCard.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	want, err := peer.ECDH(onCard)
	if err != nil {
		return err
	}
	got, err := s.module.Derive(s.reader, p.ID, point(peer), len(want))
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("the card's side has %d bytes, the other %d, and they differ", len(got), len(want))
	}
	return blame(ctx, err)
}

func point(k *ecdh.PrivateKey) []byte { return k.PublicKey().Bytes() }
