package ocsp

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"sync"
	"sync/atomic"
	"time"
)

// Source knows the state of certificates.
type Source interface {
	// Status gives the state of the certificate of a serial number; of one that was never
	// issued, State is Unknown.
	Status(ctx context.Context, serial *big.Int) (Status, error)
}

// Options say how a Responder answers.
type Options struct {
	Issuer *x509.Certificate // whose certificates are asked about
	Signer Signer
	Source Source
	// Validity is how long an answer may be used; 0 means 4 hours. Answers that were signed before
	// are signed anew after half of it.
	Validity time.Duration
	// Cached is how many answers are kept at most; 0 means 100,000.
	Cached int
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // nil means crypto/rand
	Log    *slog.Logger     // nil discards
}

// Responder answers questions about one CA's certificates. It is safe for concurrent use.
type Responder struct {
	o      Options
	issuer map[crypto.Hash][2]string // hashes of name and key
	signer atomic.Pointer[prepared]

	mu    sync.RWMutex
	cache map[cacheKey]*cached
}

// cacheKey names a certificate as it is asked about.
type cacheKey struct {
	hash   crypto.Hash
	serial string // DER
}

// cached is an answer that was signed before.
type cached struct {
	answer     []byte
	etag       string
	id         []byte // DER of the CertID
	serial     *big.Int
	rev        int64
	this, next time.Time
	asked      atomic.Bool // since the last Refresh
}

