package connector

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Client is a TPS that a TKS serves. It is known by its TLS client certificate, which the TLS
// configuration must already have verified: by Subject, by Fingerprint, or by both at once.
type Client struct {
	Name        string // for logs
	Subject     string // the certificate's subject as RFC 4514 text, e.g. "CN=tps.example.org"
	Fingerprint string // SHA-256 of the certificate in hex, colons allowed
	// Secret is the secret shared with this client; nil means the handler's own.
	Secret *SharedSecret
	// SCP02Steps allows SCP02 session keys to be asked for one derivation constant at a time.
	// In that form no card cryptogram is sent, so the client is trusted to check the card.
	SCP02Steps bool
}

// Fingerprint gives the SHA-256 fingerprint of a certificate as lower-case hex.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// allowed is a Client made ready for comparison.
type allowed struct {
	Client
	digest []byte // nil when the fingerprint does not count
}

// newAllowed checks a client's entry.
func newAllowed(c Client) (allowed, error) {
	a := allowed{Client: c}
	if c.Subject == "" && c.Fingerprint == "" {
		return a, fmt.Errorf("client %q: needs a certificate subject or fingerprint", c.Name)
	}
	if c.Fingerprint == "" {
		return a, nil
	}
	digest, err := hex.DecodeString(strings.ReplaceAll(c.Fingerprint, ":", ""))
	if err != nil || len(digest) != sha256.Size {
		return a, fmt.Errorf("client %q: fingerprint is no SHA-256 digest of %d hex digits",
			c.Name, 2*sha256.Size)
	}
	a.digest = digest
	return a, nil
}

// matches compares a verified certificate with the entry.
func (a *allowed) matches(cert *x509.Certificate) bool {
	if a.digest != nil {
		sum := sha256.Sum256(cert.Raw)
		if subtle.ConstantTimeCompare(sum[:], a.digest) != 1 {
			return false
		}
	}
	return a.Subject == "" || a.Subject == cert.Subject.String()
}

// findClient gives the entry of the peer of a TLS connection, or nil. Only a certificate that
// the TLS configuration verified counts.
func findClient(clients []allowed, state *tls.ConnectionState) *allowed {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	leaf := state.VerifiedChains[0][0]
	for i := range clients {
		if clients[i].matches(leaf) {
			return &clients[i]
		}
	}
	return nil
}
