package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

const (
	tokenColumns = `cuid, user_id, type, status, reason, before_status, applet_id, key_info,
		policy, created, modified, modified_by, modified_why, rev`
	activityColumns = "id, cuid, user_id, actor, ip, op, result, message, type, session, at"
	intentColumns   = `id, cuid, session, actor, op, kind, from_info, to_info, seq, at, outcome,
		ended, ended_by, detail`
)

// Token returns the record of one card.
func (s *Store) Token(ctx context.Context, cuid keys.CUID) (token.Record, error) {
	q := query{}
	q.where("cuid = ?", cuid.String())
	recs, err := list(ctx, s, q.text(tokenColumns, "tokens", "cuid", 1), q.args, scanToken)
	if err == nil && len(recs) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return token.Record{}, fmt.Errorf("reading token %s: %w", cuid, err)
	}
	return recs[0], nil
}

// OpenIntents returns the open intents of one card, oldest first.
func (s *Store) OpenIntents(ctx context.Context, cuid keys.CUID) ([]token.Intent, error) {
	var all []token.Intent
	for q := (store.IntentQuery{CUID: cuid, Limit: store.MaxLimit}); ; {
		page, err := s.Intents(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Intents...)
		if q.After = page.Next; q.After == "" {
			return all, nil
		}
	}
}

// Tokens returns a page of records, the latest modified first.
func (s *Store) Tokens(ctx context.Context, tq store.TokenQuery) (store.TokenPage, error) {
	size, err := store.PageSize(tq.Limit)
	if err != nil {
		return store.TokenPage{}, err
	}
	q, err := tokenQuery(tq)
	if err != nil {
		return store.TokenPage{}, err
	}
	text := q.text(tokenColumns, "tokens", "modified DESC, cuid DESC", size+1)
	recs, err := list(ctx, s, text, q.args, scanToken)
	if err != nil {
		return store.TokenPage{}, fmt.Errorf("listing tokens: %w", err)
	}
	page := store.TokenPage{Tokens: recs}
	if len(recs) > size {
		page.Tokens = recs[:size]
		last := recs[size-1]
		page.Next = store.Position{At: last.Modified, Key: last.CUID.String()}.Cursor()
	}
	return page, nil
}

func tokenQuery(tq store.TokenQuery) (query, error) {
	var q query
	q.equal("user_id", tq.UserID)
	q.equal("type", tq.Type)
	if len(tq.Status) > len(token.States()) {
		return q, fmt.Errorf("%w: %d states asked for", store.ErrInvalid, len(tq.Status))
	}
	if len(tq.Status) > 0 {
		codes := make([]any, len(tq.Status))
		for i, st := range tq.Status {
			codes[i] = st.Code()
		}
		q.where("status IN (?"+strings.Repeat(", ?", len(codes)-1)+")", codes...)
	}
	if !tq.ModifiedFrom.IsZero() {
		q.where("modified >= ?", nanos(tq.ModifiedFrom))
	}
	if !tq.ModifiedUntil.IsZero() {
		q.where("modified < ?", nanos(tq.ModifiedUntil))
	}
	p, ok, err := tq.After.Position()
	if !ok {
		return q, err
	}
	if _, err := keys.ParseCUID(p.Key); err != nil {
		return q, fmt.Errorf("%w: cursor of another question", store.ErrInvalid)
	}
	q.where("(modified, cuid) < (?, ?)", nanos(p.At), p.Key)
	return q, nil
}

// Activities returns a page of activities, the latest first.
func (s *Store) Activities(ctx context.Context, aq store.ActivityQuery) (
	store.ActivityPage, error,
) {
	size, err := store.PageSize(aq.Limit)
	if err != nil {
		return store.ActivityPage{}, err
	}
	q, err := activityQuery(aq)
	if err != nil {
		return store.ActivityPage{}, err
	}
	text := q.text(activityColumns, "activities", "at DESC, id DESC", size+1)
	acts, err := list(ctx, s, text, q.args, scanActivity)
	if err != nil {
		return store.ActivityPage{}, fmt.Errorf("listing activities: %w", err)
	}
	page := store.ActivityPage{Activities: acts}
	if len(acts) > size {
		page.Activities = acts[:size]
		last := acts[size-1]
		page.Next = store.Position{At: last.At, Key: strconv.FormatInt(last.ID, 10)}.Cursor()
	}
	return page, nil
}

