package ca_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"io"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xocsp "golang.org/x/crypto/ocsp"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/ocsp"
	"tokenwright/tms/connector"
)

// counting is a key that counts what it signs.
type counting struct {
	crypto.Signer
	mu sync.Mutex
	n  int
}

func (c *counting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Sign implements crypto.Signer.
func (c *counting) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) (
	[]byte, error,
) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Signer.Sign(random, digest, o)
}

// apart is a responder of its own: it has the database for reading only, and a key that the CA has
// certified.
func apart(t *testing.T, l *lab, change func(*ocsp.Options)) *ocsp.Responder {
	t.Helper()
	key := newKey(t, "p256")
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	cert, err := l.ca.CertifyResponder(t.Context(), spki, "other", 7*365*24*time.Hour)
	require.NoError(t, err)
	db, err := certdb.OpenReadOnly(t.Context(), l.dbPath)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	o := ocsp.Options{Issuer: l.opts.Certificate, Signer: ocsp.Signer{Key: key, Cert: cert},
		Source: ca.Source(db), Now: l.clock.now}
	if change != nil {
		change(&o)
	}
	r, err := ocsp.New(o)
	require.NoError(t, err)
	return r
}

func kept(r *ocsp.Responder) int {
	n, _ := r.Kept()
	return n
}

// All certificates have their answers before anybody asks, whether they were there at the start or are
// issued later; a revocation takes the answer away at once, and another stands soon.
func TestAnswersAreSignedBeforeTheyAreAskedFor(t *testing.T) {
	l := newLab(t, "p256", nil)
	first, second := l.enroll(signing, "ec"), l.enroll(signing, "ec")
	r := apart(t, l, nil)
	tend := func() int {
		n, err := r.Tend(t.Context())
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, 4, tend(), "two, and those of both responders")
	assert.Zero(t, tend())
	third := l.enroll(signing, "ec")
	assert.Equal(t, 1, tend(), "issued since")
	require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(second), Reason: 1}))
	want := map[*x509.Certificate]int{first: xocsp.Good, second: xocsp.Revoked, third: xocsp.Good}
	ask := func() {
		for cert, state := range want {
			assert.Equal(t, state, answer(t, l, r.Answer(t.Context(), question(t, l, cert, crypto.SHA1))).Status)
		}
	}
	ask()
	assert.Zero(t, tend(), "signed for the one who asked")
	require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(first), Reason: 6}))
	assert.Equal(t, 1, tend())
	want[first] = xocsp.Revoked
	before := r.Answer(t.Context(), question(t, l, first, crypto.SHA1))
	ask()
	require.NoError(t, l.ca.Release(t.Context(), serialOf(first)))
	want[first] = xocsp.Good
	assert.NotEqual(t, before, r.Answer(t.Context(), question(t, l, first, crypto.SHA1)))
	ask()
	// Nobody asks for two days; no answer is ever older than half its life, and none is signed for a
	// certificate that has ended.
	for range 2 * 24 {
		l.clock.add(time.Hour)
		tend()
		got := answer(t, l, r.Answer(t.Context(), question(t, l, third, crypto.SHA1)))
		assert.WithinDuration(t, l.clock.now(), got.ThisUpdate, 2*time.Hour)
	}
	l.clock.add(6 * 365 * 24 * time.Hour)
	_, _ = r.Tend(t.Context())
	l.clock.add(3 * time.Hour)
	_, _ = r.Tend(t.Context())
	assert.Equal(t, 1, kept(r), "the certificate of the responder itself")
}

// Answers stay within their bound, the newest certificates have theirs, and those that are asked for
// get one all the same.
func TestAnswersWithinABound(t *testing.T) {
	l := newLab(t, "p256", func(o *ca.Options) { o.SkipLint = true })
	var certs []*x509.Certificate
	for range 60 {
		certs = append(certs, l.enroll(signing, "ec"))
		l.clock.add(time.Second)
	}
	const limit = 30 << 10
	r := apart(t, l, func(o *ocsp.Options) { o.Memory = limit })
	_, err := r.Tend(t.Context())
	require.NoError(t, err)
	n, bytes := r.Kept()
	assert.Greater(t, n, 10)
	assert.LessOrEqual(t, bytes, int64(limit))
	for _, cert := range certs { // most of these push others out
		got := answer(t, l, r.Answer(t.Context(), question(t, l, cert, crypto.SHA1)))
		assert.Equal(t, xocsp.Good, got.Status)
		_, bytes := r.Kept()
		assert.LessOrEqual(t, bytes, int64(limit))
	}
	n, err = r.Tend(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n, "no work is done over and over for what has no room")
}

