package der

import (
	"crypto/sha1" // key identifiers are SHA-1 by definition: RFC 5280 §4.2.1.2
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Identifiers of extensions. // RFC 5280 §4.2, §5.2; RFC 6960 §4.2.2.2.1
var (
	OIDSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	OIDKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	OIDSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	OIDBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	OIDDeltaCRL         = asn1.ObjectIdentifier{2, 5, 29, 27}
	OIDCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	OIDPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	OIDAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	OIDExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	OIDFreshestCRL      = asn1.ObjectIdentifier{2, 5, 29, 46}
	OIDAuthorityInfo    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	OIDOCSPNoCheck      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	OIDUPN              = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}

	oidAccessOCSP    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidAccessIssuers = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
)

// KeyUsage is a set of purposes; the bit of a purpose is 1 shifted by its number in the standard.
// // RFC 5280 §4.2.1.3
type KeyUsage uint16

// keyUsages are the purposes in the order of their bits.
var keyUsages = []string{"digitalSignature", "nonRepudiation", "keyEncipherment",
	"dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}

// ParseKeyUsage reads the names of purposes, in any case.
func ParseKeyUsage(names []string) (KeyUsage, error) {
	var u KeyUsage
	for _, name := range names {
		bit := -1
		for i, known := range keyUsages {
			if strings.EqualFold(known, name) {
				bit = i
			}
		}
		if bit < 0 {
			return 0, fmt.Errorf("unknown key usage %.40q", name)
		}
		u |= 1 << bit
	}
	return u, nil
}

// Has says whether the set has a purpose, by its name.
func (u KeyUsage) Has(name string) bool {
	for i, known := range keyUsages {
		if known == name {
			return u&(1<<i) != 0
		}
	}
	return false
}

// KeyUsageExt gives the extension, critical.
func KeyUsageExt(u KeyUsage) (pkix.Extension, error) {
	var bits asn1.BitString
	for i := range keyUsages {
		if u&(1<<i) != 0 {
			bits.BitLength = i + 1
		}
	}
	bits.Bytes = make([]byte, (bits.BitLength+7)/8)
	for i := range bits.BitLength {
		if u&(1<<i) != 0 {
			bits.Bytes[i/8] |= 0x80 >> (i % 8)
		}
	}
	value, err := asn1.Marshal(bits)
	return pkix.Extension{Id: OIDKeyUsage, Critical: true, Value: value}, err
}

// ExtKeyUsageExt gives the extension of at least one purpose, not critical.
func ExtKeyUsageExt(oids []asn1.ObjectIdentifier) (pkix.Extension, error) {
	value, err := asn1.Marshal(oids)
	return pkix.Extension{Id: OIDExtKeyUsage, Value: value}, err
}

// PoliciesExt gives the extension of at least one policy, without qualifiers.
func PoliciesExt(oids []asn1.ObjectIdentifier) (pkix.Extension, error) {
	type policy struct{ ID asn1.ObjectIdentifier }
	var list []policy
	for _, o := range oids {
		list = append(list, policy{o})
	}
	value, err := asn1.Marshal(list)
	return pkix.Extension{Id: OIDPolicies, Value: value}, err
}

// BasicConstraintsExt gives the extension, critical. maxPath below 0 leaves the path open.
func BasicConstraintsExt(isCA bool, maxPath int) (pkix.Extension, error) {
	var v any = struct{}{}
	switch {
	case isCA && maxPath >= 0:
		v = struct {
			CA   bool
			Path int
		}{true, maxPath}
	case isCA:
		v = struct{ CA bool }{true}
	}
	value, err := asn1.Marshal(v)
	return pkix.Extension{Id: OIDBasicConstraints, Critical: true, Value: value}, err
}

// KeyID gives the SHA-1 key identifier of a DER SubjectPublicKeyInfo. // RFC 5280 §4.2.1.2 (1)
func KeyID(spki []byte) ([]byte, error) {
	bits, err := KeyBits(spki)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(bits)
	return sum[:], nil
}

// KeyBits gives the bits of the key in a DER SubjectPublicKeyInfo, which is what identifiers and
// OCSP questions hash.
func KeyBits(spki []byte) ([]byte, error) {
	in := cryptobyte.String(spki)
	var seq, algorithm cryptobyte.String
	var bits []byte
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !seq.ReadASN1BitStringAsBytes(&bits) ||
		!seq.Empty() {
		return nil, errors.New("subject public key info is none")
	}
	return bits, nil
}

// SubjectKeyIDExt gives the extension.
func SubjectKeyIDExt(id []byte) (pkix.Extension, error) {
	value, err := asn1.Marshal(id)
	return pkix.Extension{Id: OIDSubjectKeyID, Value: value}, err
}

// AuthorityKeyIDExt gives the extension with a key identifier alone.
func AuthorityKeyIDExt(id []byte) (pkix.Extension, error) {
	value, err := asn1.Marshal(struct {
		ID []byte `asn1:"tag:0"`
	}{id})
	return pkix.Extension{Id: OIDAuthorityKeyID, Value: value}, err
}

// AuthorityInfoExt gives the extension with the addresses of an OCSP responder and of the issuer's
// certificate; "" leaves one out.
func AuthorityInfoExt(ocsp, issuer string) (pkix.Extension, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range []struct {
			method asn1.ObjectIdentifier
			url    string
		}{{oidAccessOCSP, ocsp}, {oidAccessIssuers, issuer}} {
			if a.url == "" {
				continue
			}
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(a.method)
				addURI(b, a.url)
			})
		}
	})
	value, err := b.Bytes()
	return pkix.Extension{Id: OIDAuthorityInfo, Value: value}, err
}

// CRLPointsExt gives a list of one distribution point: CRL distribution points, or freshest CRL.
func CRLPointsExt(id asn1.ObjectIdentifier, address string) (pkix.Extension, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			name := cbasn1.Tag(0).ContextSpecific().Constructed()
			b.AddASN1(name, func(b *cryptobyte.Builder) { // distributionPoint
				b.AddASN1(name, func(b *cryptobyte.Builder) { addURI(b, address) }) // fullName
			})
		})
	})
	value, err := b.Bytes()
	return pkix.Extension{Id: id, Value: value}, err
}

func addURI(b *cryptobyte.Builder, address string) {
	b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) {
		b.AddBytes([]byte(address))
	})
}

// CheckURL takes absolute http and https addresses in ASCII.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.IndexFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7F }) >= 0 {
		return fmt.Errorf("%.200q is no http address", address)
	}
	return nil
}

// Result is an extension, or why there is none.
type Result struct {
	ext pkix.Extension
	err error
}

// Try makes a Result of what the makers of extensions give.
func Try(e pkix.Extension, err error) Result { return Result{e, err} }

// Collect gives the extensions of all results, or the errors.
func Collect(results ...Result) ([]pkix.Extension, error) {
	var out []pkix.Extension
	var errs []error
	for _, r := range results {
		out, errs = append(out, r.ext), append(errs, r.err)
	}
	return out, errors.Join(errs...)
}
