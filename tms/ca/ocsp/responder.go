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

// ErrNotYet means that a Source can't tell the state of certificates yet, or not any more, and will
// later.
var ErrNotYet = errors.New("state of certificates is not known")

// ErrSignerEnded means that the responder's certificate has ended, and nobody would accept an answer.
var ErrSignerEnded = errors.New("responder's certificate has ended")

// Source knows the state of certificates. One that is a Feed as well has its certificates' answers
// signed before anybody asks.
type Source interface {
	// Status gives the state of the certificate of a serial number; of one that was never
	// issued, State is Unknown.
	Status(ctx context.Context, serial *big.Int) (Status, error)
}

// Defaults of Options.
const (
	DefaultValidity = 4 * time.Hour
	DefaultMemory   = 128 << 20
)

// Options say how a Responder answers.
type Options struct {
	Issuer *x509.Certificate // whose certificates are asked about
	Signer Signer
	Source Source
	// Validity is how long an answer may be used; 0 means DefaultValidity. Answers that were signed
	// before are not given out any more after half of it.
	Validity time.Duration
	// Memory is how many bytes of answers are kept at most; 0 means DefaultMemory, which is enough for
	// the answers about a hundred thousand certificates.
	Memory int64
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // nil means crypto/rand
	Log    *slog.Logger     // nil discards
}

// Responder answers questions about one CA's certificates. It is safe for concurrent use.
type Responder struct {
	o      Options
	issuer map[crypto.Hash][2]string // hashes of name and key
	signer atomic.Pointer[prepared]
	cache  *cache

	tending sync.Mutex // held by Tend
	feed    feeding
}