// Keep works by itself: what was kept is answered without a signature.
func TestKeepingAnswers(t *testing.T) {
	key := &counting{Signer: newKey(t, "p256")}
	l := newLab(t, "p256", func(o *ca.Options) { o.OCSPKey = key; o.OCSPValidity = 12 * time.Second })
	cert := l.enroll(signing, "ec")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { l.ca.Maintain(ctx, time.Hour); close(done) }()
	r := l.ca.Responder()
	require.Eventually(t, func() bool { return kept(r) == 2 }, 10*time.Second, time.Millisecond)
	before := key.count()
	for range 5 {
		answer(t, l, r.Answer(t.Context(), question(t, l, cert, crypto.SHA1)))
	}
	assert.Equal(t, before, key.count())
	l.clock.add(5 * time.Second)
	require.Eventually(t, func() bool { return key.count() == before+2 }, 10*time.Second, time.Millisecond)
	other := l.enroll(signing, "ec")
	require.Eventually(t, func() bool { return kept(r) == 3 }, 10*time.Second, time.Millisecond)
	before = key.count()
	answer(t, l, r.Answer(t.Context(), question(t, l, other, crypto.SHA1)))
	assert.Equal(t, before, key.count())
	stop()
	<-done
}

// A revocation list is enough to answer from, for as long as it holds.
func TestAnswersFromAList(t *testing.T) {
	l := newLab(t, "p256", nil)
	good, bad := l.enroll(signing, "ec"), l.enroll(signing, "ec")
	require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(bad), Reason: 4}))
	list := ocsp.NewList(l.opts.Certificate, false, l.clock.now)
	strict := ocsp.NewList(l.opts.Certificate, true, l.clock.now)
	r := apart(t, l, func(o *ocsp.Options) { o.Source = list; o.Validity = 10 * time.Hour })
	status := func(cert *x509.Certificate) (int, *xocsp.Response) {
		raw := r.Answer(t.Context(), question(t, l, cert, crypto.SHA1))
		if len(raw) == 5 {
			return -int(raw[4]), nil
		}
		got := answer(t, l, raw)
		return got.Status, got
	}
	code, _ := status(good)
	assert.Equal(t, -3, code, "try later: there is no list")
	full, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	for _, s := range []*ocsp.List{list, strict} {
		changed, err := s.Take(full.DER)
		require.NoError(t, err)
		assert.True(t, changed)
		changed, err = s.Take(full.DER)
		require.NoError(t, err)
		assert.False(t, changed)
	}
	code, _ = status(bad)
	assert.Equal(t, xocsp.Revoked, code)
	l.clock.add(time.Hour)
	code, got := status(good)
	assert.Equal(t, xocsp.Good, code)
	assert.True(t, full.ThisUpdate.Equal(got.ThisUpdate), "what the list says was known then")
	assert.True(t, full.NextUpdate.Equal(got.NextUpdate))
	s, err := strict.Status(t.Context(), good.SerialNumber)
	require.NoError(t, err)
	assert.Equal(t, ocsp.Unknown, s.State)

	require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(good), Reason: 1}))
	next, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	delta, err := l.ca.IssueCRL(t.Context(), true)
	require.NoError(t, err)
	_, err = list.Take(next.DER)
	require.NoError(t, err)
	code, _ = status(good)
	assert.Equal(t, xocsp.Revoked, code)
	other := newLab(t, "p256", nil)
	foreign, err := other.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	torn := append([]byte{}, next.DER...)
	torn[len(torn)-1] ^= 1
	for name, der := range map[string][]byte{"older": full.DER, "delta": delta.DER, "foreign": foreign.DER,
		"torn": torn, "nothing": nil} {
		_, err := list.Take(der)
		require.Error(t, err, name)
	}
	code, _ = status(good)
	assert.Equal(t, xocsp.Revoked, code, "what was refused changes nothing")
	l.clock.add(6 * time.Hour)
	code, _ = status(good)
	assert.Equal(t, -3, code, "the list has ended")
	_, err = list.Status(t.Context(), big.NewInt(1))
	require.ErrorIs(t, err, ocsp.ErrNotYet)
}
