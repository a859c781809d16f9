package ldap

import (
	"context"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/gp/keys"
)

// foreignEvery is how many times the reconciler looks before it looks for what Dogtag has written.
const foreignEvery = 10

// start runs the reconciler until the store is closed.
func (s *Store) start(c Config) {
	every := c.Every
	if every == 0 {
		every = reconcileEvery
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if s.readOnly {
		return
	}
	s.changes.Add(1)
	go func() {
		defer s.changes.Done()
		for n := 1; ; n++ {
			err := s.Reconcile(ctx)
			if err == nil && n%foreignEvery == 0 {
				err = s.lookForForeign(ctx)
			}
			if err != nil && ctx.Err() == nil {
				s.log.Warn("reconciling the token database", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
		}
	}()
}

// Reconcile finishes what changes have left in outboxes, and takes back reservations whose change was
// never made. The store does so by itself from time to time.
func (s *Store) Reconcile(ctx context.Context) error {
	if err := s.settleAll(ctx); err != nil {
		return err
	}
	return s.sweep(ctx)
}

// sweep removes reservations that are older than any change may take.
func (s *Store) sweep(ctx context.Context) error {
	entries, _, err := s.pool.find(ctx, search{s.intents, ldap.ScopeSingleLevel,
		equals("tmsState", stateReserved), nil, 1000})
	if err != nil {
		return err
	}
	for _, e := range entries {
		made, err := parseExact(e.GetAttributeValue("tmsCreated"))
		if err != nil || time.Since(made) < reservedFor {
			continue
		}
		used, err := s.isBegun(ctx, e)
		if err != nil {
			return err
		}
		if used {
			continue
		}
		if err := s.remove(ctx, name{e.DN}); err != nil {
			return err
		}
	}
	return nil
}

// isBegun says whether a card knows of the intent that an entry is reserved for.
func (s *Store) isBegun(ctx context.Context, e *ldap.Entry) (bool, error) {
	cuid, err := keys.ParseCUID(e.GetAttributeValue("tokenID"))
	if err != nil {
		return false, nil //nolint:nilerr // a reservation of nobody
	}
	k, err := s.card(ctx, cuid)
	if err != nil {
		return true, err
	}
	return len(k.outbox) > 0 || slices.Contains(k.open, e.GetAttributeValue("tmsID")), nil
}

// lookForForeign finds out where there are entries that only Dogtag has written: lists have to look for
// them apart, as they do not carry what orders ours. In a directory that is too big to tell in time,
// there are taken to be none.
func (s *Store) lookForForeign(ctx context.Context) error {
	for place, classes := range map[name][2]string{
		s.tokens:     {"tokenRecord", "tmsCard"},
		s.activities: {"tokenActivity", "tmsEvent"},
		s.certs:      {"tokenCert", "tmsCertificate"},
	} {
		there := s.bare
		if !there {
			entries, full, err := s.pool.find(ctx, search{place, ldap.ScopeSingleLevel,
				and(equals("objectClass", classes[0]), not(equals("objectClass", classes[1]))),
				[]string{noAttributes}, 1})
			switch {
			case is(err, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAdminLimitExceeded):
				s.log.Warn("can't tell in time whether there are records of Dogtag's", "place", place.text)
			case is(err, ldap.LDAPResultNoSuchObject):
			case err != nil:
				return err
			}
			there = full || len(entries) > 0
		}
		s.mu.Lock()
		s.foreign[place.text] = there
		s.mu.Unlock()
	}
	return nil
}

func (s *Store) isForeign(place name) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.foreign[place.text]
}
