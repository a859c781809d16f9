package compare_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/routing/compare"
	"tokenwright/tms/tps/tokendb"
)

// testCA has an opinion about every certificate: what states says, else that it is good.
type testCA struct {
	connector.CA
	der     []byte
	states  map[connector.Serial]connector.CertificateState
	unknown map[connector.Serial]bool
	down    bool
	asked   int
	revoked []connector.RevokeRequest
	list    []compare.Issued
}

func (c *testCA) Certificate(_ context.Context, s connector.Serial) (
	out connector.CertificateStatus, err error,
) {
	c.asked++
	switch {
	case c.down:
		return out, connector.ErrUnavailable
	case c.unknown[s]:
		return out, connector.ErrCANotFound
	}
	out.State, out.Serial, out.DER = connector.CertificateValid, s, c.der
	if state, ok := c.states[s]; ok {
		out.State = state
	}
	return out, nil
}

func (c *testCA) Revoke(_ context.Context, r connector.RevokeRequest) error {
	c.revoked = append(c.revoked, r)
	c.states[r.Serial] = connector.CertificateRevoked
	return nil
}

func (c *testCA) Good(_ context.Context, f func(compare.Issued) error) error {
	if c.down {
		return errors.New("no way there")
	}
	for _, i := range c.list {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *testCA) Certifies(context.Context, keys.CUID, []byte) (bool, error) { return false, nil }

type world struct {
	*testing.T
	ca    *testCA
	store *sql.Store
	found []compare.Difference
	c     *compare.Comparer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	w := &world{T: t, store: s, ca: &testCA{
		der: der, states: map[connector.Serial]connector.CertificateState{},
		unknown: map[connector.Serial]bool{},
	}}
	w.c = &compare.Comparer{
		Records: s, Tokens: tokendb.New(s, tokendb.DefaultRules(), time.Now),
		Router:  &routing.Router{CAs: map[string]connector.CA{"ca1": w.ca}},
		CAs:     map[string]compare.CertificateList{"ca1": w.ca},
		Session: "compare", Actor: "tester", Before: time.Now().Add(time.Hour),
		Report: func(d compare.Difference) error {
			w.found = append(w.found, d)
			return nil
		},
	}
	return w
}

func cuidOf(n int) keys.CUID { return keys.CUID{0x40, 0x90, byte(n >> 16), byte(n >> 8), byte(n)} }

// token stores an active token with certificates of these presences.
func (w *world) token(n int, presences ...token.Presence) (out []token.Certificate) {
	w.Helper()
	rec := token.NewRecord(cuidOf(n), token.Policy{}).InState(token.Active)
	for i, p := range presences {
		out = append(out, token.Certificate{
			CertID: token.CertID{Issuer: "CN=CA", Serial: fmt.Sprintf("%x", n*100+i+1)},
			CUID:   rec.CUID, Origin: rec.CUID, CA: "ca1", Type: "userKey", KeyType: "signing", UserID: "u",
			Container: i, Status: token.CertActive, Presence: p, NotAfter: time.Now().Add(time.Hour),
		})
	}
	_, err := w.store.Apply(w.Context(), store.Change{
		CUID: rec.CUID, New: &rec, Certs: out, Actor: "a", Why: "b", At: time.Now(),
	})
	require.NoError(w, err)
	return out
}

func (w *world) run(repair bool) (compare.Summary, error) {
	w.found = nil
	w.c.Repair = repair
	return w.c.Run(w.Context())
}

func (w *world) kinds() (out []compare.Kind) {
	for _, d := range w.found {
		out = append(out, d.Kind)
	}
	return out
}

func TestNothingDiffers(t *testing.T) {
	w := newWorld(t)
	w.token(1, token.Held, token.Gone)
	sum, err := w.run(true)
	require.NoError(t, err)
	assert.Equal(t, compare.Summary{Records: 2}, sum)
	assert.Empty(t, w.found)
}

func TestOperationThatEndedWithoutAWord(t *testing.T) {
	w := newWorld(t)
	c := w.token(1, token.Pending, token.Replaced)
	sum, err := w.run(false)
	require.NoError(t, err)
	assert.Equal(t, []compare.Kind{compare.Unsettled, compare.Unsettled}, w.kinds())
	assert.Equal(t, 2, sum.Left())
	sum, err = w.run(true)
	require.NoError(t, err)
	assert.Zero(t, sum.Left())
	assert.Len(t, w.ca.revoked, len(c))
	sum, err = w.run(true)
	require.NoError(t, err)
	assert.Zero(t, sum.Differences)
}

func TestWhatIsYoungIsLeftToSessions(t *testing.T) {
	w := newWorld(t)
	w.token(1, token.Pending)
	w.ca.list = []compare.Issued{{Issuer: "CN=CA", Serial: "ff", CUID: cuidOf(1), Created: time.Now()}}
	w.c.Before = time.Now().Add(-time.Hour)
	sum, err := w.run(true)
	require.NoError(t, err)
	assert.Zero(t, sum.Differences)
	assert.Empty(t, w.ca.revoked)
}

func TestCertificateThatItsCADoesNotKnow(t *testing.T) {
	w := newWorld(t)
	c := w.token(1, token.Held)
	w.ca.unknown[connector.Serial(c[0].Serial)] = true
	sum, err := w.run(true)
	require.NoError(t, err)
	assert.Equal(t, []compare.Kind{compare.NoCertificate}, w.kinds())
	assert.Equal(t, 1, sum.Left())
}

func TestCertificateOfATokenThatWasDeleted(t *testing.T) {
	w := newWorld(t)
	c := w.token(1, token.Held)
	old, err := w.store.Token(t.Context(), cuidOf(1))
	require.NoError(t, err)
	_, err = w.store.Apply(t.Context(), store.Change{CUID: old.CUID, Old: &old, Actor: "a", Why: "b", At: time.Now()})
	require.NoError(t, err)
	sum, err := w.run(true)
	require.NoError(t, err)
	assert.Equal(t, []compare.Kind{compare.NoToken}, w.kinds())
	assert.Zero(t, sum.Left())
	require.Len(t, w.ca.revoked, 1)
	assert.Equal(t, c[0].Serial, string(w.ca.revoked[0].Serial))
	sum, err = w.run(true)
	require.NoError(t, err)
	assert.Zero(t, sum.Records)
}

// Who is right depends on what the record says.
func TestStatus(t *testing.T) {
	const valid, hold, revoked = connector.CertificateValid, connector.CertificateOnHold,
		connector.CertificateRevoked
	for _, c := range []struct {
		record token.CertStatus
		ca     connector.CertificateState
		state  token.State
		after  token.CertStatus // of the record
		asked  string           // of the CA
	}{
		{token.CertActive, valid, token.Active, token.CertActive, ""},
		{token.CertRenewed, valid, token.Active, token.CertRenewed, ""},
		{token.CertActive, revoked, token.Active, token.CertRevoked, ""},
		{token.CertRenewed, revoked, token.Active, token.CertRevoked, ""},
		{token.CertActive, hold, token.Active, token.CertOnHold, ""},
		{token.CertOnHold, valid, token.Active, token.CertActive, ""},
		{token.CertOnHold, valid, token.Suspended, token.CertOnHold, "certificateHold"},
		{token.CertOnHold, revoked, token.Suspended, token.CertRevoked, ""},
		{token.CertRevoked, valid, token.Active, token.CertRevoked, "cessationOfOperation"},
		{token.CertRevoked, hold, token.Active, token.CertRevoked, "cessationOfOperation"},
		{token.CertRevoked, valid, token.PermLost, token.CertRevoked, "keyCompromise"},
	} {
		w := newWorld(t)
		n := w.token(1, token.Held)[0]
		old, err := w.store.Token(t.Context(), n.CUID)
		require.NoError(t, err)
		next := old.InState(c.state)
		_, err = w.store.Apply(t.Context(), store.Change{CUID: n.CUID, Old: &old, New: &next, Actor: "a",
			Why: "b", At: time.Now(), Mark: []store.CertMark{{CertID: n.CertID, Status: c.record}}})
		require.NoError(t, err)
		w.ca.states[connector.Serial(n.Serial)] = c.ca
		sum, err := w.run(true)
		require.NoError(t, err)
		why := fmt.Sprintf("%+v", c)
		assert.Zero(t, sum.Left(), why)
		assert.Equal(t, c.after != c.record || c.asked != "", sum.Differences == 1, why)
		page, err := w.store.Certificates(t.Context(), store.CertQuery{CUID: n.CUID})
		require.NoError(t, err)
		assert.Equal(t, c.after, page.Certificates[0].Status, why)
		asked := ""
		for _, r := range w.ca.revoked {
			asked = r.Reason.String()
		}
		assert.Equal(t, c.asked, asked, why)
	}
}

// A CA that is away is asked once, and the result says that it is not whole.
func TestCAThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		w.token(n+1, token.Held)
	}
	w.ca.down = true
	sum, err := w.run(true)
	require.ErrorIs(t, err, compare.ErrIncomplete)
	assert.Equal(t, []string{"ca1"}, sum.Unreachable)
	assert.Equal(t, 1, w.ca.asked)
	assert.Zero(t, sum.Differences)
}

func TestReportThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.token(1, token.Pending)
	full := errors.New("disk full")
	w.c.Report = func(compare.Difference) error { return full }
	_, err := w.run(false)
	require.ErrorIs(t, err, full)
}

// bigList is a CA that has issued a great many certificates that no token has.
type bigList struct {
	testCA
	n int
}

func (b *bigList) Good(_ context.Context, f func(compare.Issued) error) error {
	for i := range b.n {
		err := f(compare.Issued{Issuer: "CN=CA", Serial: fmt.Sprintf("%x", i+1), CUID: cuidOf(1)})
		if err != nil {
			return err
		}
	}
	return nil
}

// However many differences there are, none is kept.
func TestMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	const many = 5_000 // kept, they would take some 2 MB
	w.c.CAs["ca1"] = &bigList{n: many}
	n, first, last := 0, uint64(0), uint64(0)
	w.c.Report = func(compare.Difference) error {
		switch n++; n { // looked at in the midst, when all that is kept is in use
		case 1:
			first = heap()
		case many:
			last = heap()
		}
		return nil
	}
	_, err := w.run(false)
	require.NoError(t, err)
	assert.Equal(t, many, n)
	assert.Less(t, int64(last)-int64(first), int64(1<<19))
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
