package tokendb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// BeginFor records that a step for one kind of key is about to be taken: detail is
// what finishing or undoing it takes. See [Card.Begin].
func (c *Card) BeginFor(ctx context.Context, kind token.IntentKind, keyType, detail string) (
	*Step, error,
) {
	return c.begin(ctx, token.Intent{Kind: kind, To: keyType, Detail: detail}, nil)
}

// BeginKey records that a key pair is about to be made in, or brought to, a
// container: the certificates of the key that is there lose it.
func (c *Card) BeginKey(ctx context.Context, keyType string, container int) (*Step, error) {
	i := token.Intent{
		Kind: token.IntentWriteKey, From: "container " + strconv.Itoa(container), To: keyType,
	}
	return c.begin(ctx, i, func(n token.Certificate) bool { return n.Container == container })
}

// Issued records that the step ended with a certificate for the token, which its
// card does not hold yet: the record and the end of the intent are one change. It is
// written even if the client has gone.
func (s *Step) Issued(ctx context.Context, cert token.Certificate) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	cert.CUID = s.card.rec.CUID
	e := s.card.ending(s.intent, token.OutcomeDone, "certificate "+cert.Serial)
	e.certs = func([]token.Certificate) certEdit {
		return certEdit{put: []token.Certificate{cert}}
	}
	return s.card.apply(ctx, e)
}

// Resume returns the open intents of a kind as steps, the oldest first. They may be
// of sessions that are over.
func (c *Card) Resume(kind token.IntentKind) []*Step {
	var out []*Step
	for _, i := range c.open {
		if i.Kind == kind {
			out = append(out, &Step{card: c, intent: i})
		}
	}
	return out
}

// Revocation is a certificate that is to be revoked.
type Revocation struct {
	token.CertID
	// Authority and CA find the CA that issued it.
	Authority string `json:",omitempty"`
	CA        string `json:",omitempty"`
	Revoke
}

// Revoke says how certificates are revoked.
type Revoke struct {
	// Reason is the number of RFC 5280 §5.3.1: 6 holds the certificate, and 8 releases
	// one on hold.
	Reason int
	// EvenShared revokes a certificate that another active token holds too.
	EvenShared bool `json:",omitempty"`
	// Then is the state that the token moves to with the end of the last revocation
	// that says so; nil leaves the state to others.
	Then *token.State `json:",omitempty"`
	// Why is the reason that was given for the change of state.
	Why string `json:",omitempty"`
}

// Revocation reads what a revocation intent says.
func (s *Step) Revocation() (Revocation, error) {
	var r Revocation
	err := json.Unmarshal([]byte(s.intent.Detail), &r)
	if err == nil && (s.intent.Kind != token.IntentRevokeCert || r.Serial == "") {
		err = errors.New("it is no revocation")
	}
	if err != nil {
		return r, fmt.Errorf("reading intent %s: %w", s.intent.ID, err)
	}
	return r, nil
}

// revocation makes the intent to revoke a certificate.
func (c *Card) revocation(n token.Certificate, how Revoke) token.Intent {
	detail, err := json.Marshal(Revocation{
		CertID: n.CertID, Authority: n.Authority, CA: n.CA, Revoke: how,
	})
	if err != nil { // strings and numbers always marshal
		panic("tokendb: " + err.Error())
	}
	op := token.OpCertRevocation
	if c.admitted != nil {
		op = c.admitted.Op
	}
	return token.Intent{
		ID: c.db.nextIntent(c.session), CUID: c.rec.CUID, Session: c.session.ID,
		Actor: c.session.Actor, Op: op, Kind: token.IntentRevokeCert,
		From: n.KeyType, To: n.Serial, Detail: string(detail),
	}
}

// BeginRevocations records that certificates are to be revoked, each once. Resume
// gives the steps.
func (c *Card) BeginRevocations(ctx context.Context, list []token.Certificate, how Revoke) error {
	e := edit{why: "certificates to be revoked", to: asItIs}
	for _, n := range list {
		if !c.revoking(n.CertID) {
			e.begin = append(e.begin, c.revocation(n, how))
		}
	}
	if len(e.begin) == 0 {
		return nil
	}
	return c.apply(ctx, e)
}

// revoking tells whether the revocation of a certificate is on its way already.
func (c *Card) revoking(id token.CertID) bool {
	for _, s := range c.Resume(token.IntentRevokeCert) {
		if r, err := s.Revocation(); err == nil && r.CertID == id {
			return true
		}
	}
	return false
}

func asItIs(r token.Record) (token.Record, error) { return r, nil }

// Reasons that mean more than that a certificate is revoked.
const (
	reasonHold    = 6
	reasonRelease = 8
)

// Revoked records that the CA has done what was asked for, on every token that has
// the certificate; activity cert_revocation or cert_unrevocation. It is written even
// if the client has gone.
func (s *Step) Revoked(ctx context.Context, r Revocation) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	e := s.card.ending(s.intent, token.OutcomeDone, "")
	status, op := token.CertRevoked, token.OpCertRevocation
	switch r.Reason {
	case reasonHold:
		status = token.CertOnHold
	case reasonRelease:
		status, op = token.CertActive, token.OpCertUnrevocation
	}
	e.mark = []store.CertMark{{CertID: r.CertID, Status: status}}
	e.activities = []token.Activity{s.card.activity(op, token.Success,
		fmt.Sprintf("certificate %s, reason %d", r.Serial, r.Reason))}
	s.card.follow(&e, s.intent, r.Revoke)
	return s.card.apply(ctx, e)
}

// Spared records that a certificate is not revoked after all, and why: another token
// needs it (activity token_modify), or its CA does not know it or can't (activity
// cert_revocation or cert_unrevocation, failed). It is written even if the client has
// gone.
func (s *Step) Spared(ctx context.Context, r Revocation, shared bool, cause error) error {
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	e := s.card.ending(s.intent, token.OutcomeFailed, cause.Error())
	op, result := token.OpCertRevocation, token.Failure
	switch {
	case shared:
		op, result = token.OpModify, token.Success
	case r.Reason == reasonRelease:
		op = token.OpCertUnrevocation
	}
	e.activities = []token.Activity{s.card.activity(op, result,
		fmt.Sprintf("certificate %s not revoked: %v", r.Serial, cause))}
	s.card.follow(&e, s.intent, r.Revoke)
	return s.card.apply(ctx, e)
}
