package op

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// releaseReason ends the hold of a certificate; it is no reason to revoke one.
const releaseReason = 8

// ErrLater means that a change of state waits for a CA: the token is as it was, what
// is to be done is recorded, and the server goes on trying.
var ErrLater = errors.New("it is recorded, and will be done as soon as the certificate " +
	"authority answers")

// errReplaced is why a change of state that waited is given up.
var errReplaced = errors.New("another change of state was asked for")

// ChangeState moves a token to a state as a person asks for, who may do so, without
// the card: it is damaged, lost, found, terminated or released for reuse. Its
// certificates are revoked, held or released as their token type says for the reason
// that comes with the state, each by the CA that issued it. When no connection leads to
// that CA, nothing is done. When the CA does not answer, the token stays as it is until
// it does: ErrLater. Asking for another state, or for the one it is in, gives up a
// change that waits.
func ChangeState(ctx context.Context, e *contact.Env, card *tokendb.Card, to token.State) error {
	defer e.Busy.Enter(card.Record().CUID)()
	err := changeState(ctx, e, card, to)
	if err == nil || !card.Known() || errors.Is(err, tokendb.ErrNotAllowed) {
		return err
	}
	if failed := card.Fail(ctx, token.OpStatusChange, err); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

func changeState(ctx context.Context, e *contact.Env, card *tokendb.Card, to token.State) error {
	waits, again := card.Announced()
	if again && waits != to {
		if err := card.CallOff(ctx, errReplaced); err != nil {
			return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "giving up a change of state")
		}
	}
	if card.Known() && card.Record().Status == to {
		return nil
	}
	if err := card.CheckState(to); err != nil {
		return err
	}
	if !again || waits != to {
		if err := announce(ctx, e, card, to); err != nil {
			return err
		}
	}
	if err := e.Authorities.Revoke(ctx, card); err != nil {
		if _, waits := card.Announced(); waits {
			err = fmt.Errorf("%w: %w", ErrLater, err)
		}
		return contact.Failf(wire.StatusRevokeCertificates, err, "changing state to %s", to)
	}
	if card.Record().Status == to { // it came with the last revocation
		return nil
	}
	err := card.ChangeState(ctx, to, e.Settings.Cleared)
	return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "changing state to %s", to)
}

// announce records what is to become of the token's certificates, having made sure that
// there is a way to the CA of each that has to be asked.
func announce(ctx context.Context, e *contact.Env, card *tokendb.Card, to token.State) error {
	var list []tokendb.Revoking
	var kept []token.CertID
	for _, c := range card.Certificates() {
		c.CA = cmp.Or(c.CA, e.Settings.Enrolls[c.Type].Keys[c.KeyType].CA) // others' records name none
		switch how, ok := change(e, card, c, to); {
		case ok && how == nil:
			kept = append(kept, c.CertID)
		case ok:
			if err := leads(ctx, e, card, c, *how); err != nil {
				return contact.Failf(wire.StatusRevokeCertificates, err, "changing state to %s", to)
			}
			list = append(list, tokendb.Revoking{Certificate: c, Revoke: *how})
		}
	}
	err := card.BeginChange(ctx, to, list, kept)
	return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "changing state to %s", to)
}

// leads wants a connection that leads to the CA of a certificate, unless it need not be
// asked.
func leads(ctx context.Context, e *contact.Env, card *tokendb.Card, c token.Certificate,
	how tokendb.Revoke,
) error {
	_, err := e.Authorities.Signer(c.Authority, c.CA)
	if err == nil {
		return nil
	}
	if !how.EvenShared && how.Reason != releaseReason {
		if held, herr := card.HeldElsewhere(ctx, c.CertID); herr != nil || held {
			return herr
		}
	}
	return fmt.Errorf("revoking certificate %s: %w", c.Serial, err)
}

// reasonOf are the reasons for which certificates are revoked whose kind of key nobody has
// configured, such as those that a registration had brought to the card: one that may be
// found is held.
var reasonOf = map[token.Reason]int{
	token.ReasonOnHold:        int(connector.ReasonCertificateHold),
	token.ReasonKeyCompromise: int(connector.ReasonKeyCompromise),
	token.ReasonTerminated:    int(connector.ReasonCessationOfOperation),
	token.ReasonDestroyed:     int(connector.ReasonUnspecified),
}

// change tells what becomes of a certificate when its token changes to a state: nil
// means that it is kept although it might have been revoked, and false that there is
// nothing to be done about it.
func change(e *contact.Env, card *tokendb.Card, c token.Certificate, to token.State) (
	*tokendb.Revoke, bool,
) {
	if card.Record().Status == token.Suspended && (to == token.Active || to == token.Formatted) {
		return &tokendb.Revoke{Reason: releaseReason}, c.Status == token.CertOnHold
	}
	reason := token.ReasonFor(to)
	held := c.Presence == token.Held
	// What the card held before, such as a certificate that was renewed, may be for a key
	// that is on it still. What is not settled yet, whoever settles it sees to.
	if reason == token.ReasonNone || c.Status == token.CertRevoked ||
		!held && c.Presence != token.Gone {
		return nil, false
	}
	k, ok := e.Settings.Enrolls[c.Type].Keys[c.KeyType]
	if !ok {
		return &tokendb.Revoke{Reason: reasonOf[reason]}, true // of a kind that is not configured
	}
	loss := k.Loss[reason]
	if !loss.Revoke || !loss.Expired && outside(c, card.Now()) {
		return nil, true
	}
	return &tokendb.Revoke{Reason: int(loss.Reason), EvenShared: held && !loss.KeepShared}, true
}

// outside tells whether a certificate has expired, or is not valid yet.
func outside(c token.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || !now.Before(c.NotAfter)
}
