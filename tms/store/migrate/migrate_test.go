package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/servers"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/migrate"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

type home interface {
	migrate.Source
	store.Importer
	Close() error
}

// fill makes 700 tokens with a life each: more than a page of every list.
func fill(t *testing.T, h home) {
	t.Helper()
	at := time.Date(2025, 3, 1, 12, 0, 0, 987654321, time.UTC)
	for n := range 700 {
		id := keys.CUID{0x40, 0x90, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n)}
		rec := token.NewRecord(id, token.Policy{}.With(token.Renew, n%2 == 0))
		rec.UserID = fmt.Sprintf("üser %d", n%50)
		rec, err := h.Apply(t.Context(), store.Change{CUID: id, New: &rec, Actor: "a", Why: "w",
			Session: "s", At: at, Activities: []token.Activity{{Op: token.OpAdd, Result: token.Success}},
			Begin: []token.Intent{{ID: fmt.Sprintf("i%d", n), Op: token.OpFormat,
				Kind: token.IntentPutKey, To: "0201", Detail: "{}"}},
			Certs: []token.Certificate{{CertID: token.CertID{Issuer: "CN=CA", Serial: fmt.Sprintf("%x", n+1)},
				CUID: id, Origin: id, Status: token.CertActive, Presence: token.Held, NotAfter: at}}})
		require.NoError(t, err)
		next := rec.InState(token.Suspended)
		c := store.Change{CUID: id, Old: &rec, New: &next, Actor: "b", Why: "v", Session: "r",
			At: at.Add(time.Duration(n) * time.Millisecond), Activities: []token.Activity{
				{Op: token.OpStatusChange, Result: token.Success, Message: fmt.Sprint(n)}}}
		if n%3 == 0 {
			c.End = []store.IntentEnd{{ID: fmt.Sprintf("i%d", n), Outcome: token.OutcomeDone}}
		}
		_, err = h.Apply(t.Context(), c)
		require.NoError(t, err)
	}
}

// dump reads everything, in order.
func dump(t *testing.T, h home) (out []string) {
	t.Helper()
	for q := (store.TokenQuery{Limit: 300}); ; {
		p, err := h.Tokens(t.Context(), q)
		require.NoError(t, err)
		for _, r := range p.Tokens {
			out = append(out, fmt.Sprintf("%+v", r))
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	for q := (store.ActivityQuery{}); ; {
		p, err := h.Activities(t.Context(), q)
		require.NoError(t, err)
		for _, a := range p.Activities {
			out = append(out, fmt.Sprintf("%+v", a))
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	for q := (store.IntentQuery{Ended: true}); ; {
		p, err := h.Intents(t.Context(), q)
		require.NoError(t, err)
		for _, i := range p.Intents {
			out = append(out, fmt.Sprintf("%+v", i))
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	certs := map[string]string{} // those of one instant come in no order that counts
	for q := (store.CertQuery{}); ; {
		p, err := h.Certificates(t.Context(), q)
		require.NoError(t, err)
		for _, c := range p.Certificates {
			certs[c.Serial] = fmt.Sprintf("%+v", c)
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	for n := range len(certs) {
		out = append(out, certs[fmt.Sprintf("%x", n+1)])
	}
	return out
}

func file(t *testing.T) home {
	t.Helper()
	s, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func missing(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, servers.ErrMissing) && !servers.Required() {
		t.Skip(err)
	}
	require.NoError(t, err)
}

func inPostgres(t *testing.T) home {
	t.Helper()
	p, err := servers.StartPostgres(context.WithoutCancel(t.Context()))
	missing(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop()) })
	c, err := p.NewDatabase(t.Context())
	require.NoError(t, err)
	s, err := sql.OpenPostgres(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func inSlapd(t *testing.T) home {
	t.Helper()
	d, err := servers.StartSlapd(context.WithoutCancel(t.Context()), servers.SlapdOptions{NoSync: true})
	missing(t, err)
	t.Cleanup(func() { require.NoError(t, d.Stop()) })
	c, err := d.Fresh()
	require.NoError(t, err)
	s, err := ldap.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// What is copied around all homes and back is the same as before.
func TestCopiesAreEqual(t *testing.T) {
	first := file(t)
	fill(t, first)
	want := dump(t, first)
	require.Len(t, want, 700*5)
	from := first
	for _, next := range []func(*testing.T) home{inPostgres, inSlapd, file} {
		to := next(t)
		counts, err := migrate.Run(t.Context(), from, to, migrate.Options{
			State: filepath.Join(t.TempDir(), "state"),
		})
		require.NoError(t, err)
		require.Equal(t, store.Counts{Tokens: 700, Activities: 1400, Intents: 700, Certificates: 700},
			counts)
		require.Equal(t, want, dump(t, to))
		from = to
	}
	// Life goes on in the copy.
	rec, err := from.Token(t.Context(), keys.CUID{0x40, 0x90, 0, 0, 0, 0, 0, 0, 0, 1})
	require.NoError(t, err)
	active := rec.InState(token.Active)
	_, err = from.Apply(t.Context(), store.Change{CUID: rec.CUID, Old: &rec, New: &active, Actor: "a",
		Why: "w", At: time.Now(), End: []store.IntentEnd{{ID: "i1", Outcome: token.OutcomeDone}},
		Activities: []token.Activity{{Op: token.OpStatusChange, Result: token.Success}}})
	require.NoError(t, err)
}

// cutOff is a home that fails in the middle.
type cutOff struct {
	home
	left int
}

var errCut = errors.New("cut off")

func (c *cutOff) Import(ctx context.Context, b store.Batch) error {
	if c.left--; c.left < 0 {
		return errCut
	}
	return c.home.Import(ctx, b)
}

func TestBrokenOffAndResumed(t *testing.T) {
	from, to := file(t), file(t)
	fill(t, from)
	o := migrate.Options{State: filepath.Join(t.TempDir(), "state"), From: "a", To: "b"}
	_, err := migrate.Run(t.Context(), from, &cutOff{to, 4}, o)
	require.ErrorIs(t, err, errCut)
	_, err = migrate.Run(t.Context(), from, to, o)
	require.ErrorIs(t, err, migrate.ErrNotEmpty)
	other := o
	other.Resume, other.From = true, "c"
	_, err = migrate.Run(t.Context(), from, to, other)
	require.ErrorIs(t, err, migrate.ErrOther)
	o.Resume = true
	again := &cutOff{to, 100}
	_, err = migrate.Run(t.Context(), from, again, o)
	require.NoError(t, err)
	require.Equal(t, 100-(2+2+2+3)+4, again.left, "no page is copied twice that was taken before")
	require.Equal(t, dump(t, from), dump(t, to))
}
