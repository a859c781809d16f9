package certdb

import (
	"context"
	"fmt"
	"time"

	"tokenwright/tms/connector"
)

// Live is what is known of the state of a certificate that was issued.
type Live struct {
	Serial connector.Serial
	Status
	created int64 // place in the order of Live
}

const liveColumns = "serial, state, reason, revoked_at, not_after, rev, created"

// Live gives certificates that were issued and have not ended at a time, the newest first. A page
// begins after the one that the page before ended with; the first has after nil.
func (db *DB) Live(ctx context.Context, at time.Time, after *Live, limit int) ([]Live, error) {
	text := "SELECT " + liveColumns + " FROM certs WHERE state <> 0 AND not_after > ?"
	args := []any{at.Unix()}
	if after != nil {
		text += " AND (created, serial) < (?, ?)"
		args = append(args, after.created, string(after.Serial))
	}
	text += " ORDER BY created DESC, serial DESC LIMIT ?"
	out, err := rows(ctx, db, text, append(args, limit), scanLive)
	if err != nil {
		return nil, fmt.Errorf("listing certificates that have not ended: %w", err)
	}
	return out, nil
}

// Changed gives the certificates that were issued, or whose state changed, after a revision, the
// earliest change first.
func (db *DB) Changed(ctx context.Context, rev int64, limit int) ([]Live, error) {
	out, err := rows(ctx, db, "SELECT "+liveColumns+" FROM certs WHERE rev > ? AND rev > 0 "+
		"ORDER BY rev LIMIT ?", []any{rev, limit}, scanLive)
	if err != nil {
		return nil, fmt.Errorf("listing certificates that changed: %w", err)
	}
	return out, nil
}

// Revision gives the revision of the latest change.
func (db *DB) Revision(ctx context.Context) (rev int64, err error) {
	err = db.reads.QueryRowContext(ctx, "SELECT value FROM counters WHERE name = 'rev'").Scan(&rev)
	if err != nil {
		return 0, fmt.Errorf("revision of certificates: %w", err)
	}
	return rev, nil
}

func scanLive(row scanner) (l Live, err error) {
	var serial string
	var state, reason int
	var revoked, ends int64
	err = row.Scan(&serial, &state, &reason, &revoked, &ends, &l.Rev, &l.created)
	l.Serial, l.State, l.Reason = connector.Serial(serial), State(state), connector.Reason(reason)
	l.RevokedAt, l.NotAfter = fromSeconds(revoked), fromSeconds(ends)
	return l, err
}