// New checks the options and gives a Responder.
func New(o Options) (*Responder, error) {
	if o.Issuer == nil || o.Source == nil {
		return nil, errors.New("ocsp responder has no issuer or source")
	}
	if o.Validity <= 0 {
		o.Validity = DefaultValidity
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
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
	r := &Responder{o: o, cache: newCache(o.Memory)}
	var err error
	if r.issuer, err = issuerHashes(o.Issuer); err != nil {
		return nil, err
	}
	return r, r.SetSigner(o.Signer)
}

// SetSigner makes a new key or certificate sign from now on. Answers of the old one stay good until
// Tend has signed them anew.
func (r *Responder) SetSigner(s Signer) error {
	p, err := prepare(s)
	if err != nil {
		return err
	}
	r.signer.Store(p)
	return nil
}

// reply is an answer with what HTTP says about it.
type reply struct {
	body       []byte
	this, next time.Time // zero when it must not be kept by others
}

// Answer answers a question in DER with an answer in DER; there always is one.
func (r *Responder) Answer(ctx context.Context, question []byte) []byte {
	return r.reply(ctx, question).body
}

// reply implements answerer.
func (r *Responder) reply(ctx context.Context, question []byte) reply {
	q, err := ParseRequest(question)
	if err != nil {
		return reply{body: answerMalformed}
	}
	if !r.knows(q) {
		return reply{body: answerUnauthorized} // RFC 5019 §2.2.3
	}
	return r.answer(ctx, q)
}

// knows says whether a question asks about a certificate of our issuer.
func (r *Responder) knows(q Request) bool {
	for _, c := range q.Certs {
		if r.isOurs(c) {
			return true
		}
	}
	return false
}

// isOurs says whether a certificate id names our issuer.
func (r *Responder) isOurs(c CertID) bool {
	h, ok := r.issuer[c.Hash]
	return ok && h[0] == string(c.NameHash) && h[1] == string(c.KeyHash)
}

// answer answers a question that asks about a certificate of our issuer.
func (r *Responder) answer(ctx context.Context, q Request) reply {
	if len(q.Certs) == 1 && q.Nonce == nil {
		return r.kept(ctx, q.Certs[0])
	}
	return r.fresh(ctx, q)
}

// fresh signs an answer for this question alone.
func (r *Responder) fresh(ctx context.Context, q Request) reply {
	now := r.now()
	p := r.signer.Load()
	list := make([]single, 0, len(q.Certs))
	for _, c := range q.Certs {
		s := single{id: c.raw, status: Status{State: Unknown}}
		if r.isOurs(c) {
			var err error
			if s.status, err = r.o.Source.Status(ctx, c.Serial); err != nil {
				return r.failed(err)
			}
		}
		var err error
		if s.this, s.next, err = r.times(p, s.status, now); err != nil {
			return r.failed(err)
		}
		list = append(list, s)
	}
	body, err := p.sign(r.o.Random, list, now, q.Nonce)
	if err != nil {
		return r.failed(err)
	}
	return reply{body: body}
}

func (r *Responder) now() time.Time { return r.o.Now().UTC().Truncate(time.Second) }

// times are when a state was known to be so, and until when an answer of now may be used: no longer
// than the responder's certificate, nor than the source vouches for.
func (r *Responder) times(p *prepared, s Status, now time.Time) (this, next time.Time, err error) {
	this, next = now, now.Add(r.o.Validity)
	if end := p.Cert.NotAfter.UTC(); end.Before(next) {
		next = end
	}
	if !next.After(now) {
		return this, next, ErrSignerEnded
	}
	if !s.Known.IsZero() && s.Known.Before(now) {
		this = s.Known.UTC().Truncate(time.Second)
	}
	if !s.Until.IsZero() && s.Until.Before(next) {
		next = s.Until.UTC()
	}
	if !next.After(now) {
		return this, next, errors.New("what is known of the state of certificates is too old")
	}
	return this, next, nil
}

func (r *Responder) failed(err error) reply {
	r.o.Log.Error("ocsp question not answered", "error", err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, ErrNotYet) {
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
	key := cacheKey{hash: c.Hash, serial: c.serialText}
	id := r.certID(key)
	key.bare = string(id) != string(c.raw)
	now := r.now()
	hit := r.cache.get(key)
	if hit == nil || hit.rev != status.Rev || !now.Before(hit.stale) || string(hit.id) != string(c.raw) {
		if hit, err = r.presign(key, c.raw, status, now); err != nil {
			return r.failed(err)
		}
		// Anybody can think of serial numbers, and of forms of a certificate id.
		if status.State != Unknown && (!key.bare || string(r.certID(key)) == string(c.raw)) {
			r.cache.put(key, hit)
		}
	}
	if !hit.asked.Load() {
		hit.asked.Store(true)
	}
	return reply{hit.answer, hit.this, hit.next}
}

// presign signs an answer that may be kept.
func (r *Responder) presign(key cacheKey, id []byte, status Status, now time.Time) (*cached, error) {
	p := r.signer.Load()
	this, next, err := r.times(p, status, now)
	if err != nil {
		return nil, err
	}
	body, err := p.sign(r.o.Random, []single{{id, status, this, next}}, now, nil)
	if err != nil {
		return nil, fmt.Errorf("signing ocsp answer: %w", err)
	}
	half := next.Sub(now) / 2
	return &cached{answer: body, id: id, rev: status.Rev, this: this, next: next, by: p,
		stale: now.Add(half), due: now.Add(half/2 + spread(key.serial, half/4))}, nil
}

// SignerCert gives the certificate of the key that signs now.
func (r *Responder) SignerCert() *x509.Certificate { return r.signer.Load().Cert }

// Issuer gives the certificate of the CA that is answered for.
func (r *Responder) Issuer() *x509.Certificate { return r.o.Issuer }

// Check says whether questions can be answered: the Source knows states, and the certificate has not
// ended.
func (r *Responder) Check(ctx context.Context) error {
	s, err := r.o.Source.Status(ctx, big.NewInt(1))
	if err != nil {
		return err
	}
	_, _, err = r.times(r.signer.Load(), s, r.now())
	return err
}
