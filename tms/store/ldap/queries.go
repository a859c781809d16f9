package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Token returns the record of one card.
func (s *Store) Token(ctx context.Context, cuid keys.CUID) (token.Record, error) {
	k, err := s.card(ctx, cuid)
	if err == nil && !k.has {
		err = store.ErrNotFound
	}
	if err != nil {
		return token.Record{}, fmt.Errorf("reading token %s: %w", cuid, err)
	}
	return k.rec, nil
}

// narrowing collects the conditions of a question that the directory knows an index for.
type narrowing []filter

func (n *narrowing) add(attr, value string) {
	if value != "" {
		*n = append(*n, equals(attr, value))
	}
}

// matches says whether a value is the one asked for, if any is: exactly, not as a directory compares.
func matches(asked, value string) bool { return asked == "" || asked == value }

// Tokens returns a page of records, the latest modified first.
func (s *Store) Tokens(ctx context.Context, q store.TokenQuery) (page store.TokenPage, err error) {
	size, err := store.PageSize(q.Limit)
	if err != nil {
		return page, err
	}
	if len(q.Status) > len(token.States()) {
		return page, fmt.Errorf("%w: %d states asked for", store.ErrInvalid, len(q.Status))
	}
	var n narrowing
	n.add("tokenUserID", q.UserID)
	n.add("tokenType", q.Type)
	if len(q.Status) > 0 {
		n = append(n, or(statuses(q.Status)...))
	}
	l := list[token.Record]{
		place: s.tokens, attrs: tokenAttrs, narrow: n, ours: equals("objectClass", "tmsCard"), newest: true,
		class: equals("objectClass", "tokenRecord"), from: bound(q.ModifiedFrom),
		until: bound(q.ModifiedUntil),
		read: func(e *ldap.Entry) (token.Record, string, bool, error) {
			if e.GetAttributeValue("tmsAbsent") == absent {
				return token.Record{}, "", false, nil
			}
			r, err := readRecord(e)
			keep := matches(q.UserID, r.UserID) && matches(q.Type, r.Type) &&
				(len(q.Status) == 0 || slices.Contains(q.Status, r.Status))
			return r, placeOf(r.Modified, r.CUID.String()), keep, err
		},
	}
	l.after, err = afterOf(q.After, func(name string) bool {
		_, err := keys.ParseCUID(name)
		return err == nil
	})
	if err != nil {
		return page, err
	}
	got, more, err := l.run(ctx, s, size)
	if err != nil {
		return page, fmt.Errorf("listing tokens: %w", err)
	}
	for _, f := range got {
		page.Tokens = append(page.Tokens, f.item)
	}
	if more {
		last := got[len(got)-1].item
		page.Next = store.Position{At: last.Modified, Key: last.CUID.String()}.Cursor()
	}
	return page, nil
}

// statuses match the states as this home writes them, and as others may have.
func statuses(states []token.State) []filter {
	var out []filter
	for _, st := range states {
		out = append(out, equals("tokenStatus", st.String()))
		switch st {
		case token.Formatted:
			out = append(out, equals("tokenStatus", "uninitialized"))
		case token.Suspended:
			out = append(out, equals("tokenStatus", "temp_lost"), equals("tokenStatus", "lost"))
		case token.PermLost:
			out = append(out, equals("tokenStatus", "temp_lost_perm_lost"),
				equals("tokenStatus", "lost"))
		case token.Damaged, token.Terminated:
			out = append(out, equals("tokenStatus", "lost"))
		default:
		}
	}
	return out
}

// Activities returns a page of activities, the latest first.
func (s *Store) Activities(ctx context.Context, q store.ActivityQuery) (
	page store.ActivityPage, err error,
) {
	size, err := store.PageSize(q.Limit)
	if err != nil {
		return page, err
	}
	var n narrowing
	if (q.CUID != keys.CUID{}) {
		n.add("tokenID", q.CUID.String())
	}
	n.add("tokenUserID", q.UserID)
	n.add("tmsSession", q.Session)
	switch q.Op {
	case token.OpCertUnrevocation:
		n = append(n, or(equals("tokenOp", string(q.Op)), equals("tokenOp", "cert_restoration")))
	default:
		n.add("tokenOp", string(q.Op))
	}
	n.add("tokenResult", string(q.Result))
	l := list[token.Activity]{
		place: s.activities, attrs: activityAttrNames, narrow: n, ours: equals("objectClass", "tmsEvent"), newest: true,
		class: equals("objectClass", "tokenActivity"), from: bound(q.From), until: bound(q.Until),
		read: func(e *ldap.Entry) (token.Activity, string, bool, error) {
			a, err := readActivity(e)
			keep := matches(q.UserID, a.UserID) && matches(q.Session, a.Session)
			return a, placeOf(a.At, e.GetAttributeValue("cn")), keep, err
		},
	}
	l.after, err = afterOf(q.After, func(name string) bool { return strings.Contains(name, ".") })
	if err != nil {
		return page, err
	}
	if err := s.settleFor(ctx, q.CUID); err != nil {
		return page, fmt.Errorf("listing activities: %w", err)
	}
	got, more, err := l.run(ctx, s, size)
	if err != nil {
		return page, fmt.Errorf("listing activities: %w", err)
	}
	for _, f := range got {
		page.Activities = append(page.Activities, f.item)
	}
	if more {
		page.Next = next(got[len(got)-1].place)
	}
	return page, nil
}

