package esc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
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
			Subject: nameText(cert.RawSubject), Issuer: nameText(cert.RawIssuer),
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

// attributeNames are those of RFC 4514 §3 and of mail addresses, by object identifier.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU", "0.9.2342.19200300.100.1.25": "DC",
	"0.9.2342.19200300.100.1.1": "UID", "1.2.840.113549.1.9.1": "E",
}

// nameText writes a name as people read it, the most special part first. // RFC 4514
func nameText(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return fmt.Sprintf("name %X", raw)
	}
	var parts []string
	for _, set := range slices.Backward(name) {
		for _, a := range set {
			word, known := attributeNames[a.Type.String()]
			if !known {
				word = a.Type.String()
			}
			parts = append(parts, word+"="+escaped.Replace(fmt.Sprint(a.Value)))
		}
	}
	return strings.Join(parts, ",")
}

// escaped writes what would be read as another part of a name.
var escaped = strings.NewReplacer(`,`, `\,`, `+`, `\+`, `"`, `\"`, `\`, `\\`,
	`<`, `\<`, `>`, `\>`, `;`, `\;`)
