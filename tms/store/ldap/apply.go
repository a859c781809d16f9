package ldap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// ErrUnknown says that the connection was lost in mid-change, and so much has happened to the card since that
// nobody can tell whether the change was made.
var ErrUnknown = errors.New("connection lost: whether the change was made is not known")

// Apply makes one change. Once it has begun, Apply waits for its outcome even if ctx ends, for as long
// as the limits in time allow.
func (s *Store) Apply(ctx context.Context, c store.Change) (token.Record, error) {
	c, err := c.Normalize()
	if err != nil {
		return token.Record{}, err
	}
	if err := checkTimes(c); err != nil {
		return token.Record{}, err
	}
	if s.readOnly {
		return token.Record{}, errors.New("token database was opened for reading")
	}
	if err := ctx.Err(); err != nil {
		return token.Record{}, fmt.Errorf("changing token %s: %w", c.CUID, err)
	}
	if !s.enter() {
		return token.Record{}, store.ErrClosed
	}
	defer s.changes.Done()
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
	defer cancel()
	rec, err := s.apply(work, c)
	if err != nil {
		return token.Record{}, fmt.Errorf("changing token %s: %w", c.CUID, err)
	}
	return rec, nil
}

// checkTimes refuses times that have no generalized form.
func checkTimes(c store.Change) error {
	times := []time.Time{c.At}
	for _, a := range c.Activities {
		times = append(times, a.At)
	}
	for _, n := range c.Certs {
		times = append(times, n.NotBefore, n.NotAfter)
	}
	for _, t := range times {
		if !inRange(t) {
			return fmt.Errorf("%w: change: %w", store.ErrInvalid, errTime)
		}
	}
	return nil
}

func (s *Store) apply(ctx context.Context, c store.Change) (token.Record, error) {
	if isSingleActivity(c) {
		return token.Record{}, s.addActivity(ctx, c.Activities[0])
	}
	taken := reservation{store: s}
	rec, err := s.applyReserving(ctx, c, &taken)
	if err != nil && !errors.Is(err, ErrUnknown) && ctx.Err() == nil {
		taken.release(ctx)
	}
	return rec, err
}

// applyReserving tries until nobody else is faster.
func (s *Store) applyReserving(ctx context.Context, c store.Change, taken *reservation) (
	token.Record, error,
) {
	var before card
	var failed error
	for n := 0; ; n++ {
		k, err := s.card(ctx, c.CUID)
		if err != nil {
			return token.Record{}, err
		}
		if failed != nil && k.there == before.there && k.seq == before.seq && n > 3 {
			return token.Record{}, failed // nobody was faster: the directory does not like it
		}
		p, err := s.plan(k, c)
		if err != nil {
			return token.Record{}, err
		}
		if err := taken.take(ctx, c); err != nil {
			return token.Record{}, err
		}
		err = s.commitSurely(ctx, k, p)
		switch {
		case err == nil:
			s.unpack(ctx, k, p)
			if !p.record {
				return token.Record{}, nil
			}
			return p.rec, nil
		case !isContended(err):
			return token.Record{}, err
		}
		before, failed = k, err
		if err := pause(ctx, n); err != nil {
			return token.Record{}, errors.Join(err, failed)
		}
	}
}

// pause lets others go first, a little longer each time.
func pause(ctx context.Context, n int) error {
	most := int64(min(n+1, 20)) * int64(time.Millisecond)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(rand.Int64N(most))): //nolint:gosec // no secret
		return nil
	}
}

// commitSurely commits, and finds out what became of it when the connection is lost.
func (s *Store) commitSurely(ctx context.Context, k card, p plan) error {
	for n := 0; ; n++ {
		err := s.commit(ctx, k, p)
		if !lost(err) {
			return err
		}
		for {
			now, asked := s.card(ctx, k.cuid)
			switch {
			case asked == nil && now.seq == p.seq:
				return nil
			case asked == nil && (now.there != k.there || now.seq != k.seq):
				return fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			if paused := pause(ctx, 20); paused != nil {
				return fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			if asked == nil {
				break // not made: the same change again, under the same name
			}
		}
	}
}

// unpack finishes a change that was made. What fails stays in the outbox, for others to finish.
func (s *Store) unpack(ctx context.Context, k card, p plan) {
	if len(p.items) == 0 && len(k.outbox) == 0 {
		return
	}
	if err := s.settle(ctx, k.dn); err != nil {
		s.log.Warn("outbox of a token is left to the reconciler", "entry", k.dn.text, "error", err)
	}
}

func isSingleActivity(c store.Change) bool {
	return c.Old == nil && c.New == nil && len(c.Activities) == 1 &&
		len(c.Begin)+len(c.End)+len(c.Certs)+len(c.Drop)+len(c.Mark) == 0
}

// addActivity records an activity that comes with nothing else: it takes one request.
func (s *Store) addActivity(ctx context.Context, a token.Activity) error {
	for {
		a.ID = s.ticker.next(1, 0)
		err := s.pool.add(ctx, s.activities.child("cn", activityName(a)), activityClasses,
			activityAttrs(a))
		for lost(err) {
			if paused := pause(ctx, 20); paused != nil {
				return fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			err = s.pool.add(ctx, s.activities.child("cn", activityName(a)), activityClasses,
				activityAttrs(a))
			if is(err, ldap.LDAPResultEntryAlreadyExists) {
				return nil // the request that was lost had arrived
			}
		}
		if !is(err, ldap.LDAPResultEntryAlreadyExists) {
			return err
		}
	}
}
