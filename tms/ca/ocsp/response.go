package ocsp

import (
	"crypto"
	"crypto/sha1" // responders are named by SHA-1: RFC 6960 §4.2.1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"tokenwright/tms/ca/der"
)

// Good, Revoked and Unknown are what a certificate can be. // RFC 6960 §2.2
const (
	Good State = iota
	Revoked
	Unknown
)

// State is what an answer says of a certificate.
type State int

// Status is a certificate's state.
type Status struct {
	State     State
	Reason    int // RFC 5280 §5.3.1; when revoked
	RevokedAt time.Time
	// Rev changes with the state: an answer that was signed before stands while it is the same.
	Rev int64
	// Known is when the state was known to be so, Until how long that may be relied on; zero: now, and
	// as long as the responder likes.
	Known, Until time.Time
}

// Answers that are no answer. They are signed by nobody. // RFC 6960 §4.2.1
var (
	answerMalformed    = []byte{0x30, 3, 0x0A, 1, 1}
	answerInternal     = []byte{0x30, 3, 0x0A, 1, 2}
	answerTryLater     = []byte{0x30, 3, 0x0A, 1, 3}
	answerUnauthorized = []byte{0x30, 3, 0x0A, 1, 6}
)

// Signer is the key of a responder with its certificate, which the CA issued for this alone.
type Signer struct {
	Key  crypto.Signer
	Cert *x509.Certificate
}

// prepared is a Signer with what does not change between answers.
type prepared struct {
	Signer
	algorithm der.Algorithm
	keyHash   []byte
}

func prepare(s Signer) (*prepared, error) {
	if s.Key == nil || s.Cert == nil {
		return nil, errors.New("ocsp responder has no key or certificate")
	}
	a, err := der.AlgorithmOf(s.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("ocsp responder: %w", err)
	}
	id, err := der.KeyID(s.Cert.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, fmt.Errorf("ocsp responder: %w", err)
	}
	return &prepared{Signer: s, algorithm: a, keyHash: id}, nil
}

// single is one certificate's part of an answer.
type single struct {
	id         []byte // DER of the CertID as it was asked
	status     Status
	this, next time.Time
}

// sign gives a whole answer. nonce is the DER of the extension's value, or nil.
func (p *prepared) sign(random io.Reader, list []single, at time.Time, nonce []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // ResponseData
		b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(p.keyHash) })
		b.AddASN1GeneralizedTime(at)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, s := range list {
				s.add(b)
			}
		})
		if nonce != nil {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				der.AddExtensions(b, []pkix.Extension{{Id: oidNonce, Value: nonce}})
			})
		}
	})
	data, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding ocsp answer: %w", err)
	}
	sig, err := p.algorithm.Sign(random, p.Key, data)
	if err != nil {
		return nil, fmt.Errorf("signing ocsp answer: %w", err)
	}
	basic, err := p.algorithm.AssembleWith(data, sig, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(p.Cert.Raw) })
		})
	})
	if err != nil {
		return nil, fmt.Errorf("encoding ocsp answer: %w", err)
	}
	return wrap(basic)
}

// wrap puts a basic answer into an OCSPResponse of status successful.
func wrap(basic []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasic)
				b.AddASN1OctetString(basic)
			})
		})
	})
	return b.Bytes()
}

// add writes a SingleResponse.
func (s single) add(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(s.id)
		switch s.status.State {
		case Good:
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
		case Revoked:
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(s.status.RevokedAt.UTC())
				if s.status.Reason != 0 { // unspecified is left out // RFC 5280 §5.3.1
					b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
						b.AddASN1Enum(int64(s.status.Reason))
					})
				}
			})
		default:
			b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
		}
		b.AddASN1GeneralizedTime(s.this)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(s.next) })
	})
}

// issuerHashes gives the hashes of an issuer's name and key, by hash algorithm.
func issuerHashes(ca *x509.Certificate) (map[crypto.Hash][2]string, error) {
	id, err := der.KeyBits(ca.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	out := map[crypto.Hash][2]string{}
	for _, h := range hashes {
		sum := func(b []byte) string {
			d := h.hash.New()
			d.Write(b)
			return string(d.Sum(nil))
		}
		out[h.hash] = [2]string{sum(ca.RawSubject), sum(id)}
	}
	return out, nil
}

// etag names an answer.
func etag(answer []byte) string {
	sum := sha1.Sum(answer)
	return fmt.Sprintf("%q", fmt.Sprintf("%x", sum))
}
