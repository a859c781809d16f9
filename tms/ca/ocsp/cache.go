package ocsp

import (
	"crypto"
	"sync"
	"sync/atomic"
	"time"
)

// cacheKey names a certificate as it is asked about. Most clients state the parameters of the hash
// algorithm as NULL, some leave them out: bare.
type cacheKey struct {
	hash   crypto.Hash
	serial string // DER
	bare   bool
}

// cached is an answer that was signed before.
type cached struct {
	answer     []byte
	id         []byte // DER of the CertID
	rev        int64
	this, next time.Time
	due        time.Time // when it is signed anew
	stale      time.Time // when it is given out no more
	by         *prepared
	// ends is when the certificate ends, of an answer that is kept whether or not anybody asks; zero
	// for one that is kept because somebody did.
	ends  time.Time
	asked atomic.Bool // since it was signed
}

// overhead is about what an answer takes besides its bytes.
const overhead = 320

func (c *cached) size() int64 { return int64(cap(c.answer)+len(c.id)) + overhead }

// cache keeps answers within a bound.
type cache struct {
	limit int64

	mu   sync.RWMutex
	all  map[cacheKey]*cached
	used int64
}

func newCache(limit int64) *cache { return &cache{limit: limit, all: map[cacheKey]*cached{}} }

func (c *cache) get(key cacheKey) *cached {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[key]
}

// put keeps an answer, in the place of another one if there is no room. What stands stays so.
func (c *cache) put(key cacheKey, e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.all[key]; old != nil {
		if e.ends.IsZero() {
			e.ends = old.ends
		}
		c.used -= old.size()
	}
	c.all[key] = e
	c.used += e.size()
	for other := range c.all { // any ones: the order of a map is random
		if c.used <= c.limit {
			break
		}
		if other != key || e.size() > c.limit {
			c.used -= c.all[other].size()
			delete(c.all, other)
		}
	}
}

// room says whether answers of about a size may be kept without another giving way. A tenth is for
// those that are asked for.
func (c *cache) room(size int64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.used+size <= c.limit-c.limit/10
}

func (c *cache) drop(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.all[key]; old != nil {
		c.used -= old.size()
		delete(c.all, key)
	}
}

// due gives the keys of the answers that are to be signed anew: those that stand or were asked for,
// in time, or at once when another signer signs now. It forgets the others when they are stale, and
// what stands when its certificate has ended.
func (c *cache) due(now time.Time, by *prepared) []cacheKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []cacheKey
	for key, e := range c.all {
		wanted := e.asked.Load() || now.Before(e.ends)
		switch {
		case wanted && (e.by != by || !now.Before(e.due)):
			out = append(out, key)
		case !wanted && !now.Before(e.stale):
			c.used -= e.size()
			delete(c.all, key)
		}
	}
	return out
}

func (c *cache) stats() (answers int, bytes int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.all), c.used
}

// spread gives a part of most by a serial number, which is random at its end, so that what was signed
// together is not due together.
func spread(serial string, most time.Duration) time.Duration {
	if serial == "" {
		return 0
	}
	return most * time.Duration(serial[len(serial)-1]) / 256
}