func activityQuery(aq store.ActivityQuery) (query, error) {
	var q query
	if (aq.CUID != keys.CUID{}) {
		q.where("cuid = ?", aq.CUID.String())
	}
	q.equal("user_id", aq.UserID)
	q.equal("session", aq.Session)
	q.equal("op", string(aq.Op))
	q.equal("result", string(aq.Result))
	if !aq.From.IsZero() {
		q.where("at >= ?", nanos(aq.From))
	}
	if !aq.Until.IsZero() {
		q.where("at < ?", nanos(aq.Until))
	}
	p, ok, err := aq.After.Position()
	if !ok {
		return q, err
	}
	id, err := positionID(p)
	q.where("(at, id) < (?, ?)", nanos(p.At), id)
	return q, err
}

// Intents returns a page of intents, the oldest first.
func (s *Store) Intents(ctx context.Context, iq store.IntentQuery) (store.IntentPage, error) {
	size, err := store.PageSize(iq.Limit)
	if err != nil {
		return store.IntentPage{}, err
	}
	q, err := intentQuery(iq)
	if err != nil {
		return store.IntentPage{}, err
	}
	rows, err := list(ctx, s, q.text(intentColumns, "intents", "seq", size+1), q.args, scanIntent)
	if err != nil {
		return store.IntentPage{}, fmt.Errorf("listing intents: %w", err)
	}
	var page store.IntentPage
	if len(rows) > size {
		rows = rows[:size]
		last := rows[size-1]
		page.Next = store.Position{At: last.At, Key: strconv.FormatInt(last.seq, 10)}.Cursor()
	}
	for _, r := range rows {
		page.Intents = append(page.Intents, r.Intent)
	}
	return page, nil
}

func intentQuery(iq store.IntentQuery) (query, error) {
	var q query
	if (iq.CUID != keys.CUID{}) {
		q.where("cuid = ?", iq.CUID.String())
	}
	if !iq.Ended {
		q.where("outcome = ''")
	}
	p, ok, err := iq.After.Position()
	if !ok {
		return q, err
	}
	seq, err := positionID(p)
	q.where("seq > ?", seq)
	return q, err
}

func positionID(p store.Position) (int64, error) {
	id, err := strconv.ParseInt(p.Key, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: cursor of another question", store.ErrInvalid)
	}
	return id, nil
}

// query collects the conditions of a question. Only text of this package gets
// into it; values travel as arguments.
type query struct {
	conds []string
	args  []any
}

func (q *query) where(cond string, args ...any) {
	q.conds = append(q.conds, cond)
	q.args = append(q.args, args...)
}

// equal adds a condition unless value is empty. Text that no record can hold equals nothing: some
// databases would not even take it for a question.
func (q *query) equal(column, value string) {
	switch {
	case strings.ContainsRune(value, 0) || !utf8.ValidString(value):
		q.where("1 = 0")
	case value != "":
		q.where(column+" = ?", value)
	}
}

func (q *query) text(columns, table, order string, limit int) string {
	text := "SELECT " + columns + " FROM " + table
	if len(q.conds) > 0 {
		text += " WHERE " + strings.Join(q.conds, " AND ")
	}
	return text + " ORDER BY " + order + " LIMIT " + strconv.Itoa(limit)
}

// list answers a question within the time limit.
func list[T any](ctx context.Context, s *Store, text string, args []any,
	scan func(*stdsql.Rows) (T, error),
) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	items, err := collect(ctx, s.engine.Reads(), s.engine.text(text), args, scan)
	switch {
	case err == nil:
		return items, nil
	case ctx.Err() != nil:
		return nil, ctx.Err() // the driver only says that it was interrupted
	case closed(err):
		return nil, store.ErrClosed
	}
	return nil, err
}

func collect[T any](ctx context.Context, db *stdsql.DB, text string, args []any,
	scan func(*stdsql.Rows) (T, error),
) (_ []T, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var items []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}

// closed tells the one thing that database/sql says of itself when it is closed.
func closed(err error) bool { return err != nil && err.Error() == "sql: database is closed" }
