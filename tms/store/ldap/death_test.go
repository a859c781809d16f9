package ldap_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"tokenwright/features/servers"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/token"
)

var (
	errDied = errors.New("died")
	began   = time.Date(2025, 5, 5, 5, 5, 5, 5, time.UTC)
	mine    = keys.CUID{0x40, 1}
	other   = keys.CUID{0x40, 2}
)

func cert(cuid keys.CUID, serial string) token.Certificate {
	return token.Certificate{CertID: token.CertID{Issuer: "CN=CA", Serial: serial}, CUID: cuid,
		Origin: mine, Status: token.CertActive, Presence: token.Held, NotAfter: began}
}

// prepare makes two tokens that share a certificate, one of them with an open intent.
func prepare(t *testing.T, s *ldap.Store) token.Record {
	t.Helper()
	for _, id := range []keys.CUID{other, mine} {
		rec := token.NewRecord(id, token.Policy{})
		_, err := s.Apply(t.Context(), store.Change{CUID: id, New: &rec, Actor: "a", Why: "w", At: began,
			Certs: []token.Certificate{cert(id, "aa")}})
		require.NoError(t, err)
	}
	_, err := s.Apply(t.Context(), store.Change{CUID: mine, Actor: "a", Why: "w", At: began,
		Begin: []token.Intent{intent("old")}, Certs: []token.Certificate{cert(mine, "bb")}})
	require.NoError(t, err)
	rec, err := s.Token(t.Context(), mine)
	require.NoError(t, err)
	return rec
}

func intent(id string) token.Intent {
	return token.Intent{ID: id, Op: token.OpFormat, Kind: token.IntentPutKey, Detail: "{}"}
}

// everything is a change with all that a change can have.
func everything(rec token.Record) store.Change {
	next := rec.InState(token.Formatted)
	next.UserID = "alice"
	return store.Change{CUID: mine, Old: &rec, New: &next, Actor: "b", Why: "v", Session: "s",
		At: began.Add(time.Hour),
		Activities: []token.Activity{
			{Op: token.OpFormat, Result: token.Success}, {Op: token.OpKeyChangeover, Result: token.Failure},
		},
		Begin: []token.Intent{intent("new"), intent("newer")},
		End: []store.IntentEnd{{ID: "old", Outcome: token.OutcomeDone},
			{ID: "newer", Outcome: token.OutcomeFailed}},
		Certs: []token.Certificate{cert(mine, "cc")},
		Drop:  []token.CertID{{Issuer: "CN=CA", Serial: "bb"}},
		Mark:  []store.CertMark{{CertID: cert(mine, "aa").CertID, Status: token.CertRevoked}},
	}
}

// look describes all that is stored, but for numbers that differ from run to run.
func look(t *testing.T, s *ldap.Store) string {
	t.Helper()
	var b strings.Builder
	tokens, err := s.Tokens(t.Context(), store.TokenQuery{})
	require.NoError(t, err)
	acts, err := s.Activities(t.Context(), store.ActivityQuery{})
	require.NoError(t, err)
	intents, err := s.Intents(t.Context(), store.IntentQuery{Ended: true})
	require.NoError(t, err)
	certs, err := s.Certificates(t.Context(), store.CertQuery{})
	require.NoError(t, err)
	for i := range acts.Activities {
		acts.Activities[i].ID = 0
	}
	fmt.Fprintf(&b, "%+v\n%+v\n%+v\n%+v\n", tokens.Tokens, acts.Activities, intents.Intents,
		certs.Certificates)
	open, err := s.OpenIntents(t.Context(), mine)
	require.NoError(t, err)
	fmt.Fprintf(&b, "%+v", open)
	return b.String()
}

// outcomes are what is stored before and after the change, when nothing goes wrong.
func outcomes(t *testing.T, d *servers.Directory) (before, after string) {
	t.Helper()
	s := open(t, d)
	defer func() { require.NoError(t, s.Close()) }()
	rec := prepare(t, s)
	before = look(t, s)
	_, err := s.Apply(t.Context(), everything(rec))
	require.NoError(t, err)
	after = look(t, s)
	require.NotEqual(t, before, after)
	return before, after
}

// everyPoint leaves no point out on any server.
var everyPoint = os.Getenv("SOAK") != ""

// stride is how many points lie between those that are tried on a server: places are made slowly by
// the 389 Directory Server, which is no different from the other here.
func stride(server string) int {
	if server == "slapd" || everyPoint {
		return 1
	}
	return 5
}

// A process that dies at any request leaves the change made, or not made: whoever comes next finishes
// it, and can repeat it in the other case.
func TestDiesAtEveryRequest(t *testing.T) {
	for name, starter := range directories {
		t.Run(name, func(t *testing.T) {
			d := start(t, starter)
			before, after := outcomes(t, d)
			points, whole := 0, 0
			for n := 0; ; n += stride(name) {
				hit, made := dieAt(t, d, n, before, after)
				if !hit {
					break
				}
				points++
				if made {
					whole++
				}
			}
			require.Greater(t, points*stride(name), 20)
			require.Greater(t, whole*stride(name), 10)
			require.Less(t, whole, points)
			t.Logf("died at %d points, at %d of them the change was made", points, whole)
		})
	}
}

func dieAt(t *testing.T, d *servers.Directory, n int, before, after string) (hit, made bool) {
	t.Helper()
	c, err := d.Fresh()
	require.NoError(t, err)
	s, err := ldap.Open(t.Context(), c)
	require.NoError(t, err)
	rec := prepare(t, s)
	at := 0
	ldap.Fault(s, func(bool) error {
		if at++; at > n {
			hit = true
			return errDied
		}
		return nil
	})
	_, err = s.Apply(t.Context(), everything(rec))
	ldap.Fault(s, nil)
	require.NoError(t, s.Close())
	next, err2 := ldap.Open(t.Context(), c)
	require.NoError(t, err2)
	defer func() { require.NoError(t, next.Close()) }()
	got := look(t, next)
	switch {
	case got == after:
		made = true
	case got == before:
		require.Error(t, err, "a change that was promised is gone, at point %d", n)
		c := everything(rec)
		for i := range c.Begin { // ids are not used twice; the dead one's are swept up later
			c.Begin[i].ID += "2"
		}
		c.End = c.End[:1]
		_, err = next.Apply(t.Context(), c)
		require.NoError(t, err)
	default:
		require.Equal(t, after, got, "half a change at point %d", n)
	}
	return hit, made
}

// A connection that is lost at any request, before or after it had its effect, changes nothing of the
// outcome, or makes the change fail as a whole.
func TestLosesConnectionAtEveryRequest(t *testing.T) {
	lost := goldap.NewError(goldap.ErrorNetwork, errors.New("connection reset"))
	for name, starter := range directories {
		t.Run(name, func(t *testing.T) {
			d := start(t, starter)
			before, after := outcomes(t, d)
			for n := 0; ; n += stride(name) {
				s := open(t, d)
				rec := prepare(t, s)
				at := 0
				ldap.Fault(s, func(bool) error {
					if at++; at == n+1 {
						return lost
					}
					return nil
				})
				_, err := s.Apply(t.Context(), everything(rec))
				ldap.Fault(s, nil)
				want := after
				if err != nil {
					want = before
				}
				require.Equal(t, want, look(t, s), "point %d: %v", n, err)
				require.NoError(t, s.Close())
				if at <= n {
					require.Greater(t, n, 20)
					return
				}
			}
		})
	}
}