// New checks the options and gives a Responder.
func New(o Options) (*Responder, error) {
	if o.Issuer == nil || o.Source == nil {
		return nil, errors.New("ocsp responder has no issuer or source")
	}
	if o.Validity <= 0 {
		o.Validity = 4 * time.Hour
	}
	if o.Cached <= 0 {
		o.Cached = 100_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Responder{o: o, cache: map[cacheKey]*cached{}}
	var err error
	if r.issuer, err = issuerHashes(o.Issuer); err != nil {
		return nil, err
	}
	return r, r.SetSigner(o.Signer)
}

// SetSigner makes a new key or certificate sign from now on. Answers of the old one are forgotten.
func (r *Responder) SetSigner(s Signer) error {
	p, err := prepare(s)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signer.Store(p)
	clear(r.cache)
	return nil
}

// reply is an answer with what HTTP says about it.
type reply struct {
	body       []byte
	etag       string
	this, next time.Time // zero when it must not be kept
}

// Answer answers a question in DER with an answer in DER; there always is one.
func (r *Responder) Answer(ctx context.Context, question []byte) []byte {
	return r.answer(ctx, question).body
}

func (r *Responder) answer(ctx context.Context, question []byte) reply {
	q, err := ParseRequest(question)
	if err != nil {
		return reply{body: answerMalformed}
	}
	known := 0
	for _, c := range q.Certs {
		if r.isOurs(c) {
			known++
		}
	}
	if known == 0 {
		return reply{body: answerUnauthorized} // RFC 5019 §2.2.3
	}
	if len(q.Certs) == 1 && q.Nonce == nil {
		return r.kept(ctx, q.Certs[0])
	}
	return r.fresh(ctx, q)
}

// isOurs says whether a certificate id names our issuer.
func (r *Responder) isOurs(c CertID) bool {
	h, ok := r.issuer[c.Hash]
	return ok && h[0] == string(c.NameHash) && h[1] == string(c.KeyHash)
}

// fresh signs an answer for this question alone.
func (r *Responder) fresh(ctx context.Context, q Request) reply {
	list := make([]single, 0, len(q.Certs))
	for _, c := range q.Certs {
		s := single{id: c.raw, status: Status{State: Unknown}}
		if r.isOurs(c) {
			var err error
			if s.status, err = r.o.Source.Status(ctx, c.Serial); err != nil {
				return r.failed(err)
			}
		}
		list = append(list, s)
	}
	now := r.now()
	p := r.signer.Load()
	next := r.next(p, now)
	if !next.After(now) {
		return r.failed(errors.New("responder's certificate has ended"))
	}
	body, err := p.sign(r.o.Random, list, now, now, next, q.Nonce)
	if err != nil {
		return r.failed(err)
	}
	return reply{body: body}
}

func (r *Responder) now() time.Time { return r.o.Now().UTC().Truncate(time.Second) }

// next is until when an answer of now may be used: no longer than the responder's certificate.
func (r *Responder) next(p *prepared, now time.Time) time.Time {
	next := now.Add(r.o.Validity)
	if end := p.Cert.NotAfter; end.Before(next) {
		return end.UTC()
	}
	return next
}

func (r *Responder) failed(err error) reply {
	r.o.Log.Error("ocsp question not answered", "error", err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return reply{body: answerTryLater}
	}
	return reply{body: answerInternal}
}

// kept gives the answer that was signed before, if it still says what is so, or signs one that is
// kept from then on. The state is asked for in any case: a revocation shows at once.
func (r *Responder) kept(ctx context.Context, c CertID) reply {
	status, err := r.o.Source.Status(ctx, c.Serial)
	if err != nil {
		return r.failed(err)
	}
	key := cacheKey{c.Hash, c.serialText}
	now := r.now()
	r.mu.RLock()
	hit := r.cache[key]
	r.mu.RUnlock()
	if hit == nil || hit.rev != status.Rev || !now.Before(hit.this.Add(r.o.Validity/2)) ||
		!now.Before(hit.next) || string(hit.id) != string(c.raw) {
		if hit, err = r.presign(key, c.raw, c.Serial, status, now); err != nil {
			return r.failed(err)
		}
	}
	if !hit.asked.Load() {
		hit.asked.Store(true)
	}
	return reply{hit.answer, hit.etag, hit.this, hit.next}
}

// presign signs an answer and keeps it. What is unknown is not kept: anybody can think of serial
// numbers.
func (r *Responder) presign(key cacheKey, id []byte, serial *big.Int, status Status,
	now time.Time,
) (*cached, error) {
	p := r.signer.Load()
	next := r.next(p, now)
	if !next.After(now) {
		return nil, errors.New("responder's certificate has ended")
	}
	body, err := p.sign(r.o.Random, []single{{id, status}}, now, now, next, nil)
	if err != nil {
		return nil, err
	}
	c := &cached{answer: body, etag: etag(body), id: id, serial: serial, rev: status.Rev,
		this: now, next: next}
	if status.State == Unknown {
		return c, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.signer.Load() != p {
		return c, nil // signed by one that was replaced meanwhile
	}
	if _, there := r.cache[key]; !there && len(r.cache) >= r.o.Cached {
		for other := range r.cache { // any one: the order of a map is random
			delete(r.cache, other)
			break
		}
	}
	r.cache[key] = c
	return c, nil
}

// Refresh signs anew what was asked for since the last time and is past a quarter of its life, and
// forgets what was not asked for and is past half of it. It gives the number of answers signed.
func (r *Responder) Refresh(ctx context.Context) (signed int, err error) {
	now := r.now()
	old := map[cacheKey]*cached{}
	r.mu.Lock()
	for key, c := range r.cache {
		age := now.Sub(c.this)
		switch {
		case c.asked.Load() && age >= r.o.Validity/4:
			old[key] = c
		case age >= r.o.Validity/2:
			delete(r.cache, key)
		}
	}
	r.mu.Unlock()
	for key, c := range old {
		status, err := r.o.Source.Status(ctx, c.serial)
		if err != nil {
			return signed, fmt.Errorf("refreshing ocsp answers: %w", err)
		}
		if _, err := r.presign(key, c.id, c.serial, status, r.now()); err != nil {
			return signed, fmt.Errorf("refreshing ocsp answers: %w", err)
		}
		signed++
	}
	return signed, nil
}

// Kept gives the number of answers that are kept.
func (r *Responder) Kept() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.cache)
}

// SignerCert gives the certificate of the key that signs now.
func (r *Responder) SignerCert() *x509.Certificate { return r.signer.Load().Cert }
