package esc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/perso"
)

// CardContent is what an enrolled card tells anybody of its owner; nobody has verified it.
type CardContent struct {
	TokenName    string            `json:"tokenName,omitempty"`
	Certificates []CardCertificate `json:"certificates,omitempty"`
}

// CardCertificate is a certificate on a card.
type CardCertificate struct {
	Label     string    `json:"label"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"` // hex
	Key       string    `json:"key"`    // RSA-2048, EC-256
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

// ReadContent reads what the selected applet holds about certificates; ReadStatus leaves it selected.
// A card that tells nothing of it, or nonsense, gives an error other than ErrCard.
func ReadContent(ctx context.Context, t Transmitter) (CardContent, error) {
	c, _, err := perso.ReadContent(ctx, perso.User{Card: t})
	if errors.Is(err, perso.ErrNoAnswer) {
		err = fmt.Errorf("%w: %w", ErrCard, err)
	}
	if err != nil {
		return CardContent{}, fmt.Errorf("reading certificates: %w", err)
	}
	out := CardContent{TokenName: c.TokenName}
	for _, one := range c.Certificates {
		cert, err := x509.ParseCertificate(one.DER)
		if err != nil {
			return CardContent{}, fmt.Errorf("reading certificate %q: %w", one.Label, err)
		}
		out.Certificates = append(out.Certificates, CardCertificate{Label: one.Label,
			Subject: cert.Subject.String(), Issuer: cert.Issuer.String(),
			Serial: cert.SerialNumber.Text(16), Key: keyKind(cert), NotBefore: cert.NotBefore,
			NotAfter: cert.NotAfter})
	}
	return out, nil
}

func keyKind(cert *x509.Certificate) string {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("EC-%d", k.Params().BitSize)
	}
	return cert.PublicKeyAlgorithm.String()
}
