package kra_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
)

const exportPassphrase = "correct horse battery"

// archived gives an archive with one key of alice's.
func archived(t *testing.T) (home, *lab, connector.KeyPairResponse) {
	t.Helper()
	h, l := newLab(t)
	res, err := l.GenerateKeyPair(t.Context(), request("one", h.newCardKey(t, 0)))
	require.NoError(t, err)
	return h, l, res
}

func (l *lab) ask(t *testing.T, purpose approval.Purpose, user string) approval.Request {
	t.Helper()
	q, err := l.Agents().Make(t.Context(), "ann", approval.Request{KeyID: 1, Purpose: purpose,
		User: user, Reason: "case 7"})
	require.NoError(t, err)
	return q
}

func (l *lab) approve(t *testing.T, id int64, agents ...string) {
	t.Helper()
	for _, a := range agents {
		_, err := l.Agents().Vote(t.Context(), a, id, true)
		require.NoError(t, err)
	}
}

// Two agents together get a key that OpenSSL opens, once.
func TestExport(t *testing.T) {
	_, l, made := archived(t)
	a := l.Agents()
	q := l.ask(t, approval.Export, "")
	_, err := a.Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.ErrorIs(t, err, approval.ErrNotApproved)
	l.approve(t, q.ID, "ann")
	_, err = a.Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.ErrorIs(t, err, approval.ErrNotApproved)
	_, err = a.Vote(t.Context(), "ann", q.ID, true)
	require.ErrorIs(t, err, approval.ErrTwice)
	l.approve(t, q.ID, "cy")
	_, err = a.Fulfil(t.Context(), "cy", q.ID, exportPassphrase)
	require.ErrorIs(t, err, approval.ErrNotRequester)
	_, err = a.Fulfil(t.Context(), "ann", q.ID, "short")
	require.ErrorIs(t, err, kra.ErrPassphrase)
	out, err := a.Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.NoError(t, err, "a passphrase that does not do has not used the request up")
	assert.Equal(t, approval.Fulfilled, out.Request.State)
	_, err = a.Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.ErrorIs(t, err, approval.ErrEnded)
	assert.Equal(t, []string{"key_archived", "request_made", "key_exported refused",
		"request_approved", "key_exported refused", "request_approved refused", "request_approved",
		"key_exported refused", "key_exported", "key_exported refused"}, l.events(t))

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("the openssl command is missing: apt install openssl")
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(path, out.Key, 0o600))
	spki, err := exec.CommandContext(t.Context(), openssl, "pkey", "-in", path, "-passin",
		"pass:"+exportPassphrase, "-pubout", "-outform", "DER").Output()
	require.NoError(t, err)
	assert.Equal(t, made.PublicKey, spki)
}

// After agents let a user share a key, it is recovered to that user's card as well.
func TestShare(t *testing.T) {
	h, l, made := archived(t)
	q := l.ask(t, approval.Share, "bea")
	l.approve(t, q.ID, "bob", "cy")
	c := h.newCardKey(t, connector.WrapAESKWP)
	recovered := func(user string) error {
		_, err := l.RecoverKey(t.Context(), connector.KeyRecoveryRequest{CUID: other, UserID: user,
			KeyID: made.KeyID, CardTransport: c.sent})
		return err
	}
	require.ErrorIs(t, recovered("bea"), connector.ErrKeyNotFound)
	out, err := l.Agents().Fulfil(t.Context(), "ann", q.ID, "")
	require.NoError(t, err)
	assert.Empty(t, out.Key)
	require.NoError(t, recovered("bea"))
	require.NoError(t, recovered("alice"))
	require.ErrorIs(t, recovered("eve"), connector.ErrKeyNotFound)
}

