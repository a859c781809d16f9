package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// item is something that a change still has to write to another entry. One of its parts is set. Doing
// it again, later or at the same time, changes nothing.
type item struct {
	Tick     int64
	At       time.Time
	Activity *token.Activity    `json:",omitempty"`
	Begin    *token.Intent      `json:",omitempty"`
	End      *intentEnd         `json:",omitempty"`
	Cert     *token.Certificate `json:",omitempty"`
	Drop     *certOf            `json:",omitempty"`
	Mark     *store.CertMark    `json:",omitempty"`
}

type intentEnd struct {
	store.IntentEnd
	By string
}

// certOf is a certificate's record of one card.
type certOf struct {
	token.CertID
	CUID string
}

// items lists what a normalized change writes to other entries, numbered from first.
func items(c store.Change, first int64) (out []item) {
	add := func(i item) {
		i.Tick, i.At = first+int64(len(out)), c.At
		out = append(out, i)
	}
	for n := range c.Activities {
		c.Activities[n].ID = first + int64(len(out))
		add(item{Activity: &c.Activities[n]})
	}
	for n := range c.Begin {
		add(item{Begin: &c.Begin[n]})
	}
	for _, e := range c.End {
		add(item{End: &intentEnd{e, c.Session}})
	}
	for n := range c.Certs {
		add(item{Cert: &c.Certs[n]})
	}
	for _, d := range c.Drop {
		add(item{Drop: &certOf{d, c.CUID.String()}})
	}
	for n := range c.Mark {
		add(item{Mark: &c.Mark[n]})
	}
	return out
}

func encode(items []item) ([]string, error) {
	var out []string
	for _, i := range items {
		b, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		out = append(out, string(b))
	}
	return out, nil
}

// settle empties the outbox of one card's entry.
func (s *Store) settle(ctx context.Context, dn name) error {
	for {
		e, err := s.pool.read(ctx, dn, "tmsOutbox")
		if err != nil || e == nil {
			return err
		}
		boxed := e.GetAttributeValues("tmsOutbox")
		if len(boxed) == 0 {
			return nil
		}
		if err := s.deliver(ctx, boxed); err != nil {
			return err
		}
		m := modify(dn)
		m.req.Delete("tmsOutbox", boxed)
		// Another who delivered the same may have been faster with some of them.
		if err := s.pool.modify(ctx, m); err == nil || !isContended(err) {
			return err
		}
	}
}

// deliver does what items say, in their order.
func (s *Store) deliver(ctx context.Context, boxed []string) error {
	var todo []item
	for _, text := range boxed {
		var i item
		if err := json.Unmarshal([]byte(text), &i); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		todo = append(todo, i)
	}
	slices.SortFunc(todo, func(a, b item) int { return int(min(1, max(-1, a.Tick-b.Tick))) })
	for _, i := range todo {
		if err := s.do(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) do(ctx context.Context, i item) error {
	switch {
	case i.Activity != nil:
		err := s.pool.add(ctx, s.activities.child("cn", activityName(*i.Activity)), activityClasses,
			activityAttrs(*i.Activity))
		if is(err, ldap.LDAPResultEntryAlreadyExists) {
			return nil
		}
		return err
	case i.Begin != nil:
		return s.begin(ctx, *i.Begin, i.Tick)
	case i.End != nil:
		return s.end(ctx, *i.End, i.At)
	case i.Cert != nil:
		return s.putCert(ctx, *i.Cert, i.Tick)
	case i.Drop != nil:
		return s.dropCert(ctx, *i.Drop, i.Tick)
	case i.Mark != nil:
		return s.markCert(ctx, *i.Mark, i.At, i.Tick)
	}
	return errors.New("outbox: item without content")
}

var activityClasses = []string{"tokenActivity", "tmsEvent"}

// outboxes answers the entries that have something in their outbox, some of them if there are many.
func (s *Store) outboxes(ctx context.Context) ([]*ldap.Entry, error) {
	const most = 200
	entries, _, err := s.pool.find(ctx, search{s.tokens, ldap.ScopeSingleLevel, has("tmsOutbox"),
		[]string{"tmsOutbox"}, most})
	return entries, err
}

// settleAll empties the outboxes that there are, so that whoever asks afterwards sees every change
// that was made before.
func (s *Store) settleAll(ctx context.Context) error {
	if s.readOnly {
		return nil
	}
	entries, err := s.outboxes(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.settle(ctx, name{e.DN}); err != nil {
			return err
		}
	}
	return nil
}

// containsName says whether the definition of a class or attribute gives it that name.
func containsName(definition, name string) bool {
	return strings.Contains(definition, "'"+name+"'")
}
