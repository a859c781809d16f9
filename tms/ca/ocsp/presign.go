package ocsp

import (
	"context"
	"crypto"
	"encoding/asn1"
	"fmt"
	"iter"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Feed is a Source that can tell of its certificates without being asked about each.
type Feed interface {
	Source
	// Revision gives the revision of the latest change.
	Revision(ctx context.Context) (int64, error)
	// Live gives certificates that have not ended at a time, the newest first, in pages: one begins
	// after the entry that the page before ended with, the first has after nil.
	Live(ctx context.Context, at time.Time, after *Entry, limit int) ([]Entry, error)
	// Changed gives the certificates that were issued or changed after a revision, the earliest
	// change first.
	Changed(ctx context.Context, rev int64, limit int) ([]Entry, error)
}

// Entry is a certificate of a Feed.
type Entry struct {
	Serial *big.Int
	Status
	Ends time.Time
	Mark any // the Feed's own, to go on from
}

// page is how many certificates are asked for at once.
const page = 500

// pages is how many of them are done before changes are looked for again.
const pages = 4

// standing is the hash algorithm of the certificate ids whose answers are signed before they are asked
// for: nearly all clients take it. // RFC 5019 §2.1.1
const standing = crypto.SHA1

// feeding is how far a Responder has followed its Feed.
type feeding struct {
	begun bool
	rev   int64  // changes up to this one were followed
	after *Entry // of the first pass
	whole bool   // the first pass is done, or there is no more room
}

// Bounds of the time between two calls of Tend by Keep.
const (
	shortestRest = 200 * time.Millisecond
	longestRest  = 5 * time.Second
)

// Keep calls Tend over and over until ctx ends. What fails is logged and tried again.
func (r *Responder) Keep(ctx context.Context) {
	rest := min(max(r.o.Validity/64, shortestRest), longestRest)
	tick := time.NewTicker(rest)
	defer tick.Stop()
	last := ""
	for {
		n, err := r.Tend(ctx)
		switch {
		case err != nil && ctx.Err() == nil && err.Error() != last:
			r.o.Log.Error("ocsp answers are not kept fresh", "error", err)
			last = err.Error()
		case err == nil:
			last = ""
		}
		if err == nil && n >= page {
			answers, bytes := r.Kept()
			r.o.Log.Info("ocsp answers signed", "signed", n, "kept", answers, "bytes", bytes)
			tick.Reset(rest)
			if ctx.Err() == nil {
				continue // there is more, or there was for a while
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Tend signs what was issued or changed since the last time, what is due, and in the beginning all
// certificates that have not ended, the newest first, as far as there is room. It gives the number of
// answers that it signed.
func (r *Responder) Tend(ctx context.Context) (signed int, err error) {
	r.tending.Lock()
	defer r.tending.Unlock()
	feed, _ := r.o.Source.(Feed)
	for _, step := range []func(context.Context, Feed) (int, error){
		r.followChanges, r.refresh, r.firstPass,
	} {
		n, err := step(ctx, feed)
		if signed += n; err != nil {
			return signed, fmt.Errorf("tending ocsp answers: %w", err)
		}
	}
	return signed, nil
}

// followChanges takes up what was issued, and signs anew what was changed: an answer of a state that
// is no more leaves at once.
func (r *Responder) followChanges(ctx context.Context, feed Feed) (signed int, err error) {
	if feed == nil {
		return 0, nil
	}
	if !r.feed.begun {
		if r.feed.rev, err = feed.Revision(ctx); err != nil {
			return 0, err
		}
		r.feed.begun = true
	}
	for {
		list, err := feed.Changed(ctx, r.feed.rev, page)
		if err != nil {
			return signed, err
		}
		for _, e := range list {
			for key := range keysOf(e.Serial) {
				if c := r.cache.get(key); c != nil && c.rev != e.Rev {
					r.cache.drop(key)
				}
			}
			n, err := r.stand(e)
			if signed += n; err != nil {
				return signed, err
			}
			r.feed.rev = e.Rev
		}
		if len(list) < page {
			return signed, nil
		}
	}
}

// firstPass signs for all certificates, some pages of them a time.
func (r *Responder) firstPass(ctx context.Context, feed Feed) (signed int, err error) {
	for n := 0; n < pages && feed != nil && !r.feed.whole; n++ {
		list, err := feed.Live(ctx, r.now(), r.feed.after, page)
		if err != nil {
			return signed, err
		}
		for i := range list {
			n, err := r.stand(list[i])
			if err != nil {
				return signed, err
			}
			signed += n
			r.feed.after = &list[i]
		}
		r.feed.whole = len(list) < page || !r.cache.room(0)
	}
	return signed, nil
}

// stand signs the answer about a certificate and keeps it whether or not anybody asks, if there is
// room and none of its state is there.
func (r *Responder) stand(e Entry) (signed int, err error) {
	now := r.now()
	key, ok := standingKey(e.Serial)
	if !ok || e.State == Unknown || !now.Before(e.Ends) {
		return 0, nil
	}
	if c := r.cache.get(key); c != nil && c.rev == e.Rev && c.by == r.signer.Load() && !c.ends.IsZero() {
		return 0, nil
	}
	if !r.cache.room(page) {
		return 0, nil
	}
	c, err := r.presign(key, r.certID(key), e.Status, now)
	if err != nil {
		return 0, err
	}
	c.ends = e.Ends
	r.cache.put(key, c)
	return 1, nil
}

// refresh signs anew what is due.
func (r *Responder) refresh(ctx context.Context, _ Feed) (signed int, err error) {
	now := r.now()
	for _, key := range r.cache.due(now, r.signer.Load()) {
		old := r.cache.get(key)
		serial, ok := parseSerial(key.serial)
		if old == nil || !ok {
			continue
		}
		status, err := r.o.Source.Status(ctx, serial)
		if err != nil {
			return signed, err
		}
		c, err := r.presign(key, old.id, status, r.now())
		if err != nil {
			return signed, err
		}
		c.ends = old.ends
		r.cache.put(key, c)
		signed++
	}
	return signed, nil
}

// Kept gives the number of answers that are kept, and about how many bytes they take.
func (r *Responder) Kept() (answers int, bytes int64) { return r.cache.stats() }

// keysOf are all names that answers about a certificate are kept by.
func keysOf(serial *big.Int) iter.Seq[cacheKey] {
	return func(yield func(cacheKey) bool) {
		der, err := asn1.Marshal(serial)
		if err != nil {
			return
		}
		for _, h := range hashes {
			for _, bare := range []bool{false, true} {
				if !yield(cacheKey{h.hash, string(der), bare}) {
					return
				}
			}
		}
	}
}

func standingKey(serial *big.Int) (cacheKey, bool) {
	der, err := asn1.Marshal(serial)
	return cacheKey{hash: standing, serial: string(der)}, err == nil
}

func parseSerial(der string) (*big.Int, bool) {
	in, n := cryptobyte.String(der), new(big.Int)
	return n, in.ReadASN1Integer(n) && in.Empty()
}

// certID encodes the certificate id that clients ask by. // RFC 6960 §4.1.1
func (r *Responder) certID(key cacheKey) []byte {
	names, known := r.issuer[key.hash]
	if !known {
		return nil
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, h := range hashes {
				if h.hash == key.hash {
					b.AddASN1ObjectIdentifier(h.oid)
				}
			}
			if !key.bare {
				b.AddASN1NULL()
			}
		})
		b.AddASN1OctetString([]byte(names[0]))
		b.AddASN1OctetString([]byte(names[1]))
		b.AddBytes([]byte(key.serial))
	})
	out, err := b.Bytes()
	if err != nil {
		return nil
	}
	return out
}
