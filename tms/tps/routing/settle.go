package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// Settle finishes or undoes what sessions that are over left open at CAs and KRAs: a
// certificate that may have been issued is asked for again, which gives the same one,
// and those that never came to be used are revoked. What can't be settled now, since
// a CA or KRA does not answer, stays open, and the error says so.
func (r *Router) Settle(ctx context.Context, card *tokendb.Card) error {
	var errs []error
	if err := card.Flush(ctx); err != nil {
		errs = append(errs, err)
	}
	for _, step := range card.Resume(token.IntentIssueCert) {
		if err := r.again(ctx, step); err != nil {
			errs = append(errs, err)
		}
	}
	for _, step := range card.Resume(token.IntentArchiveKey) {
		if err := r.archived(ctx, step); err != nil {
			errs = append(errs, err)
		}
	}
	if err := card.Abandon(ctx); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, r.Revoke(ctx, card))...)
}

// again repeats a request for a certificate.
func (r *Router) again(ctx context.Context, step *tokendb.Step) error {
	i := step.Intent()
	var req Request
	if err := json.Unmarshal([]byte(i.Detail), &req); err != nil {
		return fmt.Errorf("reading intent %s: %w", i.ID, err)
	}
	ca, err := r.CA(req.CA)
	if err != nil {
		return err
	}
	_, err = r.issue(ctx, ca, step, req, step.Issued)
	if refused(err) || errors.Is(err, ErrCertificate) {
		return nil // and so recorded
	}
	if err != nil {
		return fmt.Errorf("asking for a certificate again: %w", err)
	}
	return nil
}

// archived looks whether a key was archived. If it was, it stays: nobody but its
// owner can have it, and no certificate names it.
func (r *Router) archived(ctx context.Context, step *tokendb.Step) error {
	i := step.Intent()
	kra, err := r.KRA(i.Detail)
	if err != nil {
		return err
	}
	_, err = kra.FindKey(ctx, connector.KeyQuery{RequestID: i.ID})
	switch {
	case err == nil:
		return step.Done(ctx)
	case errors.Is(err, connector.ErrKeyNotFound):
		return step.Failed(ctx, err)
	}
	return fmt.Errorf("looking for an archived key: %w", err)
}

// Unfinished finds the cards to settle.
type Unfinished interface {
	Unfinished(ctx context.Context, h tokendb.History) ([]keys.CUID, error)
	Look(ctx context.Context, s tokendb.Session, cuid keys.CUID) (*tokendb.Card, error)
}

// Reconcile settles all cards that have something open at a CA or KRA, but those for
// which busy says that a session is at work. session is an id that was never used
// before.
func (r *Router) Reconcile(ctx context.Context, db Unfinished, h tokendb.History, session string,
	busy func(keys.CUID) bool,
) error {
	list, err := db.Unfinished(ctx, h)
	if err != nil {
		return err
	}
	var errs []error
	for _, cuid := range list {
		if busy(cuid) {
			continue
		}
		card, err := db.Look(ctx, tokendb.Session{ID: session, Actor: "server"}, cuid)
		if err == nil && card.Known() {
			err = r.Settle(ctx, card)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("token %s: %w", cuid, err))
		}
	}
	return errors.Join(errs...)
}
