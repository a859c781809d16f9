// Package routing carries the requests of a token processing system to the CAs and
// KRAs it is connected to, each between an intent in the token database and its
// outcome, and finishes or undoes there what a session that died left behind.
//
// It owns which CA is asked to revoke a certificate, what is stored of a request so
// that it can be repeated, and which answers mean that it is done, refused or
// unknown. It must not know cards, token types, or how requests travel.
package routing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// The names of failpoints: before and after each intent and outcome at a CA or KRA.
const (
	FailArchiveIntent  = "enroll.archive.intent"  // intent recorded, KRA not asked
	FailArchiveDone    = "enroll.archive.done"    // key archived, outcome not recorded
	FailArchiveOutcome = "enroll.archive.outcome" // outcome noted
	FailIssueIntent    = "enroll.issue.intent"    // intent recorded, CA not asked
	FailIssueDone      = "enroll.issue.done"      // certificate signed, outcome not recorded
	FailIssueOutcome   = "enroll.issue.outcome"   // certificate noted
	FailRevokeDone     = "revoke.done"            // revoked, outcome not recorded
	FailRevokeOutcome  = "revoke.outcome"         // outcome recorded
)

// errShared is why a certificate is spared.
var errShared = errors.New("another active token holds it")

// Errors of routing.
var (
	// ErrNoConnection means that a connector is not configured or not enabled.
	ErrNoConnection = errors.New("no such connection")
	// ErrNoAuthority means that no connector leads to the CA of a certificate.
	ErrNoAuthority = errors.New("signing CA not found")
	// ErrCertificate means that a CA issued something else than it was asked for.
	ErrCertificate = errors.New("certificate is not the one asked for")
	// ErrKey means that a KRA answered something else than it was asked for.
	ErrKey = errors.New("key is not the one asked for")
)

// Router holds the connections.
type Router struct {
	// CAs and KRAs are by connector id.
	CAs  map[string]connector.CA
	KRAs map[string]connector.KRA
	// Authorities are the key identifiers of the CAs that connectors lead to, in
	// lower-case hex, as far as they are known, by connector id.
	Authorities map[string]string
	// Revokers are the connectors to look through for the CA of a certificate that
	// its own connector does not lead to any more.
	Revokers []string
	// Failpoint is called at each failpoint; an error ends the work as if the process
	// had died there. Nil means none.
	Failpoint func(name string) error
	// Log gets what goes wrong without ending an operation; nil discards.
	Log *slog.Logger
}

func (r *Router) failpoint(name string) error {
	if r.Failpoint == nil {
		return nil
	}
	return r.Failpoint(name)
}

func (r *Router) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// CA gives the CA that a connector leads to.
func (r *Router) CA(id string) (connector.CA, error) {
	if ca, ok := r.CAs[id]; ok {
		return ca, nil
	}
	return nil, fmt.Errorf("certificate authority %.64q: %w", id, ErrNoConnection)
}

// KRA gives the KRA that a connector leads to.
func (r *Router) KRA(id string) (connector.KRA, error) {
	if kra, ok := r.KRAs[id]; ok {
		return kra, nil
	}
	return nil, fmt.Errorf("key recovery authority %.64q: %w", id, ErrNoConnection)
}

// Signer gives the CA that issued a certificate: that of its own connector, unless
// that one is known to lead to another CA, else the first of the Revokers that leads
// to it. Requests for what has been issued go there; new ones never do.
func (r *Router) Signer(authority, id string) (connector.CA, error) {
	id, err := r.SignerID(authority, id)
	if err != nil {
		return nil, err
	}
	return r.CAs[id], nil
}

// SignerID gives the id of the connector that leads to the CA that Signer gives.
func (r *Router) SignerID(authority, id string) (string, error) {
	_, own := r.CAs[id]
	if known := r.Authorities[id]; own && (known == "" || authority == "" || known == authority) {
		return id, nil
	}
	for _, other := range r.Revokers {
		if _, ok := r.CAs[other]; ok && authority != "" && r.Authorities[other] == authority {
			return other, nil
		}
	}
	return "", fmt.Errorf("certificate authority %.64q, key identifier %s: %w", id, authority,
		ErrNoAuthority)
}

// Revoke has the certificates revoked, and released, that the card's intents ask
// for. What a CA does not answer stays to be done.
func (r *Router) Revoke(ctx context.Context, card *tokendb.Card) error {
	var errs []error
	for _, step := range card.Resume(token.IntentRevokeCert) {
		if err := r.revoke(ctx, card, step); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *Router) revoke(ctx context.Context, card *tokendb.Card, step *tokendb.Step) error {
	what, err := step.Revocation()
	if err != nil {
		return err
	}
	reason := connector.Reason(what.Reason)
	if !what.EvenShared && reason != connector.ReasonRemoveFromCRL {
		held, err := card.HeldElsewhere(ctx, what.CertID)
		if err != nil {
			return err
		}
		if held {
			return step.Spared(ctx, what, true, errShared)
		}
	}
	ca, err := r.Signer(what.Authority, what.CA)
	if err != nil {
		return fmt.Errorf("revoking certificate %s: %w", what.Serial, err)
	}
	serial, err := connector.ParseSerial(what.Serial)
	if err != nil {
		return fmt.Errorf("revoking certificate %s: %w", what.Serial, err)
	}
	if reason == connector.ReasonRemoveFromCRL {
		err = ca.Release(ctx, serial)
	} else {
		err = ca.Revoke(ctx, connector.RevokeRequest{Serial: serial, Reason: reason})
	}
	if fp := r.failpoint(FailRevokeDone); fp != nil {
		return fp
	}
	switch {
	case err == nil, errors.Is(err, connector.ErrCAAlreadyRevoked):
		err = step.Revoked(ctx, what)
	case errors.Is(err, connector.ErrCANotFound), errors.Is(err, connector.ErrCANotOnHold):
		r.log().Error("certificate not revoked", "serial", what.Serial, "reason", what.Reason,
			"err", err)
		err = step.Spared(ctx, what, false, err)
	default:
		return fmt.Errorf("revoking certificate %s: %w", what.Serial, err)
	}
	if err != nil {
		return err
	}
	return r.failpoint(FailRevokeOutcome)
}