func TestAgentsRules(t *testing.T) {
	_, l, _ := archived(t)
	a := l.Agents()
	q := l.ask(t, approval.Export, "")
	l.approve(t, q.ID, "bob", "cy")
	l.mu.Lock()
	l.at = t0.Add(time.Hour)
	l.mu.Unlock()
	_, err := a.Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.ErrorIs(t, err, approval.ErrExpired)
	q = l.ask(t, approval.Export, "")
	_, err = a.Vote(t.Context(), "bob", q.ID, false)
	require.NoError(t, err)
	_, err = a.Vote(t.Context(), "cy", q.ID, true)
	require.ErrorIs(t, err, approval.ErrEnded)
	q = l.ask(t, approval.Export, "")
	_, err = a.Cancel(t.Context(), "bob", q.ID)
	require.ErrorIs(t, err, approval.ErrNotRequester)
	_, err = a.Cancel(t.Context(), "ann", q.ID)
	require.NoError(t, err)

	_, err = a.Make(t.Context(), "ann", approval.Request{KeyID: 2, Purpose: approval.Export,
		Reason: "r"})
	require.ErrorIs(t, err, keydb.ErrNotFound)
	_, err = a.Make(t.Context(), "ann", approval.Request{KeyID: 1, Purpose: approval.Export})
	require.ErrorIs(t, err, approval.ErrForm)
	_, err = a.Vote(t.Context(), "ann", 99, true)
	require.ErrorIs(t, err, keydb.ErrNotFound)
	last, err := a.Verify(t.Context(), "bob")
	require.NoError(t, err)
	events, err := a.Events(t.Context(), "bob", keydb.EventFilter{After: last.Seq - 1})
	require.NoError(t, err)
	assert.Equal(t, []keydb.Event{last}, events)
	all, err := a.Requests(t.Context(), "bob", keydb.RequestFilter{})
	require.NoError(t, err)
	assert.Len(t, all, 3)
	k, err := a.Key(t.Context(), "bob", 1)
	require.NoError(t, err)
	assert.Equal(t, "alice", k.UserID)
	assert.Empty(t, k.Sealed)
}

// Who is no agent may do nothing at all, and so may nobody where there are none.
func TestNoAgent(t *testing.T) {
	_, l, _ := archived(t)
	q := l.ask(t, approval.Export, "")
	alone := newHome(t, t.TempDir()).open(t, kra.Config{Curves: []int{256}})
	for want, tt := range map[error]struct {
		lab  *lab
		name string
	}{approval.ErrNotAgent: {l, "eve"}, kra.ErrNoAgents: {alone, "ann"}} {
		a, ctx := tt.lab.Agents(), t.Context()
		for name, do := range map[string]func() error{
			"keys":     func() error { _, err := a.Keys(ctx, tt.name, keydb.KeyFilter{}); return err },
			"key":      func() error { _, err := a.Key(ctx, tt.name, 1); return err },
			"make":     func() error { _, err := a.Make(ctx, tt.name, approval.Request{KeyID: 1}); return err },
			"vote":     func() error { _, err := a.Vote(ctx, tt.name, q.ID, true); return err },
			"cancel":   func() error { _, err := a.Cancel(ctx, tt.name, q.ID); return err },
			"fulfil":   func() error { _, err := a.Fulfil(ctx, tt.name, q.ID, exportPassphrase); return err },
			"requests": func() error { _, err := a.Requests(ctx, tt.name, keydb.RequestFilter{}); return err },
			"request":  func() error { _, err := a.Request(ctx, tt.name, q.ID); return err },
			"events":   func() error { _, err := a.Events(ctx, tt.name, keydb.EventFilter{}); return err },
			"verify":   func() error { _, err := a.Verify(ctx, tt.name); return err },
		} {
			assert.ErrorIs(t, do(), want, name)
		}
	}
}

// However often and fast the key is asked for, it leaves once; and when the answer is lost, not
// again.
func TestExportOnce(t *testing.T) {
	_, l, _ := archived(t)
	q := l.ask(t, approval.Export, "")
	l.approve(t, q.ID, "ann", "bob")
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := l.Agents().Fulfil(context.Background(), "ann", q.ID, exportPassphrase); err == nil {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, got.Load())

	q = l.ask(t, approval.Export, "")
	l.approve(t, q.ID, "ann", "bob")
	lost := errors.New("lost")
	l.fail = func(string) error { return lost }
	_, err := l.Agents().Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.ErrorIs(t, err, lost)
	l.fail = nil
	_, err = l.Agents().Fulfil(t.Context(), "ann", q.ID, exportPassphrase)
	require.ErrorIs(t, err, approval.ErrEnded)
}
