package sql

import (
	stdsql "database/sql"
	"errors"
	"fmt"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// scanToken reads a row of tokenColumns.
func scanToken(rows *stdsql.Rows) (token.Record, error) {
	var (
		r                      token.Record
		cuid, reason, policy   string
		status, before         int
		created, modified      int64
		e1, e2, e3, e4, e5, er error
	)
	er = rows.Scan(&cuid, &r.UserID, &r.Type, &status, &reason, &before, &r.AppletID, &r.KeyInfo,
		&policy, &created, &modified, &r.ModifiedBy, &r.ModifiedWhy, &r.Rev)
	if er != nil {
		return r, er
	}
	r.CUID, e1 = keys.ParseCUID(cuid)
	r.Status, e2 = token.StateFromCode(status)
	r.Before, e3 = token.StateFromCode(before)
	r.Reason, e4 = token.ParseReason(reason)
	r.Policy, e5 = token.ParsePolicy(policy)
	r.Created, r.Modified = fromNanos(created), fromNanos(modified)
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		return r, fmt.Errorf("stored record %q: %w", cuid, err)
	}
	return r, nil
}

// scanActivity reads a row of activityColumns.
func scanActivity(rows *stdsql.Rows) (token.Activity, error) {
	var (
		a                token.Activity
		cuid, op, result string
		at               int64
		e1, e2, e3       error
	)
	err := rows.Scan(&a.ID, &cuid, &a.UserID, &a.Actor, &a.IP, &op, &result, &a.Message, &a.Type,
		&a.Session, &at)
	if err != nil {
		return a, err
	}
	a.CUID, e1 = keys.ParseCUID(cuid)
	a.Op, e2 = token.ParseOp(op)
	a.Result, e3 = token.ParseResult(result)
	a.At = fromNanos(at)
	if err := errors.Join(e1, e2, e3); err != nil {
		return a, fmt.Errorf("stored activity %d: %w", a.ID, err)
	}
	return a, nil
}

// intentRow is an intent with its place in the order of recording.
type intentRow struct {
	token.Intent
	seq int64
}

// scanIntent reads a row of intentColumns.
func scanIntent(rows *stdsql.Rows) (intentRow, error) {
	var (
		i         intentRow
		cuid      string
		at, ended int64
	)
	err := rows.Scan(&i.ID, &cuid, &i.Session, &i.Actor, &i.Op, &i.Kind, &i.From, &i.To, &i.seq,
		&at, &i.Outcome, &ended, &i.EndedBy, &i.Detail)
	if err != nil {
		return i, err
	}
	i.At, i.Ended = fromNanos(at), fromNanos(ended)
	if i.CUID, err = keys.ParseCUID(cuid); err != nil {
		return i, fmt.Errorf("stored intent %q: %w", i.ID, err)
	}
	return i, nil
}
