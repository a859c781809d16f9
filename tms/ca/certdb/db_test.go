package certdb_test

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
	"tokenwright/tms/store/sqlite"
)

var start = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func open(t testing.TB, path string) *certdb.DB {
	t.Helper()
	db, err := certdb.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func newDB(t testing.TB) *certdb.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "ca.db"))
}

func record(n int) certdb.Record {
	return certdb.Record{Serial: connector.Serial(fmt.Sprintf("%x", 0xA000+n)),
		RequestID: fmt.Sprintf("r%d", n), Digest: []byte{1, byte(n)}, Profile: "p", Subject: "CN=a",
		UserID: "anna", CUID: "40900062FF0200000B9C", Requester: "tps1", TBS: []byte{0x30, byte(n)},
		NotBefore: start, NotAfter: start.Add(1000 * time.Hour),
		Created: start.Add(time.Duration(n) * time.Second)}
}

func cause(op string) certdb.Cause {
	return certdb.Cause{Op: op, Actor: "tps1", Session: "s1", At: start}
}

// issue takes a certificate through both of its steps.
func issue(t testing.TB, db *certdb.DB, n int) certdb.Record {
	t.Helper()
	require.NoError(t, db.Begin(t.Context(), record(n), cause("enroll")))
	r, err := db.Finish(t.Context(), record(n).Serial, []byte{0x30, 0x80, byte(n)})
	require.NoError(t, err)
	return r
}

func TestIntentThenCertificate(t *testing.T) {
	db := newDB(t)
	require.NoError(t, db.Begin(t.Context(), record(1), cause("enroll")))
	r, err := db.ByRequest(t.Context(), "r1")
	require.NoError(t, err)
	assert.Equal(t, record(1), r)
	n, err := db.Pending(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	r, err = db.Finish(t.Context(), r.Serial, []byte{9})
	require.NoError(t, err)
	assert.Equal(t, certdb.Valid, r.State)
	assert.Equal(t, []byte{9}, r.DER)
	assert.Nil(t, r.TBS)
	assert.Equal(t, int64(1), r.Rev)
	again, err := db.Finish(t.Context(), r.Serial, []byte{8})
	require.NoError(t, err)
	assert.Equal(t, []byte{9}, again.DER, "the first signature stands")
	events, err := db.Events(t.Context(), r.Serial)
	require.NoError(t, err)
	require.Len(t, events, 1)
	assert.Equal(t, "tps1", events[0].Actor)
}

func TestSerialNumbersAndRequestsOccurOnce(t *testing.T) {
	db := newDB(t)
	issue(t, db, 1)
	same := record(2)
	same.Serial = record(1).Serial
	require.ErrorIs(t, db.Begin(t.Context(), same, cause("enroll")), certdb.ErrSerial)
	same = record(2)
	same.RequestID = "r1"
	require.ErrorIs(t, db.Begin(t.Context(), same, cause("enroll")), certdb.ErrRequest)
	require.ErrorIs(t, db.Begin(t.Context(), record(1), cause("enroll")), certdb.ErrSerial)
	_, err := db.Certificate(t.Context(), record(2).Serial)
	require.ErrorIs(t, err, certdb.ErrNotFound)
	_, err = db.Status(t.Context(), record(2).Serial)
	require.ErrorIs(t, err, certdb.ErrNotFound)
}

func TestChangeIsCompareAndSet(t *testing.T) {
	db := newDB(t)
	require.NoError(t, db.Begin(t.Context(), record(2), cause("enroll")))
	_, err := db.Change(t.Context(), certdb.Change{Serial: record(2).Serial, State: certdb.Revoked,
		Cause: cause("revoke")})
	require.ErrorIs(t, err, certdb.ErrConflict, "nothing was signed yet")
	r := issue(t, db, 1)
	c := certdb.Change{Serial: r.Serial, Rev: r.Rev, State: certdb.OnHold,
		Reason: connector.ReasonCertificateHold, RevokedAt: start, Cause: cause("hold")}
	held, err := db.Change(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, certdb.OnHold, held.State)
	_, err = db.Change(t.Context(), c)
	require.ErrorIs(t, err, certdb.ErrConflict)
	s, err := db.Status(t.Context(), r.Serial)
	require.NoError(t, err)
	assert.Equal(t, certdb.Status{State: certdb.OnHold, Reason: 6, RevokedAt: start,
		NotAfter: r.NotAfter, Rev: held.Rev}, s)
	events, err := db.Events(t.Context(), r.Serial)
	require.NoError(t, err)
	require.Len(t, events, 2)
	assert.Equal(t, "hold", events[1].Op)
}

func TestLists(t *testing.T) {
	db := newDB(t)
	for n := range 7 {
		issue(t, db, n)
	}
	other := record(9)
	other.UserID = "bob"
	require.NoError(t, db.Begin(t.Context(), other, cause("enroll")))
	var seen []connector.Serial
	for q := (certdb.Query{UserID: "anna", Limit: 3}); ; {
		page, err := db.List(t.Context(), q)
		require.NoError(t, err)
		for _, r := range page {
			seen = append(seen, r.Serial)
		}
		if len(page) < q.Limit {
			break
		}
		q.After = &page[len(page)-1]
	}
	assert.Len(t, seen, 7)
	assert.Equal(t, record(6).Serial, seen[0], "newest first")
	pending := certdb.ToBeSigned
	page, err := db.List(t.Context(), certdb.Query{State: &pending, CUID: record(1).CUID, Profile: "p"})
	require.NoError(t, err)
	require.Len(t, page, 1)
	_, err = db.List(t.Context(), certdb.Query{Limit: certdb.MaxPage + 1})
	require.Error(t, err)
}

// change takes certificate n to a state.
func change(t *testing.T, db *certdb.DB, n int, to certdb.State, reason connector.Reason) {
	t.Helper()
	r, err := db.Certificate(t.Context(), record(n).Serial)
	require.NoError(t, err)
	_, err = db.Change(t.Context(), certdb.Change{Serial: r.Serial, Rev: r.Rev, State: to,
		Reason: reason, RevokedAt: start, Cause: cause("change")})
	require.NoError(t, err)
}

func save(t *testing.T, db *certdb.DB, delta bool, now time.Time) (certdb.CRL, map[connector.Serial]connector.Reason) {
	t.Helper()
	c, entries, err := db.NewCRL(t.Context(), delta, now, now.Add(time.Hour))
	require.NoError(t, err)
	c.DER = []byte{byte(c.Number)}
	require.NoError(t, db.SaveCRL(t.Context(), c, cause("crl")))
	out := map[connector.Serial]connector.Reason{}
	for _, e := range entries {
		out[e.Serial] = e.Reason
	}
	assert.Equal(t, len(out), c.Entries)
	return c, out
}

func TestWhatListsHold(t *testing.T) {
	db := newDB(t)
	_, _, err := db.NewCRL(t.Context(), true, start, start.Add(time.Hour))
	require.ErrorIs(t, err, certdb.ErrNotFound, "a delta needs a full list")
	_, err = db.LatestCRL(t.Context(), false)
	require.ErrorIs(t, err, certdb.ErrNotFound)
	for n := range 4 {
		issue(t, db, n)
	}
	change(t, db, 0, certdb.Revoked, connector.ReasonKeyCompromise)
	change(t, db, 1, certdb.OnHold, connector.ReasonCertificateHold)
	full, got := save(t, db, false, start)
	assert.Equal(t, map[connector.Serial]connector.Reason{"a000": 1, "a001": 6}, got)

	change(t, db, 1, certdb.Valid, 0)
	change(t, db, 2, certdb.Revoked, connector.ReasonSuperseded)
	delta, got := save(t, db, true, start.Add(time.Minute))
	assert.Equal(t, map[connector.Serial]connector.Reason{"a001": connector.ReasonRemoveFromCRL, "a002": 4}, got)
	assert.Equal(t, full.Number, delta.Base)
	assert.Greater(t, delta.Number, full.Number)

	// All expire: the next full list still has them, the one after does not.
	late := start.Add(1001 * time.Hour)
	_, got = save(t, db, false, late)
	assert.Len(t, got, 2)
	next, got := save(t, db, false, late.Add(time.Hour))
	assert.Empty(t, got)
	latest, err := db.LatestCRL(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, next, latest)
	n, err := db.DeltasSince(t.Context(), full.Number)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}

// A number that was taken and never signed, as after a power cut, is not taken again and does not
// become anybody's base.
func TestNumbersOnlyRise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.db")
	db, err := certdb.Open(t.Context(), path)
	require.NoError(t, err)
	first, _ := save(t, db, false, start)
	lost, _, err := db.NewCRL(t.Context(), false, start, start.Add(time.Hour))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	db = open(t, path)
	delta, _ := save(t, db, true, start)
	assert.Equal(t, first.Number, delta.Base)
	assert.Equal(t, lost.Number+1, delta.Number)
	for range 30 {
		save(t, db, false, start)
	}
	last, err := db.LatestCRL(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, delta.Number+30, last.Number)
	require.ErrorIs(t, db.SaveCRL(t.Context(), last, cause("crl")), certdb.ErrConflict)
}

