package tks

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
)

// minTransportBits is the smallest RSA key a KRA's transport certificate may hold.
const minTransportBits = 2048

// transporter makes the fresh keys under which a KRA hands a private key to a card.
type transporter struct {
	to       *rsa.PublicKey
	pkcs1v15 bool
	rand     io.Reader
}

func newTransporter(cert *x509.Certificate, pkcs1v15 bool, random io.Reader) (*transporter, error) {
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("tks.drm_transport_cert_nickname: certificate holds no RSA key")
	}
	if pub.N.BitLen() < minTransportBits {
		return nil, fmt.Errorf("tks.drm_transport_cert_nickname: RSA key has %d bits, want %d",
			pub.N.BitLen(), minTransportBits)
	}
	return &transporter{to: pub, pkcs1v15: pkcs1v15, rand: random}, nil
}

// transportKeys makes both keys: wrapped for the card, and encrypted for the KRA.
func (s *Service) transportKeys(w wrapping) (connector.KRATransport, error) {
	if s.transport == nil {
		return connector.KRATransport{}, connector.Errorf(connector.StatusConfig,
			"server-side key generation: tks.drm_transport_cert_nickname is not set")
	}
	t, err := s.transport.make(w)
	if err != nil {
		return connector.KRATransport{}, &connector.Error{Status: connector.StatusDerivation,
			Err: fmt.Errorf("transport keys: %w", err)}
	}
	return t, nil
}

func (t *transporter) make(w wrapping) (out connector.KRATransport, err error) {
	for _, k := range []struct {
		alg                 keys.Algorithm
		wrapped, check, drm *[]byte
	}{
		{keys.DES3, &out.KekWrappedDESKey, &out.KeyCheckDES, &out.DRMTransDESKey},
		{keys.AES, &out.KekWrappedAESKey, &out.KeyCheckAES, &out.DRMTransAESKey},
	} {
		plain := make([]byte, 16, 24)
		if _, err := io.ReadFull(t.rand, plain); err != nil {
			return connector.KRATransport{}, err
		}
		key, err := keys.New(k.alg, plain)
		if err != nil {
			return connector.KRATransport{}, err
		}
		if *k.wrapped, err = w.wrap(key); err != nil {
			return connector.KRATransport{}, err
		}
		kcv := key.KCV()
		*k.check = kcv[:]
		if k.alg == keys.DES3 { // a KRA takes three keys: K1‖K2‖K1
			plain = append(plain, plain[:8]...)
		}
		*k.drm, err = t.encrypt(plain)
		clear(plain)
		if err != nil {
			return connector.KRATransport{}, err
		}
	}
	return out, nil
}

func (t *transporter) encrypt(plain []byte) ([]byte, error) {
	if t.pkcs1v15 {
		return rsa.EncryptPKCS1v15(t.rand, t.to, plain)
	}
	return rsa.EncryptOAEP(sha256.New(), t.rand, t.to, plain, nil)
}
