package op

import (
	"context"
	"time"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// releaseReason ends the hold of a certificate; it is no reason to revoke one.
const releaseReason = 8

// ChangeState moves a token to a state as a person asks for, who may do so, without
// the card: it is damaged, lost, found, terminated or released for reuse. Its
// certificates are revoked, held or released as their token type says for the reason
// that comes with the state. When a CA can't be asked the token stays as it is.
// Asking for the state that it is in changes nothing.
func ChangeState(ctx context.Context, e *contact.Env, card *tokendb.Card, to token.State) error {
	if card.Known() && card.Record().Status == to {
		return nil
	}
	if err := card.CheckState(to); err != nil {
		return err
	}
	defer e.Busy.Enter(card.Record().CUID)()
	ids, err := beginChanges(ctx, e, card, to)
	if err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "changing state to %s", to)
	}
	if err := e.Authorities.Revoke(ctx, card); err != nil {
		err = contact.Failf(wire.StatusRevokeCertificates, err, "changing state to %s", to)
		if off := card.CallOff(ctx, ids, err); off != nil {
			return contact.Failf(wire.StatusUpdateTokenDBFailed, off, "giving up a change of state")
		}
		return err
	}
	err = card.ChangeState(ctx, to, e.Settings.Cleared)
	return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "changing state to %s", to)
}

// beginChanges announces what is to become of the token's certificates.
func beginChanges(ctx context.Context, e *contact.Env, card *tokendb.Card, to token.State) (
	[]token.CertID, error,
) {
	var ids []token.CertID
	for _, c := range card.Certificates() {
		how, ok := change(e, card, c, to)
		if !ok {
			continue
		}
		if how == nil {
			if err := card.KeepCertificate(ctx, c.CertID, "as its token type says"); err != nil {
				return nil, err
			}
			continue
		}
		err := card.BeginRevocations(ctx, []token.Certificate{c}, *how)
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.CertID)
	}
	return ids, nil
}

// change tells what becomes of a certificate when its token changes to a state: nil
// means that it is kept although it might have been revoked, and false that there is
// nothing to be done about it.
func change(e *contact.Env, card *tokendb.Card, c token.Certificate, to token.State) (
	*tokendb.Revoke, bool,
) {
	if to == token.Active && card.Record().Status == token.Suspended {
		return &tokendb.Revoke{Reason: releaseReason}, c.Status == token.CertOnHold
	}
	reason := token.ReasonFor(to)
	if reason == token.ReasonNone || c.Status == token.CertRevoked || c.Presence != token.Held {
		return nil, false
	}
	k, ok := e.Settings.Enrolls[c.Type].Keys[c.KeyType]
	if !ok {
		return &tokendb.Revoke{}, true // of a type that is not configured any more
	}
	loss := k.Loss[reason]
	if !loss.Revoke || !loss.Expired && outside(c, card.Now()) {
		return nil, true
	}
	return &tokendb.Revoke{Reason: int(loss.Reason), EvenShared: !loss.KeepShared}, true
}

// outside tells whether a certificate has expired, or is not valid yet.
func outside(c token.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || !now.Before(c.NotAfter)
}