// next is the cursor of a place in the order.
func next(place string) store.Cursor {
	at, err := parseExact(place[:exactDigits])
	if err != nil {
		return "" // places are made of times
	}
	return store.Position{At: at, Key: place[exactDigits+1:]}.Cursor()
}

// settleFor empties the outboxes that could hold something of a card, or of any.
func (s *Store) settleFor(ctx context.Context, cuid keys.CUID) error {
	if s.readOnly {
		return nil
	}
	if (cuid == keys.CUID{}) {
		return s.settleAll(ctx)
	}
	return s.settle(ctx, s.tokens.child("cn", cuid.String()))
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

// Intents returns a page of intents, the oldest first.
func (s *Store) Intents(ctx context.Context, q store.IntentQuery) (page store.IntentPage, err error) {
	size, err := store.PageSize(q.Limit)
	if err != nil {
		return page, err
	}
	var n narrowing
	if (q.CUID != keys.CUID{}) {
		n.add("tokenID", q.CUID.String())
	}
	if !q.Ended {
		n.add("tmsState", stateOpen)
	}
	l := list[token.Intent]{
		place: s.intents, attrs: intentAttrNames, narrow: n, class: equals("objectClass", "tmsIntent"),
		ours: equals("objectClass", "tmsIntent"),
		read: func(e *ldap.Entry) (token.Intent, string, bool, error) {
			if e.GetAttributeValue("tmsState") == stateReserved {
				return token.Intent{}, "", false, nil
			}
			i, err := readIntent(e)
			tick, bad := strconv.ParseInt(e.GetAttributeValue("tmsSeq"), 10, 64)
			return i, placeOf(time.Unix(0, tick), e.GetAttributeValue("cn")), true,
				errors.Join(err, bad)
		},
	}
	l.after, err = afterOf(q.After, func(name string) bool { return len(name) == intentDigits })
	if err != nil {
		return page, err
	}
	if s.noIntents {
		return page, nil
	}
	if err := s.settleFor(ctx, q.CUID); err != nil {
		return page, fmt.Errorf("listing intents: %w", err)
	}
	got, more, err := l.run(ctx, s, size)
	if err != nil {
		return page, fmt.Errorf("listing intents: %w", err)
	}
	for _, f := range got {
		page.Intents = append(page.Intents, f.item)
	}
	if more {
		page.Next = next(got[len(got)-1].place)
	}
	return page, nil
}

// Certificates returns a page of certificate records, the oldest first.
func (s *Store) Certificates(ctx context.Context, q store.CertQuery) (page store.CertPage, err error) {
	size, err := store.PageSize(q.Limit)
	if err != nil {
		return page, err
	}
	l := s.certList(q)
	l.after, err = afterOf(q.After, func(name string) bool { return strings.Contains(name, ".") })
	if err != nil {
		return page, err
	}
	if err := s.settleAll(ctx); err != nil { // another card's change may have marked it
		return page, fmt.Errorf("listing certificates: %w", err)
	}
	got, more, err := l.run(ctx, s, size)
	if err != nil {
		return page, fmt.Errorf("listing certificates: %w", err)
	}
	for _, f := range got {
		page.Certificates = append(page.Certificates, f.item)
	}
	if more {
		page.Next = next(got[len(got)-1].place)
	}
	return page, nil
}

func (s *Store) certList(q store.CertQuery) list[token.Certificate] {
	var n narrowing
	if (q.CUID != keys.CUID{}) {
		n.add("tokenID", q.CUID.String())
	}
	if q.Serial != "" {
		n = append(n, or(equals("tokenSerial", "0x"+q.Serial), equals("tokenSerial", q.Serial)))
	}
	n.add("tokenUserID", q.UserID)
	if q.Serial == "" { // a serial number narrows enough
		n.add("tokenIssuer", q.Issuer)
	}
	switch q.Presence {
	case "", token.Held: // what Dogtag has written is held, and does not say so
	default:
		n.add("tmsPresence", string(q.Presence))
	}
	return list[token.Certificate]{
		place: s.certs, attrs: certAttrNames, narrow: n, ours: equals("objectClass", "tmsCertificate"),
		class: equals("objectClass", "tokenCert"),
		read: func(e *ldap.Entry) (token.Certificate, string, bool, error) {
			if e.GetAttributeValue("tmsAbsent") == absent {
				return token.Certificate{}, "", false, nil
			}
			c, err := readCert(e)
			keep := matches(q.UserID, c.UserID) && matches(q.Issuer, c.Issuer) &&
				matches(q.Serial, c.Serial) && (q.Presence == "" || q.Presence == c.Presence)
			return c, placeOf(c.Created, e.GetAttributeValue("cn")), keep, err
		},
	}
}
