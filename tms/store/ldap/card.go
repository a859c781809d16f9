package ldap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// card is the state of a card's entry. An entry is there for every card that more than a single
// activity is known of; that there is no record of it is then said by an attribute, so that no
// revision is ever given twice.
type card struct {
	dn      name
	cuid    keys.CUID
	there   bool
	foreign bool   // written by Dogtag alone
	seq     string // names the latest change
	tick    int64  // of it
	rec     token.Record
	has     bool // whether there is a record
	rev     int64
	open    []string // intents
	outbox  []string
}

// card reads a card's entry.
func (s *Store) card(ctx context.Context, cuid keys.CUID) (card, error) {
	k := card{dn: s.tokens.child("cn", cuid.String()), cuid: cuid}
	e, err := s.pool.read(ctx, k.dn)
	if err != nil || e == nil {
		return k, err
	}
	k.there = true
	k.seq = e.GetAttributeValue("tmsSeq")
	k.foreign = k.seq == ""
	k.open, k.outbox = e.GetAttributeValues("tmsOpenIntent"), e.GetAttributeValues("tmsOutbox")
	if !k.foreign {
		if k.tick, err = seqTick(k.seq); err != nil {
			return k, fmt.Errorf("entry %s: %w", k.dn.text, err)
		}
	}
	if e.GetAttributeValue("tmsAbsent") == absent {
		if text := e.GetAttributeValue("tmsRev"); text != "" {
			k.rev, err = strconv.ParseInt(text, 10, 64)
		}
		return k, err
	}
	k.has = true
	if k.rec, err = readRecord(e); err != nil {
		return k, err
	}
	k.rev = k.rec.Rev
	return k, nil
}

// newSeq names a change: by its number, and by chance, as two processes may count alike.
func newSeq(tick int64) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return tickText(tick) + "." + hex.EncodeToString(b[:])
}

func seqTick(seq string) (int64, error) {
	number, _, _ := strings.Cut(seq, ".")
	return strconv.ParseInt(number, 10, 64)
}

// plan is what a change makes of a card's entry.
type plan struct {
	seq    string
	rec    token.Record // as it will be
	has    bool
	rev    int64
	record bool // whether the record's attributes are written
	items  []item
	begun  []string
	ended  []string
}

// plan decides a change as of the state that was read.
func (s *Store) plan(k card, c store.Change) (plan, error) {
	p := plan{rec: k.rec, has: k.has, rev: k.rev, record: c.Old != nil || c.New != nil}
	switch {
	case c.Old == nil && c.New != nil:
		if k.has {
			return p, store.ErrExists
		}
		p.rec, p.has = *c.New, true
		p.rev = k.rev + 1
	case c.Old != nil && !k.has:
		return p, store.ErrNotFound
	case c.Old != nil && k.rec.Rev != c.Old.Rev:
		return p, store.ErrConflict
	case c.Old != nil && c.New == nil:
		p.rec, p.has = token.Record{}, false
	case c.Old != nil:
		p.rec = *c.New
		p.rec.Created = k.rec.Created
		p.rev = k.rev + 1
	}
	if p.has {
		p.rec.Rev = p.rev
	}
	if err := p.planIntents(k, c); err != nil {
		return p, err
	}
	n := len(c.Activities) + len(c.Begin) + len(c.End) + len(c.Certs) + len(c.Drop) + len(c.Mark)
	first := s.ticker.next(n+1, k.tick)
	p.items = items(c, first)
	p.seq = newSeq(first + int64(n))
	return p, nil
}

func (p *plan) planIntents(k card, c store.Change) error {
	open := slices.Clone(k.open)
	for _, i := range c.Begin {
		if slices.Contains(open, i.ID) {
			return fmt.Errorf("intent %s: %w", i.ID, store.ErrExists)
		}
		open, p.begun = append(open, i.ID), append(p.begun, i.ID)
	}
	for _, e := range c.End {
		at := slices.Index(open, e.ID)
		if at < 0 {
			return fmt.Errorf("ending intent %s: %w", e.ID, store.ErrNotFound)
		}
		open = slices.Delete(open, at, at+1)
		if own := slices.Index(p.begun, e.ID); own >= 0 {
			p.begun = slices.Delete(p.begun, own, own+1)
		} else {
			p.ended = append(p.ended, e.ID)
		}
	}
	return nil
}

// commit makes the change: one request to the directory.
func (s *Store) commit(ctx context.Context, k card, p plan) error {
	boxed, err := encode(p.items)
	if err != nil {
		return err
	}
	if !k.there {
		attrs := append(p.attrs(), one("tmsSeq", p.seq), attr{"tmsOutbox", boxed},
			attr{"tmsOpenIntent", p.begun})
		return s.pool.add(ctx, k.dn, []string{"tokenRecord", "tmsCard"}, attrs)
	}
	m := modify(k.dn)
	if k.foreign {
		m.req.Add("objectClass", []string{"tmsCard"})
		m.req.Add("tmsSeq", []string{p.seq})
	} else {
		m.swap("tmsSeq", k.seq, p.seq)
	}
	if p.record || k.foreign {
		for _, a := range p.attrs() {
			if len(a.values) == 0 || a.values[0] == "" {
				a.values = nil
			}
			m.req.Replace(a.name, a.values)
		}
	}
	if len(boxed) > 0 {
		m.req.Add("tmsOutbox", boxed)
	}
	if len(p.begun) > 0 {
		m.req.Add("tmsOpenIntent", p.begun)
	}
	if len(p.ended) > 0 {
		m.req.Delete("tmsOpenIntent", p.ended)
	}
	return s.pool.modify(ctx, m)
}

// attrs are the record's attributes as they will be.
func (p plan) attrs() []attr {
	if p.has {
		return append(recordAttrs(p.rec), one("tmsAbsent", ""))
	}
	attrs := recordAttrs(token.Record{})
	for i := range attrs {
		attrs[i].values = nil
	}
	out := slices.DeleteFunc(attrs, func(a attr) bool { return a.name == "tmsRev" })
	return append(out, one("tmsAbsent", absent), one("tmsRev", strconv.FormatInt(p.rev, 10)))
}

// isContended says that an error may be because others were faster.
func isContended(err error) bool {
	return is(err, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists,
		ldap.LDAPResultEntryAlreadyExists, ldap.LDAPResultNoSuchObject,
		ldap.LDAPResultConstraintViolation, ldap.LDAPResultObjectClassViolation)
}
