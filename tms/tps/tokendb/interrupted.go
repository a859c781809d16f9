package tokendb

import (
	"context"
	"fmt"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// History is what NoteInterrupted needs to read of a home of records.
type History interface {
	Intents(ctx context.Context, q store.IntentQuery) (store.IntentPage, error)
	Activities(ctx context.Context, q store.ActivityQuery) (store.ActivityPage, error)
}

// NoteInterrupted is for a server's start, before it takes sessions: it finds
// the open intents of sessions that ended without a word, because the server
// was killed, and writes into the history of each token that the operation was
// interrupted, once for each session. It returns all open intents, oldest
// first. The cards are repaired when they are formatted or enrolled next.
func (d *DB) NoteInterrupted(ctx context.Context, h History) ([]token.Intent, error) {
	all, err := openIntents(ctx, h)
	if err != nil {
		return all, err
	}
	noted := make(map[string]bool)
	for _, i := range all {
		key := i.Session + " " + i.CUID.String()
		// A revocation may be left to do although the operation ended well.
		if noted[key] || i.Kind == token.IntentRevokeCert {
			continue
		}
		noted[key] = true
		if err := d.noteOne(ctx, h, i); err != nil {
			return all, err
		}
	}
	return all, nil
}

// openIntents lists the open intents of all cards, the oldest first.
func openIntents(ctx context.Context, h History) ([]token.Intent, error) {
	var all []token.Intent
	for q := (store.IntentQuery{}); ; {
		page, err := h.Intents(ctx, q)
		if err != nil {
			return all, fmt.Errorf("looking for interrupted sessions: %w", err)
		}
		all = append(all, page.Intents...)
		if q.After = page.Next; q.After == "" {
			return all, nil
		}
	}
}

// Unfinished lists the cards with something open at a CA or KRA: a request, a
// revocation, or a certificate of which it is not settled whether it will be used.
func (d *DB) Unfinished(ctx context.Context, h History) ([]keys.CUID, error) {
	open, err := openIntents(ctx, h)
	if err != nil {
		return nil, err
	}
	var list []keys.CUID
	seen := make(map[keys.CUID]bool)
	add := func(cuid keys.CUID) {
		if !seen[cuid] {
			seen[cuid] = true
			list = append(list, cuid)
		}
	}
	for _, i := range open {
		if !i.Kind.OnCard() {
			add(i.CUID)
		}
	}
	for _, p := range []token.Presence{token.Pending, token.Replaced} {
		certs, err := d.certificates(ctx, store.CertQuery{Presence: p})
		if err != nil {
			return nil, fmt.Errorf("looking for unfinished certificates: %w", err)
		}
		for _, n := range certs {
			add(n.CUID)
		}
	}
	return list, nil
}

// noteOne writes the failed activity of one session unless there is one.
func (d *DB) noteOne(ctx context.Context, h History, i token.Intent) error {
	page, err := h.Activities(ctx, store.ActivityQuery{
		CUID: i.CUID, Session: i.Session, Op: i.Op, Result: token.Failure, Limit: 1,
	})
	if err == nil && len(page.Activities) > 0 {
		return nil
	}
	if err == nil {
		_, err = d.store.Apply(ctx, store.Change{
			CUID: i.CUID,
			Activities: []token.Activity{{
				Op: i.Op, Result: token.Failure,
				Message: token.CleanMessage("interrupted, server ended; unfinished: " + i.String()),
			}},
			Actor: "server", Session: i.Session, Why: "server started", At: d.now(),
		})
	}
	if err != nil {
		return fmt.Errorf("noting interrupted session %s: %w", i.Session, err)
	}
	return nil
}