func TestManyCallersAtOnce(t *testing.T) {
	db := newDB(t)
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			assert.NoError(t, db.Begin(t.Context(), record(n), cause("enroll")))
			r, err := db.Finish(t.Context(), record(n).Serial, []byte{1})
			assert.NoError(t, err)
			assert.Equal(t, certdb.Valid, r.State)
		})
	}
	wg.Wait()
	page, err := db.List(t.Context(), certdb.Query{Limit: 1000})
	require.NoError(t, err)
	assert.Len(t, page, 200)
	revs := map[int64]bool{}
	for _, r := range page {
		revs[r.Rev] = true
	}
	assert.Len(t, revs, 200, "every change has a revision of its own")
}

func TestFilesThatAreNotOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	other, err := stdsql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = other.Exec("CREATE TABLE a (b)")
	require.NoError(t, err)
	_, err = certdb.Open(t.Context(), path)
	require.ErrorIs(t, err, sqlite.ErrForeign)
	_, err = other.Exec("DROP TABLE a; PRAGMA application_id = 0x746d7343; PRAGMA user_version = 9")
	require.NoError(t, err)
	_, err = certdb.Open(t.Context(), path)
	require.ErrorIs(t, err, sqlite.ErrNewer)
	require.NoError(t, other.Close())
}

func TestModeAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.db")
	db, err := certdb.Open(t.Context(), path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, db.Begin(ctx, record(1), cause("enroll")), context.Canceled)
	require.NoError(t, db.Close())
	require.NoError(t, db.Close())
	require.ErrorIs(t, db.Begin(t.Context(), record(1), cause("enroll")), sqlite.ErrClosed)
}
