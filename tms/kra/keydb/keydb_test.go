package keydb_test

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
)

var (
	t0   = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	rule = approval.Rule{Agents: []string{"ann", "bob"}, Need: 2, Lifetime: time.Hour}
)

func mac(t testing.TB) keydb.MAC {
	k, err := keys.New(keys.AES, []byte("0123456789abcdef"))
	require.NoError(t, err)
	return k.CMAC
}

func openAt(t testing.TB, path string) *keydb.DB {
	t.Helper()
	db, err := keydb.Open(context.Background(), path, mac(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func newDB(t testing.TB) *keydb.DB { return openAt(t, filepath.Join(t.TempDir(), "keys.db")) }

func record(n int) keydb.Key {
	return keydb.Key{RequestID: fmt.Sprintf("r%d", n), CUID: keys.CUID{0x40, byte(n % 3)},
		UserID: fmt.Sprintf("user%d", n%2), Type: connector.KeyEC, Bits: 256, Usages: "wrap",
		PublicKey: []byte{0x30, byte(n), byte(n >> 8)}, StorageKey: "s", Sealed: []byte("sealed"),
		Caller: "tps", Created: t0}
}

func archive(t testing.TB, db *keydb.DB, k keydb.Key) keydb.Key {
	t.Helper()
	kept, existed, err := db.Archive(t.Context(), k, keydb.Event{Kind: keydb.KeyArchived, At: t0})
	require.NoError(t, err)
	require.False(t, existed)
	return kept
}

func TestArchiveAndFind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	db, err := keydb.Open(t.Context(), path, mac(t))
	require.NoError(t, err)
	want := archive(t, db, record(1))
	require.NoError(t, db.Close())
	db = openAt(t, path)
	for name, find := range map[string]func() (keydb.Key, error){
		"id":      func() (keydb.Key, error) { return db.ByID(t.Context(), want.ID) },
		"request": func() (keydb.Key, error) { return db.ByRequest(t.Context(), "r1") },
		"public":  func() (keydb.Key, error) { return db.ByPublicKey(t.Context(), want.PublicKey) },
	} {
		got, err := find()
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
	assert.Equal(t, "40010000000000000000:user1", want.Owner())
	for _, find := range []func() (keydb.Key, error){
		func() (keydb.Key, error) { return db.ByID(t.Context(), 99) },
		func() (keydb.Key, error) { return db.ByRequest(t.Context(), "") },
		func() (keydb.Key, error) { return db.ByPublicKey(t.Context(), nil) },
	} {
		_, err := find()
		require.ErrorIs(t, err, keydb.ErrNotFound)
	}
}

// The same request gives the same key, however many ask at once, and leaves one event.
func TestRequestIDOnce(t *testing.T) {
	db := newDB(t)
	var ids sync.Map
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			k := record(n)
			k.RequestID = "same"
			kept, _, err := db.Archive(t.Context(), k, keydb.Event{Kind: keydb.KeyArchived})
			assert.NoError(t, err)
			ids.Store(kept.ID, kept.PublicKey)
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(_, _ any) bool { n++; return true })
	assert.Equal(t, 1, n)
	events, err := db.Events(t.Context(), keydb.EventFilter{})
	require.NoError(t, err)
	assert.Len(t, events, 1)

	other := record(1)
	other.RequestID, other.PublicKey = "", events[0].MAC
	archive(t, db, other)
	_, _, err = db.Archive(t.Context(), other, keydb.Event{Kind: keydb.KeyArchived})
	require.ErrorIs(t, err, keydb.ErrExists, "a public key once")
	n2, err := db.Count(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, n2)
}

func TestLists(t *testing.T) {
	db := newDB(t)
	for n := range 12 {
		archive(t, db, record(n))
	}
	for name, tt := range map[string]struct {
		filter keydb.KeyFilter
		want   []int64
	}{
		"all":      {keydb.KeyFilter{Limit: 3}, []int64{1, 2, 3}},
		"next":     {keydb.KeyFilter{After: 3, Limit: 2}, []int64{4, 5}},
		"user":     {keydb.KeyFilter{UserID: "user1", Limit: 2}, []int64{2, 4}},
		"card":     {keydb.KeyFilter{CUID: keys.CUID{0x40, 1}}, []int64{2, 5, 8, 11}},
		"both":     {keydb.KeyFilter{CUID: keys.CUID{0x40, 1}, UserID: "user1"}, []int64{2, 8}},
		"no limit": {keydb.KeyFilter{After: 10, Limit: -1}, []int64{11, 12}},
		"nobody":   {keydb.KeyFilter{UserID: "' OR 1=1"}, []int64{}},
	} {
		got, err := db.Keys(t.Context(), tt.filter)
		require.NoError(t, err)
		ids := []int64{}
		for _, k := range got {
			ids = append(ids, k.ID)
			assert.Empty(t, k.Sealed, "lists hold no private keys")
		}
		assert.Equal(t, tt.want, ids, name)
	}
}

// Two records that differ in anything that matters are bound to different bytes.
func TestBinding(t *testing.T) {
	base := record(1)
	seen := map[string]string{string(base.Binding()): "base"}
	for name, change := range map[string]func(*keydb.Key){
		"request": func(k *keydb.Key) { k.RequestID = "other" },
		"card":    func(k *keydb.Key) { k.CUID[9] = 1 },
		"user":    func(k *keydb.Key) { k.UserID = "eve" },
		"type":    func(k *keydb.Key) { k.Type = connector.KeyRSA },
		"bits":    func(k *keydb.Key) { k.Bits = 384 },
		"usages":  func(k *keydb.Key) { k.Usages = "" },
		"public":  func(k *keydb.Key) { k.PublicKey = []byte{1} },
		"shifted": func(k *keydb.Key) { k.Usages, k.PublicKey = "wrap0", k.PublicKey[1:] },
	} {
		k := base
		change(&k)
		before, twice := seen[string(k.Binding())]
		assert.False(t, twice, "%s and %s", name, before)
		seen[string(k.Binding())] = name
	}
	same := base
	same.ID, same.Caller, same.Created = 9, "x", t0.Add(1)
	assert.Equal(t, base.Binding(), same.Binding())
}

func TestRequests(t *testing.T) {
	db := newDB(t)
	k := archive(t, db, record(1))
	q, err := rule.New(approval.Request{KeyID: k.ID, Purpose: approval.Share, User: "bea",
		Reason: "team mailbox", Requester: "ann"}, t0)
	require.NoError(t, err)
	q, err = db.AddRequest(t.Context(), q, keydb.Event{Kind: keydb.RequestMade})
	require.NoError(t, err)
	missing := q
	missing.KeyID = 77
	_, err = db.AddRequest(t.Context(), missing, keydb.Event{Kind: keydb.RequestMade})
	require.ErrorIs(t, err, keydb.ErrNotFound)

	step := func(do func(approval.Request) (approval.Request, error)) error {
		_, err := db.ChangeRequest(t.Context(), q.ID, func(old approval.Request) (
			approval.Request, keydb.Event, error,
		) {
			next, err := do(old)
			return next, keydb.Event{Kind: keydb.RequestApproved, Refused: err != nil}, err
		})
		return err
	}
	fulfil := func(q approval.Request) (approval.Request, error) { return q.Fulfil(rule, "ann", t0) }
	require.ErrorIs(t, step(fulfil), approval.ErrNotApproved)
	for _, a := range rule.Agents {
		vote := func(q approval.Request) (approval.Request, error) { return q.Vote(rule, a, true, t0) }
		require.NoError(t, step(vote))
		require.ErrorIs(t, step(vote), approval.ErrTwice)
	}
	may := func(user string) bool {
		ok, err := db.MayHave(t.Context(), k, user)
		require.NoError(t, err)
		return ok
	}
	assert.True(t, may("user1"))
	assert.False(t, may("bea"))
	require.NoError(t, step(fulfil))
	assert.True(t, may("bea"))
	assert.False(t, may("eve"))
	require.ErrorIs(t, step(fulfil), approval.ErrEnded)

	got, err := db.Request(t.Context(), q.ID)
	require.NoError(t, err)
	assert.Equal(t, approval.Fulfilled, got.State)
	assert.Equal(t, []approval.Vote{{Agent: "ann", Approve: true, At: t0},
		{Agent: "bob", Approve: true, At: t0}}, got.Votes)
	_, err = db.Request(t.Context(), 5)
	require.ErrorIs(t, err, keydb.ErrNotFound)
	_, err = db.ChangeRequest(t.Context(), 5, nil)
	require.ErrorIs(t, err, keydb.ErrNotFound)
	all, err := db.Requests(t.Context(), keydb.RequestFilter{KeyID: k.ID})
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, got, all[0])
	none, err := db.Requests(t.Context(), keydb.RequestFilter{Before: q.ID})
	require.NoError(t, err)
	assert.Empty(t, none)
	events, err := db.Events(t.Context(), keydb.EventFilter{})
	require.NoError(t, err)
	refused := 0
	for _, e := range events {
		if e.Refused {
			refused++
		}
	}
	assert.Equal(t, 4, refused, "what was refused is on record too")
}

// Whatever is done to the rows of the audit trail shows.
func TestAuditTrail(t *testing.T) {
	for name, damage := range map[string]string{
		"changed detail":  "UPDATE events SET detail = 'nothing' WHERE seq = 3",
		"changed outcome": "UPDATE events SET outcome = 'success' WHERE seq = 4",
		"changed number":  "UPDATE events SET request_id = 9 WHERE seq = 5",
		"moved text":      "UPDATE events SET actor = 'tps', session = '1' || session WHERE seq = 2",
		"taken out":       "DELETE FROM events WHERE seq = 4",
		"taken from top":  "DELETE FROM events WHERE seq = 1",
		"copied": `INSERT INTO events SELECT 11, at, kind, outcome, actor, session, key_id,
			request_id, cuid, user_id, detail, mac FROM events WHERE seq = 10`,
		"": "",
	} {
		path := filepath.Join(t.TempDir(), "keys.db")
		db := openAt(t, path)
		last, err := db.Verify(t.Context())
		require.NoError(t, err)
		assert.Zero(t, last.Seq)
		for n := range 10 {
			require.NoError(t, db.Record(t.Context(), keydb.Event{Kind: keydb.KeyRecovered, At: t0,
				Refused: n == 3, Actor: "tps1", Session: "s", Detail: fmt.Sprint(n)}))
		}
		raw, err := stdsql.Open("sqlite", path)
		require.NoError(t, err)
		_, err = raw.Exec(damage)
		require.NoError(t, err)
		require.NoError(t, raw.Close())
		last, err = db.Verify(t.Context())
		if name == "" {
			require.NoError(t, err)
			assert.EqualValues(t, 10, last.Seq)
			continue
		}
		require.ErrorIs(t, err, keydb.ErrChain, name)
	}
}

func TestAuditKeyFails(t *testing.T) {
	broken := errors.New("no key")
	db, err := keydb.Open(t.Context(), filepath.Join(t.TempDir(), "keys.db"),
		func([]byte) ([]byte, error) { return nil, broken })
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, _, err = db.Archive(t.Context(), record(1), keydb.Event{Kind: keydb.KeyArchived})
	require.ErrorIs(t, err, broken)
	n, err := db.Count(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n, "no event, no key")
}

// Fields never run into each other.
func FuzzBinding(f *testing.F) {
	f.Add("r", "user", "wrap", []byte{1})
	f.Fuzz(func(t *testing.T, request, user, usages string, public []byte) {
		a := keydb.Key{RequestID: request, UserID: user, Usages: usages, PublicKey: public}
		b := a
		b.UserID, b.RequestID = request, user
		require.Equal(t, request == user, bytes.Equal(a.Binding(), b.Binding()))
		c := a
		c.PublicKey = append([]byte(usages), public...)
		c.Usages = ""
		require.Equal(t, usages == "", bytes.Equal(a.Binding(), c.Binding()))
	})
}
