package routing

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// Key is a key pair from a KRA, on its way to a card.
type Key struct {
	connector.KeyPairResponse
	Public crypto.PublicKey
}

// MakeKey has a KRA make a key pair for the card. If it is to be archived, it is
// before this returns.
func (r *Router) MakeKey(ctx context.Context, card *tokendb.Card, id, keyType string,
	req connector.KeyPairRequest,
) (Key, error) {
	kra, err := r.KRA(id)
	if err != nil {
		return Key{}, err
	}
	if !req.Archive {
		resp, err := kra.GenerateKeyPair(ctx, req)
		if err != nil {
			return Key{}, err
		}
		return pair(req, resp)
	}
	step, err := card.BeginFor(ctx, token.IntentArchiveKey, keyType, id)
	if err != nil {
		return Key{}, err
	}
	if err := r.failpoint(FailArchiveIntent); err != nil {
		return Key{}, err
	}
	req.RequestID = step.Intent().ID
	resp, err := kra.GenerateKeyPair(ctx, req)
	if fp := r.failpoint(FailArchiveDone); fp != nil {
		return Key{}, fp
	}
	if err != nil {
		var e *connector.KRAError
		if errors.As(err, &e) && e.Status != connector.KRAInternal {
			err = errors.Join(err, step.Failed(ctx, err))
		}
		return Key{}, err
	}
	step.NoteDone()
	if err := r.failpoint(FailArchiveOutcome); err != nil {
		return Key{}, err
	}
	return pair(req, resp)
}

// pair reads the public half of what a KRA made.
func pair(req connector.KeyPairRequest, resp connector.KeyPairResponse) (Key, error) {
	public, err := x509.ParsePKIXPublicKey(resp.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	bits, kind := 0, connector.KeyRSA
	switch k := public.(type) {
	case *rsa.PublicKey:
		bits = k.N.BitLen()
	case *ecdsa.PublicKey:
		bits, kind = k.Params().BitSize, connector.KeyEC
	}
	if bits != req.Bits || kind != req.Type {
		return Key{}, fmt.Errorf("%w: a %T of %d bits", ErrKey, public, bits)
	}
	return Key{KeyPairResponse: resp, Public: public}, nil
}

// Recovered is a certificate with its key, fetched for another card.
type Recovered struct {
	Key
	Cert   *x509.Certificate
	Status token.CertStatus
}

// Recover fetches a certificate from its CA, and its key from its KRA. Nothing is
// changed by that.
func (r *Router) Recover(ctx context.Context, cert token.Certificate,
	req connector.KeyRecoveryRequest,
) (Recovered, error) {
	ca, err := r.Signer(cert.Authority, cert.CA)
	if err != nil {
		return Recovered{}, err
	}
	kra, err := r.KRA(cert.KRA)
	if err != nil {
		return Recovered{}, err
	}
	status, err := ca.Certificate(ctx, connector.Serial(cert.Serial))
	if err != nil {
		return Recovered{}, fmt.Errorf("fetching certificate %s: %w", cert.Serial, err)
	}
	parsed, err := x509.ParseCertificate(status.DER)
	if err != nil {
		return Recovered{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	req.KeyID, req.Certificate = connector.KeyID(cert.KeyID), status.DER
	resp, err := kra.RecoverKey(ctx, req)
	if err != nil {
		return Recovered{}, fmt.Errorf("recovering key of certificate %s: %w", cert.Serial, err)
	}
	resp.PublicKey = parsed.RawSubjectPublicKeyInfo
	out := Recovered{
		Key: Key{KeyPairResponse: resp, Public: parsed.PublicKey}, Cert: parsed,
		Status: token.CertActive,
	}
	switch status.State {
	case connector.CertificateRevoked:
		out.Status = token.CertRevoked
	case connector.CertificateOnHold:
		out.Status = token.CertOnHold
	}
	return out, nil
}

// Fetch gives a certificate from its CA.
func (r *Router) Fetch(ctx context.Context, cert token.Certificate) (*x509.Certificate, error) {
	ca, err := r.Signer(cert.Authority, cert.CA)
	if err != nil {
		return nil, err
	}
	status, err := ca.Certificate(ctx, connector.Serial(cert.Serial))
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(status.DER)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return parsed, nil
}
