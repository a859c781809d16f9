package ldap_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/features/servers"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/storetest"
	"tokenwright/tms/token"
)

// smallSize is what the large directory, largeSize, is measured beside. The latter is a little bigger
// only where the build is not tagged soak; SIZE_TOKENS sets it.
var (
	smallSize = storetest.Size{Tokens: 1_000, Activities: 10_000}
	largeSize = storetest.Size{Tokens: 2_000, Activities: 20_000}
)

func batches(size storetest.Size) iter.Seq[store.Batch] {
	return func(yield func(store.Batch) bool) {
		for n := range size.Activities {
			b := store.Batch{Activities: []token.Activity{storetest.SizeActivity(n, size.Tokens)}}
			if n < size.Tokens {
				b.Tokens = []token.Record{storetest.SizeToken(n)}
				b.Certificates = []token.Certificate{storetest.SizeCert(n)}
			}
			if !yield(b) {
				return
			}
		}
	}
}

// loaded starts a slapd with a token database of that size.
func loaded(t *testing.T, size storetest.Size) *ldap.Store {
	t.Helper()
	began := time.Now()
	file := filepath.Join(t.TempDir(), "load.ldif")
	f, err := os.Create(file)
	require.NoError(t, err)
	_, err = fmt.Fprintf(f, "dn: %s\nobjectClass: domain\ndc: example\n\n", servers.Suffix)
	require.NoError(t, err)
	require.NoError(t, ldap.LDIF(f, servers.Suffix, batches(size)))
	require.NoError(t, f.Close())
	d := start(t, func(ctx context.Context) (*servers.Directory, error) {
		return servers.StartSlapd(ctx, servers.SlapdOptions{Load: file})
	})
	require.NoError(t, os.Remove(file))
	s, err := ldap.Open(t.Context(), d.Config(servers.Suffix))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	t.Logf("%+v loaded in %s", size, time.Since(began).Round(time.Millisecond))
	return s
}

func TestSizes(t *testing.T) {
	size := storetest.AskedSize(t, largeSize)
	small, large := loaded(t, smallSize), loaded(t, size)
	storetest.Sizes(t, small, large, smallSize, size)
}

// Pages of lists that are too long for one answer hold everything, once and in order.
func TestPagesOfMany(t *testing.T) {
	size := storetest.Size{Tokens: 1_000, Activities: 4_000}
	s := loaded(t, size)
	from, until := storetest.SizeEpoch.Add(time.Hour), storetest.SizeEpoch.Add(5*time.Hour)
	for _, q := range []store.ActivityQuery{
		{Limit: 97}, {Limit: 400, Op: token.OpFormat}, {Limit: 61, From: from, Until: until},
		{Limit: 150, Result: token.Failure, Until: until},
	} {
		var want, got []int64
		for n := size.Activities - 1; n >= 0; n-- {
			a := storetest.SizeActivity(n, size.Tokens)
			if (q.Op == "" || a.Op == q.Op) && (q.Result == "" || a.Result == q.Result) &&
				!a.At.Before(q.From) && (q.Until.IsZero() || a.At.Before(q.Until)) {
				want = append(want, a.ID)
			}
		}
		asked := q
		for {
			page, err := s.Activities(t.Context(), q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Activities), q.Limit)
			for _, a := range page.Activities {
				got = append(got, a.ID)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
			require.Less(t, len(got), size.Activities, "%+v", asked)
		}
		require.Equal(t, want, got, "%+v", asked)
	}
	var got []string
	for q := (store.CertQuery{Limit: 130}); ; {
		page, err := s.Certificates(t.Context(), q)
		require.NoError(t, err)
		for _, c := range page.Certificates {
			got = append(got, c.Serial)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	require.Len(t, got, size.Tokens)
	for n, serial := range got {
		require.Equal(t, storetest.SizeCert(n).Serial, serial)
	}
	// What is new comes first, however long nothing came, and what changes moves to the front.
	id := storetest.SizeCUID(500)
	for n := range 120 {
		rec, err := s.Token(t.Context(), id)
		require.NoError(t, err)
		next := rec.InState(token.Damaged)
		_, err = s.Apply(t.Context(), store.Change{CUID: id, Old: &rec, New: &next, Actor: "a", Why: "w",
			At: time.Now(), Activities: []token.Activity{{Op: token.OpModify, Result: token.Success,
				Message: fmt.Sprint(n)}}})
		require.NoError(t, err)
		if n%40 == 0 {
			acts, err := s.Activities(t.Context(), store.ActivityQuery{Limit: 97})
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(n), acts.Activities[0].Message)
			tokens, err := s.Tokens(t.Context(), store.TokenQuery{Limit: 40})
			require.NoError(t, err)
			require.Equal(t, id, tokens.Tokens[0].CUID)
			require.Equal(t, storetest.SizeCUID(999), tokens.Tokens[1].CUID)
		}
	}
	acts, err := s.Activities(t.Context(), store.ActivityQuery{Limit: 97})
	require.NoError(t, err)
	for i, a := range acts.Activities {
		require.Equal(t, fmt.Sprint(119-i), a.Message)
	}
}
