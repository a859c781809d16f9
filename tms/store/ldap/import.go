package ldap

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

var _ store.Importer = (*Store)(nil)

// Import takes a batch, entry by entry.
func (s *Store) Import(ctx context.Context, b store.Batch) error {
	for _, r := range b.Tokens {
		if err := s.importToken(ctx, r); err != nil {
			return fmt.Errorf("importing token %s: %w", r.CUID, err)
		}
	}
	for _, a := range b.Activities {
		err := s.pool.add(ctx, s.activities.child("cn", activityName(a)), activityClasses,
			activityAttrs(a))
		if err != nil && !is(err, ldap.LDAPResultEntryAlreadyExists) {
			return fmt.Errorf("importing activity %d of token %s: %w", a.ID, a.CUID, err)
		}
	}
	for _, i := range b.Intents {
		if err := s.importIntent(ctx, i); err != nil {
			return fmt.Errorf("importing intent %s: %w", i.ID, err)
		}
	}
	for _, c := range b.Certificates {
		err := s.pool.add(ctx, s.certName(certOf{c.CertID, c.CUID.String()}), certClasses,
			append(certAttrs(c), one("tmsSeq", newSeq(c.Modified.UnixNano()))))
		if err != nil && !is(err, ldap.LDAPResultEntryAlreadyExists) {
			return fmt.Errorf("importing certificate %s: %w", c.Serial, err)
		}
	}
	return nil
}

func (s *Store) importToken(ctx context.Context, r token.Record) error {
	if err := r.Validate(); err != nil {
		return err
	}
	err := s.pool.add(ctx, s.tokens.child("cn", r.CUID.String()), []string{"tokenRecord", "tmsCard"},
		append(recordAttrs(r), one("tmsSeq", newSeq(s.ticker.next(1, 0)))))
	if is(err, ldap.LDAPResultEntryAlreadyExists) {
		return nil
	}
	return err
}

// importIntent records an intent, in the order in which they come among those of the same instant.
func (s *Store) importIntent(ctx context.Context, i token.Intent) error {
	s.mu.Lock()
	s.imported = max(i.At.UnixNano(), s.imported+1)
	tick := s.imported
	s.mu.Unlock()
	state := stateOpen
	if !i.Open() {
		state = string(i.Outcome)
	} else if err := s.importOpen(ctx, i); err != nil {
		return err
	}
	err := s.pool.add(ctx, s.intentName(i.ID), []string{"tmsIntent"}, append(intentAttrs(i, tick),
		one("tmsState", state), one("tmsEnded", exact(i.Ended)), one("tmsEndedBy", i.EndedBy)))
	if is(err, ldap.LDAPResultEntryAlreadyExists) {
		return nil
	}
	return err
}

// importOpen has the card's entry know of an open intent.
func (s *Store) importOpen(ctx context.Context, i token.Intent) error {
	dn := s.tokens.child("cn", i.CUID.String())
	m := modify(dn)
	m.req.Add("tmsOpenIntent", []string{i.ID})
	err := s.pool.modify(ctx, m)
	switch {
	case is(err, ldap.LDAPResultAttributeOrValueExists):
		return nil
	case is(err, ldap.LDAPResultNoSuchObject):
		return s.pool.add(ctx, dn, []string{"tokenRecord", "tmsCard"}, []attr{one("tmsAbsent", absent),
			one("tmsSeq", newSeq(s.ticker.next(1, 0))), one("tmsOpenIntent", i.ID)})
	}
	return err
}

// Count counts the entries.
func (s *Store) Count(ctx context.Context) (c store.Counts, err error) {
	if err := s.settleAll(ctx); err != nil {
		return c, err
	}
	gone := not(equals("tmsAbsent", absent))
	if s.bare {
		gone = has("objectClass")
	}
	for _, q := range []struct {
		place name
		what  filter
		n     *int64
	}{
		{s.tokens, and(equals("objectClass", "tokenRecord"), gone), &c.Tokens},
		{s.activities, equals("objectClass", "tokenActivity"), &c.Activities},
		{s.certs, and(equals("objectClass", "tokenCert"), gone), &c.Certificates},
		{s.intents, and(equals("objectClass", "tmsIntent"),
			not(equals("tmsState", stateReserved))), &c.Intents},
	} {
		if s.noIntents && q.place == s.intents {
			continue
		}
		if *q.n, err = s.pool.count(ctx, q.place, q.what); err != nil {
			return c, fmt.Errorf("counting below %s: %w", q.place.text, err)
		}
	}
	return c, nil
}

// count reads the names of all entries, page by page.
func (p *pool) count(ctx context.Context, place name, what filter) (n int64, err error) {
	err = p.ask(ctx, func(c *ldap.Conn) error {
		n = 0
		c.SetTimeout(time.Hour)
		defer c.SetTimeout(callLimit)
		page := ldap.NewControlPaging(1000)
		for {
			res, err := c.Search(ldap.NewSearchRequest(place.text, ldap.ScopeSingleLevel,
				ldap.NeverDerefAliases, 0, 0, false, what.text, []string{noAttributes},
				[]ldap.Control{page}))
			if err != nil {
				return err
			}
			n += int64(len(res.Entries))
			next, _ := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if next == nil || len(next.Cookie) == 0 {
				return nil
			}
			page.SetCookie(next.Cookie)
		}
	})
	return n, err
}
