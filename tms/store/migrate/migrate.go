// Package migrate copies token records from one home to another, as they are.
//
// It owns the order of the copy, its progress, and the comparison of the counts at the end. It must
// not know what kind of home either is.
package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tokenwright/tms/store"
)

// Errors of a copy that was not made, or not in full.
var (
	// ErrNotEmpty says that the target holds records, and nobody asked to resume.
	ErrNotEmpty = errors.New("the target is not empty")
	// ErrCounts says that source and target do not hold as many when all is copied.
	ErrCounts = errors.New("source and target do not hold as many")
	// ErrOther says that the progress is of another copy.
	ErrOther = errors.New("the progress is of another copy")
)

// Source is a home that is copied. It should not change meanwhile.
type Source interface {
	store.Store
	store.IntentLister
	store.CertLister
	Count(ctx context.Context) (store.Counts, error)
}

// Streamer is a source that may have lists it can't put in order in bounded time.
type Streamer interface {
	// Stream gives everything of one list, in no order; ok is false where the list has an order.
	Stream(ctx context.Context, list string, each func(store.Batch) error) (ok bool, err error)
}

// The lists that may be streamed.
const (
	StreamTokens       = "tokens"
	StreamActivities   = "activities"
	StreamCertificates = "certificates"
)

// Options say how to copy.
type Options struct {
	// State is the file that keeps the progress. It is removed when all is copied.
	State string
	// From and To name the homes, so that a copy is not resumed between others.
	From, To string
	// Resume goes on from State, or from the beginning if there is none, into a target that holds
	// what was copied before.
	Resume bool
	// Progress is told, now and then, how many of how many are copied.
	Progress func(done, all store.Counts)
}

// state is the progress: how far each list is copied.
type state struct {
	From, To string
	Lists    [4]position
}

type position struct {
	After store.Cursor
	Done  bool
	Count int64
}

// copier makes one copy.
type copier struct {
	from  Source
	to    store.Importer
	o     Options
	state state
	all   store.Counts
}

// Run copies everything, and gives what the target holds then.
func Run(ctx context.Context, from Source, to store.Importer, o Options) (store.Counts, error) {
	c := &copier{from: from, to: to, o: o, state: state{From: o.From, To: o.To}}
	there, err := to.Count(ctx)
	if err != nil {
		return there, fmt.Errorf("target: %w", err)
	}
	if o.Resume {
		err = c.load()
	} else if !there.Zero() {
		err = fmt.Errorf("%w: %d tokens, %d activities, %d intents, %d certificates; "+
			"resuming goes on with a copy that was broken off", ErrNotEmpty, there.Tokens,
			there.Activities, there.Intents, there.Certificates)
	}
	if err != nil {
		return there, err
	}
	if c.all, err = from.Count(ctx); err != nil {
		return there, fmt.Errorf("source: %w", err)
	}
	streams := [4]string{StreamTokens, "", StreamCertificates, StreamActivities}
	for n, list := range []func(context.Context, store.Cursor) (store.Batch, store.Cursor, error){
		c.tokens, c.intents, c.certificates, c.activities,
	} {
		streamed, err := c.stream(ctx, &c.state.Lists[n], streams[n])
		if err == nil && !streamed {
			err = c.list(ctx, &c.state.Lists[n], list)
		}
		if err != nil {
			return there, err
		}
	}
	if there, err = to.Count(ctx); err != nil {
		return there, fmt.Errorf("target: %w", err)
	}
	if there != c.all {
		return there, fmt.Errorf("%w: %+v in the source, %+v in the target", ErrCounts, c.all, there)
	}
	if err := os.Remove(o.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return there, err
	}
	return there, nil
}

// list copies one list, page by page. The progress is kept after each page was taken, so that what
// comes twice at most is a page.
func (c *copier) list(ctx context.Context, at *position,
	read func(context.Context, store.Cursor) (store.Batch, store.Cursor, error),
) error {
	for !at.Done {
		b, next, err := read(ctx, at.After)
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		if err := c.to.Import(ctx, b); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		at.After, at.Done = next, next == ""
		if err := c.taken(at, b); err != nil {
			return err
		}
	}
	return nil
}

// stream copies a list that the source can't put in order. One that was broken off begins again.
func (c *copier) stream(ctx context.Context, at *position, list string) (bool, error) {
	s, ok := c.from.(Streamer)
	if !ok || list == "" || at.Done {
		return at.Done, nil
	}
	at.Count = 0
	ok, err := s.Stream(ctx, list, func(b store.Batch) error {
		if err := c.to.Import(ctx, b); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		return c.taken(at, b)
	})
	if at.Done = ok && err == nil; at.Done {
		err = c.save()
	}
	return ok, err
}

// taken keeps and tells the progress after a part was taken.
func (c *copier) taken(at *position, b store.Batch) error {
	at.Count += int64(len(b.Tokens) + len(b.Activities) + len(b.Intents) + len(b.Certificates))
	if err := c.save(); err != nil {
		return err
	}
	if c.o.Progress != nil {
		l := c.state.Lists
		c.o.Progress(store.Counts{Tokens: l[0].Count, Intents: l[1].Count,
			Certificates: l[2].Count, Activities: l[3].Count}, c.all)
	}
	return nil
}

const pageSize = 500

func (c *copier) tokens(ctx context.Context, after store.Cursor) (store.Batch, store.Cursor, error) {
	p, err := c.from.Tokens(ctx, store.TokenQuery{After: after, Limit: pageSize})
	return store.Batch{Tokens: p.Tokens}, p.Next, err
}

func (c *copier) activities(ctx context.Context, after store.Cursor) (
	store.Batch, store.Cursor, error,
) {
	p, err := c.from.Activities(ctx, store.ActivityQuery{After: after, Limit: pageSize})
	return store.Batch{Activities: p.Activities}, p.Next, err
}

func (c *copier) intents(ctx context.Context, after store.Cursor) (store.Batch, store.Cursor, error) {
	p, err := c.from.Intents(ctx, store.IntentQuery{Ended: true, After: after, Limit: pageSize})
	return store.Batch{Intents: p.Intents}, p.Next, err
}

func (c *copier) certificates(ctx context.Context, after store.Cursor) (
	store.Batch, store.Cursor, error,
) {
	p, err := c.from.Certificates(ctx, store.CertQuery{After: after, Limit: pageSize})
	return store.Batch{Certificates: p.Certificates}, p.Next, err
}

// load reads the progress, if any was kept.
func (c *copier) load() error {
	text, err := os.ReadFile(c.o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("progress %s: %w", c.o.State, err)
	}
	if s.From != c.o.From || s.To != c.o.To {
		return fmt.Errorf("%w: from %s to %s (%s)", ErrOther, s.From, s.To, c.o.State)
	}
	c.state = s
	return nil
}

// save keeps the progress, so that whoever is cut off finds the old or the new one.
func (c *copier) save() error {
	text, err := json.Marshal(c.state)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(c.o.State), filepath.Base(c.o.State)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.o.State)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
