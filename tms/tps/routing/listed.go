package routing

import (
	"context"
	"crypto/x509"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/token"
)

// Found is a certificate as the CA that a connector leads to has it.
type Found struct {
	Cert   *x509.Certificate
	Status token.CertStatus
}

// Find asks the CA that a connector leads to for a certificate.
func (r *Router) Find(ctx context.Context, id string, serial connector.Serial) (Found, error) {
	ca, err := r.CA(id)
	if err != nil {
		return Found{}, err
	}
	status, err := ca.Certificate(ctx, serial)
	if err != nil {
		return Found{}, fmt.Errorf("fetching certificate %s from %s: %w", serial, id, err)
	}
	parsed, err := x509.ParseCertificate(status.DER)
	if err != nil {
		return Found{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if connector.SerialOf(parsed.SerialNumber) != serial {
		return Found{}, fmt.Errorf("%w: it has serial number %x", ErrCertificate, parsed.SerialNumber)
	}
	return Found{Cert: parsed, Status: statusOf(status.State)}, nil
}

// statusOf gives a state in the words of records.
func statusOf(s connector.CertificateState) token.CertStatus {
	switch s {
	case connector.CertificateRevoked:
		return token.CertRevoked
	case connector.CertificateOnHold:
		return token.CertOnHold
	}
	return token.CertActive
}
