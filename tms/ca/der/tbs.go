package der

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TBS is a certificate before it is signed. // RFC 5280 §4.1.2
type TBS struct {
	Serial     *big.Int // positive, at most 20 bytes
	Algorithm  Algorithm
	Issuer     []byte // DER Name, as it stands in the issuer's certificate
	NotBefore  time.Time
	NotAfter   time.Time
	Subject    []byte // DER Name
	PublicKey  []byte // DER SubjectPublicKeyInfo
	Extensions []pkix.Extension
}

// Algorithm is how a key signs. Its zero value is none; see AlgorithmOf.
type Algorithm struct {
	hash crypto.Hash
	oid  asn1.ObjectIdentifier
	null bool // the parameters are NULL, as RSA has them
}

// AlgorithmOf gives the algorithm by which a key signs: SHA-256 with RSA and P-256, SHA-384 with
// P-384. // RFC 4055 §5, RFC 5758 §3.2
func AlgorithmOf(public crypto.PublicKey) (Algorithm, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return Algorithm{crypto.SHA256, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, true}, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return Algorithm{crypto.SHA256, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, false}, nil
		case elliptic.P384():
			return Algorithm{crypto.SHA384, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, false}, nil
		}
	}
	return Algorithm{}, errors.New("no signature algorithm for a key of this kind")
}

func (a Algorithm) add(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.oid)
		if a.null {
			b.AddASN1NULL()
		}
	})
}

// Sign gives the signature of a key over msg.
func (a Algorithm) Sign(random io.Reader, key crypto.Signer, msg []byte) ([]byte, error) {
	if a.hash == 0 {
		return nil, errors.New("signing without an algorithm")
	}
	h := a.hash.New()
	h.Write(msg)
	return key.Sign(random, h.Sum(nil), a.hash)
}

// Encode gives the bytes that are signed.
func (t TBS) Encode() ([]byte, error) {
	if t.Serial == nil || t.Serial.Sign() <= 0 || t.Serial.BitLen() > 159 {
		return nil, errors.New("serial number is not positive or longer than 20 bytes")
	}
	if !t.NotAfter.After(t.NotBefore) {
		return nil, errors.New("certificate ends before it begins")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1Int64(2) // v3
		})
		b.AddASN1BigInt(t.Serial)
		t.Algorithm.add(b)
		b.AddBytes(t.Issuer)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.NotBefore)
			addTime(b, t.NotAfter)
		})
		b.AddBytes(t.Subject)
		b.AddBytes(t.PublicKey)
		b.AddASN1(cbasn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			AddExtensions(b, t.Extensions)
		})
	})
	return b.Bytes()
}

// AddExtensions writes a sequence of extensions.
func AddExtensions(b *cryptobyte.Builder, list []pkix.Extension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range list {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.Id)
				if e.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.Value)
			})
		}
	})
}

// addTime writes UTCTime up to 2049 and GeneralizedTime after. // RFC 5280 §4.1.2.5
func addTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC()
	if y := t.Year(); y >= 1950 && y < 2050 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
}

// Assemble gives the signed form of tbs: a certificate, or whatever else has that form.
func (a Algorithm) Assemble(tbs, signature []byte) ([]byte, error) {
	return a.AssembleWith(tbs, signature, func(*cryptobyte.Builder) {})
}

// AssembleWith is Assemble with something more after the signature.
func (a Algorithm) AssembleWith(tbs, signature []byte, more cryptobyte.BuilderContinuation) (
	[]byte, error,
) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		a.add(b)
		b.AddASN1BitString(signature)
		more(b)
	})
	return b.Bytes()
}

// SignCertificate signs tbs with key.
func (a Algorithm) SignCertificate(random io.Reader, key crypto.Signer, tbs []byte) (
	[]byte, error,
) {
	sig, err := a.Sign(random, key, tbs)
	if err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	return a.Assemble(tbs, sig)
}

// Unsigned gives tbs in the form of a certificate with a signature of 64 zero bytes, which no key
// ever makes: for checks that need the form before anything is signed.
func (a Algorithm) Unsigned(tbs []byte) ([]byte, error) { return a.Assemble(tbs, make([]byte, 64)) }

// SplitCertificate gives the signed part of a certificate.
func SplitCertificate(cert []byte) (tbs []byte, err error) {
	in := cryptobyte.String(cert)
	var seq, part cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1Element(&part, cbasn1.SEQUENCE) {
		return nil, errors.New("no certificate")
	}
	return part, nil
}
