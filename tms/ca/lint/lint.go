// Package lint holds certificates, certificate revocation lists and OCSP responses against the
// rules of the standards (RFC 3279, 5280, 5480, 5891, 6960, 8813) and of the community, by zlint.
// The rules of browsers' root programmes do not apply to an organisation's own CA and are left out.
//
// It must not know how what it looks at was made.
package lint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	zl "github.com/zmap/zlint/v3/lint"
	"golang.org/x/crypto/ocsp"
)

// ErrFindings is wrapped by the error about what rules found at error level or above.
var ErrFindings = errors.New("lint found errors")

// leftOut are rules that can find nothing: by verifying the signature they look for public CAs
// whose keys were stolen, and what is linted here is not signed yet, or by a key that is at hand.
// They cost twice as much as all others together.
var leftOut = []string{"e_cert_issued_by_compromised_emudhra_ca"}

// registry gives the rules that count, chosen once.
var registry = sync.OnceValues(func() (zl.Registry, error) {
	return zl.GlobalRegistry().Filter(zl.FilterOptions{ExcludeNames: leftOut,
		IncludeSources: zl.SourceList{zl.RFC3279, zl.RFC5280, zl.RFC5480, zl.RFC5891, zl.RFC6960,
			zl.RFC8813, zl.Community}})
})

// Certificate looks at a certificate in DER. Its signature is not verified.
func Certificate(der []byte) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("lint: reading certificate: %w", err)
	}
	r, err := registry()
	if err != nil {
		return fmt.Errorf("lint: %w", err)
	}
	return verdict(zlint.LintCertificateEx(c, r))
}

// RevocationList looks at a certificate revocation list in DER.
func RevocationList(der []byte) error {
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return fmt.Errorf("lint: reading revocation list: %w", err)
	}
	r, err := registry()
	if err != nil {
		return fmt.Errorf("lint: %w", err)
	}
	return verdict(zlint.LintRevocationListEx(l, r))
}

// OCSP looks at an OCSP response in DER.
func OCSP(der []byte) error {
	o, err := ocsp.ParseResponse(der, nil)
	if err != nil {
		return fmt.Errorf("lint: reading ocsp response: %w", err)
	}
	r, err := registry()
	if err != nil {
		return fmt.Errorf("lint: %w", err)
	}
	return verdict(zlint.LintOcspResponseEx(o, r))
}

// verdict turns findings at error level into an error that names each rule.
func verdict(res *zlint.ResultSet) error {
	if !res.ErrorsPresent && !res.FatalsPresent {
		return nil
	}
	var found []string
	for name, r := range res.Results {
		if r.Status == zl.Error || r.Status == zl.Fatal {
			text := name
			if r.Details != "" {
				text += " (" + r.Details + ")"
			}
			found = append(found, text)
		}
	}
	slices.Sort(found)
	return fmt.Errorf("%w: %s", ErrFindings, strings.Join(found, ", "))
}

// Rules gives the number of rules that count.
func Rules() int {
	r, err := registry()
	if err != nil {
		return 0
	}
	return len(r.Names())
}
