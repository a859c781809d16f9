package ldap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// The states of an intent's entry, beside the outcomes. A reserved one stands for nothing yet: it
// keeps the id from being used twice, whatever the card.
const (
	stateReserved = "reserved"
	stateOpen     = "open"
)

// reservedFor is how long a reservation may stay without the change that made it.
const reservedFor = 15 * time.Minute

// intentName names an intent's entry. Ids are told apart by every byte, names are not.
func (s *Store) intentName(id string) name {
	sum := sha256.Sum256([]byte(id))
	return s.intents.child("cn", hex.EncodeToString(sum[:20]))
}

// reservation are the ids that a change has reserved.
type reservation struct {
	store *Store
	done  bool
	names []name
}

// take reserves the ids of a change, once.
func (r *reservation) take(ctx context.Context, c store.Change) error {
	if r.done {
		return nil
	}
	for _, i := range c.Begin {
		dn := r.store.intentName(i.ID)
		err := r.store.pool.add(ctx, dn, []string{"tmsIntent"}, []attr{
			one("tmsID", i.ID), one("tokenID", i.CUID.String()), one("tmsState", stateReserved),
			one("tmsCreated", exact(time.Now())),
		})
		if is(err, ldap.LDAPResultEntryAlreadyExists) {
			err = store.ErrExists
		}
		if err != nil {
			return fmt.Errorf("intent %s: %w", i.ID, err)
		}
		r.names = append(r.names, dn)
	}
	r.done = true
	return nil
}

// release gives the ids back. What can't be given back now is swept up later.
func (r *reservation) release(ctx context.Context) {
	for _, dn := range r.names {
		if err := r.store.remove(ctx, dn); err != nil {
			r.store.log.Warn("reservation stays for a while", "entry", dn.text, "error", err)
		}
	}
}

func (s *Store) remove(ctx context.Context, dn name) error {
	err := s.pool.write(ctx, func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn.text, nil)) })
	if is(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	return err
}

// begin turns a reservation into an open intent, unless that was done before.
func (s *Store) begin(ctx context.Context, i token.Intent, tick int64) error {
	dn, attrs := s.intentName(i.ID), intentAttrs(i, tick)
	m := modify(dn)
	m.swap("tmsState", stateReserved, stateOpen)
	for _, a := range attrs {
		if len(a.values) > 0 && a.values[0] != "" {
			m.req.Replace(a.name, a.values)
		}
	}
	err := s.pool.modify(ctx, m)
	switch {
	case is(err, ldap.LDAPResultNoSuchAttribute):
		return nil
	case is(err, ldap.LDAPResultNoSuchObject): // swept up, as it came so late
		err = s.pool.add(ctx, dn, []string{"tmsIntent"}, append(attrs, one("tmsState", stateOpen)))
		if is(err, ldap.LDAPResultEntryAlreadyExists) {
			return nil
		}
	}
	return err
}

// end closes an open intent, unless that was done before.
func (s *Store) end(ctx context.Context, e intentEnd, at time.Time) error {
	m := modify(s.intentName(e.ID))
	m.swap("tmsState", stateOpen, string(e.Outcome))
	m.set("tmsEnded", exact(at))
	m.set("tmsEndedBy", e.By)
	err := s.pool.modify(ctx, m)
	if is(err, ldap.LDAPResultNoSuchAttribute) {
		return nil
	}
	return err
}

// intentDigits is the length of an intent's name.
const intentDigits = 40
