package tokendb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

var enrollAny = tokendb.Admission{Op: token.OpEnrollment, To: token.Active}

// enrolling begins a session whose enrollment of a formatted or active token was
// admitted, by alice.
func (w *world) enrolling(session string) *tokendb.Card {
	w.t.Helper()
	c := w.look(session)
	c.SetUser("alice")
	require.NoError(w.t, c.Admit(w.t.Context(), enrollAny))
	return c
}

func certOf(serial, keyType string, container int) token.Certificate {
	return token.Certificate{
		CertID: token.CertID{Issuer: "CN=CA", Serial: serial}, Origin: cuid, CUID: cuid,
		Subject: "CN=alice", Authority: "01", CA: "ca1", UserID: "alice", Type: "userKey",
		KeyType: keyType, Container: container, Status: token.CertActive, Presence: token.Pending,
		NotBefore: time.Unix(1_600_000_000, 0).UTC(), NotAfter: time.Unix(1_900_000_000, 0).UTC(),
	}
}

// issue has a certificate issued for the card.
func (w *world) issue(c *tokendb.Card, cert token.Certificate) {
	w.t.Helper()
	step, err := c.BeginFor(w.t.Context(), token.IntentIssueCert, cert.KeyType, "{}")
	require.NoError(w.t, err)
	require.NoError(w.t, step.Issued(w.t.Context(), cert))
}

// certs describes the stored certificate records, and what is to be revoked.
func (w *world) certs() string {
	w.t.Helper()
	page, err := w.store.Certificates(w.t.Context(), store.CertQuery{CUID: cuid})
	require.NoError(w.t, err)
	var out []string
	for _, c := range page.Certificates {
		out = append(out, fmt.Sprintf("%s %s %s", c.Serial, c.Presence, c.Status))
	}
	open, err := w.store.OpenIntents(w.t.Context(), cuid)
	require.NoError(w.t, err)
	for _, i := range open {
		out = append(out, fmt.Sprintf("%s %s", i.Kind, i.To))
	}
	return strings.Join(out, ", ")
}

func (w *world) finish(c *tokendb.Card) {
	w.t.Helper()
	require.NoError(w.t, c.FinishEnroll(w.t.Context(), tokendb.Enrolled{
		AppletID: "1.4.58768072", Type: "userKey", KeyInfo: "0101", UserID: "alice",
	}))
}

// enrolled leaves a token with certificates 1 (container 1) and 2 (container 2).
func enrolledWorld(t *testing.T) *world {
	w := newWorld(t)
	w.put(token.Formatted, nil)
	c := w.enrolling("first")
	w.issue(c, certOf("1", "signing", 1))
	w.issue(c, certOf("2", "encryption", 2))
	require.Equal(t, "1 pending active, 2 pending active", w.certs())
	w.finish(c)
	return w
}

func TestEnrolledTokenHoldsWhatWasIssued(t *testing.T) {
	w := enrolledWorld(t)
	require.Equal(t, "1 held active, 2 held active", w.certs())
	rec := w.record()
	require.Equal(t, token.Active, rec.Status)
	require.Equal(t, "alice", rec.UserID)
	require.Equal(t, "enrollment success", w.history())
}

func TestReplacedKeyHasItsCertificateRevoked(t *testing.T) {
	w := enrolledWorld(t)
	c := w.enrolling("second")
	step, err := c.BeginKey(t.Context(), "signing", 1)
	require.NoError(t, err)
	require.Equal(t, "1 replaced active, 2 held active, write_key signing", w.certs())
	require.NoError(t, step.Done(t.Context()))
	w.issue(c, certOf("3", "signing", 1))
	w.finish(c)
	require.Equal(t, "1 gone active, 2 held active, 3 held active, revoke_cert 1", w.certs())

	steps := c.Resume(token.IntentRevokeCert)
	require.Len(t, steps, 1)
	what, err := steps[0].Revocation()
	require.NoError(t, err)
	require.Equal(t, tokendb.Revocation{
		CertID:    token.CertID{Issuer: "CN=CA", Serial: "1"},
		Authority: "01", CA: "ca1", Revoke: tokendb.Revoke{Reason: 4},
	}, what)
	require.NoError(t, steps[0].Revoked(t.Context(), what))
	require.Equal(t, "1 gone revoked, 2 held active, 3 held active", w.certs())
	require.Contains(t, w.history(), "cert_revocation success")
}

func TestAbandonedEnrollmentIsUndone(t *testing.T) {
	for _, c := range []struct {
		containers []int
		want       string
		state      token.State
	}{
		{nil, "1 held active, 2 held active, 9 gone active, revoke_cert 9", token.Active},
		{[]int{1}, "1 gone active, 2 held active, 9 gone active, write_key signing, " +
			"revoke_cert 1, revoke_cert 9", token.Active},
		{[]int{1, 2}, "1 gone active, 2 gone active, 9 gone active, write_key signing, " +
			"write_key signing, revoke_cert 1, revoke_cert 2, revoke_cert 9", token.Formatted},
	} {
		w := enrolledWorld(t)
		died := w.enrolling("died")
		for _, n := range c.containers {
			_, err := died.BeginKey(t.Context(), "signing", n)
			require.NoError(t, err)
		}
		w.issue(died, certOf("9", "signing", 1))
		next := w.look("next")
		require.NoError(t, next.Abandon(t.Context()))
		require.Equal(t, c.want, w.certs())
		require.Equal(t, c.state, w.record().Status)
		if c.state == token.Formatted {
			require.Empty(t, w.record().UserID)
		}
		rev := w.record().Rev
		require.NoError(t, next.Abandon(t.Context()), "again")
		require.Equal(t, rev, w.record().Rev, "nothing is left to undo")
	}
}

func TestAbandonedRecoveryLeavesTheCertificateToItsToken(t *testing.T) {
	w := newWorld(t)
	w.put(token.Formatted, nil)
	c := w.enrolling("died")
	shared := certOf("5", "encryption", 2)
	shared.Origin = keys.CUID{9}
	require.NoError(t, c.Adopt(t.Context(), shared))
	require.Equal(t, "5 pending active", w.certs())
	require.NoError(t, w.look("next").Abandon(t.Context()))
	require.Empty(t, w.certs())
}

func TestRecoveredCertificateOnHoldIsReleased(t *testing.T) {
	w := newWorld(t)
	w.put(token.Formatted, nil)
	c := w.enrolling("s")
	held := certOf("5", "encryption", 2)
	held.Origin, held.Status = keys.CUID{9}, token.CertOnHold
	require.NoError(t, c.Adopt(t.Context(), held))
	w.finish(c)
	steps := c.Resume(token.IntentRevokeCert)
	require.Len(t, steps, 1)
	what, err := steps[0].Revocation()
	require.NoError(t, err)
	require.Equal(t, 8, what.Reason)
	require.NoError(t, steps[0].Revoked(t.Context(), what))
	require.Equal(t, "5 held active", w.certs())
	require.Contains(t, w.history(), "cert_unrevocation success")
}

func TestRenewedCertificatesStayOnRecord(t *testing.T) {
	w := enrolledWorld(t)
	c := w.enrolling("renewal")
	w.issue(c, certOf("3", "signing", 1))
	w.issue(c, certOf("4", "encryption", 2))
	one, two := certOf("1", "", 0).CertID, certOf("2", "", 0).CertID
	require.NoError(t, c.FinishEnroll(t.Context(), tokendb.Enrolled{
		Type: "userKey", UserID: "alice", Renewed: []token.CertID{one, two},
		Kept: []token.CertID{two},
	}))
	require.Equal(t, "1 gone renewed, 2 held renewed, 3 held active, 4 held active", w.certs())
}

func TestFormatKeepsWhatIsNotRevoked(t *testing.T) {
	w := enrolledWorld(t)
	c := w.look("format")
	require.NoError(t, c.Admit(t.Context(), formatAny))
	list := c.Certificates()
	require.NoError(t, c.BeginRevocations(t.Context(), list[:1], tokendb.Revoke{Reason: 5}))
	require.NoError(t, c.BeginRevocations(t.Context(), list[:1], tokendb.Revoke{Reason: 5}))
	steps := c.Resume(token.IntentRevokeCert)
	require.Len(t, steps, 1, "announced once")
	what, err := steps[0].Revocation()
	require.NoError(t, err)
	require.NoError(t, steps[0].Revoked(t.Context(), what))
	_, err = c.Begin(t.Context(), token.IntentLoadApplet, "", "1.4.58768072")
	require.NoError(t, err)
	require.Equal(t, "1 gone revoked, 2 gone active, load_applet 1.4.58768072", w.certs())
	require.NoError(t, c.FinishFormat(t.Context(), tokendb.Formatted{Type: "userKey"}))
	require.Equal(t, "2 gone active", w.certs())
}

func TestCertificateThatAnotherActiveTokenHolds(t *testing.T) {
	w := enrolledWorld(t)
	id := certOf("2", "", 0).CertID
	c := w.look("s")
	for _, s := range []token.State{token.Damaged, token.Active} {
		other := keys.CUID{7, byte(s)}
		rec := token.NewRecord(other, token.Policy{}).InState(s)
		shared := certOf("2", "encryption", 2)
		shared.CUID, shared.Presence = other, token.Held
		_, err := w.store.Apply(t.Context(), store.Change{
			CUID: other, New: &rec, Certs: []token.Certificate{shared}, Actor: "a", Why: "b", At: w.now,
		})
		require.NoError(t, err)
		held, err := c.HeldElsewhere(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, s == token.Active, held, s)
	}
}

func TestUnfinishedCardsAreFound(t *testing.T) {
	w := enrolledWorld(t)
	list, err := w.db.Unfinished(t.Context(), w.store)
	require.NoError(t, err)
	require.Empty(t, list)
	c := w.enrolling("s")
	_, err = c.BeginKey(t.Context(), "signing", 1)
	require.NoError(t, err)
	list, err = w.db.Unfinished(t.Context(), w.store)
	require.NoError(t, err)
	require.Equal(t, []keys.CUID{cuid}, list, "certificate 1 is replaced")
}

func TestPINResetOnceTakesTheRightAway(t *testing.T) {
	w := enrolledWorld(t)
	for _, once := range []bool{false, true} {
		c := w.look("s" + fmt.Sprint(once))
		require.NoError(t, c.Admit(t.Context(), tokendb.Admission{
			Op: token.OpPINReset, To: token.Active,
		}))
		_, err := c.BeginFor(t.Context(), token.IntentSetPIN, "", "")
		require.NoError(t, err)
		require.NoError(t, c.FinishPINReset(t.Context(), "1.4.58768072", "0101", once))
		policy := w.record().Policy
		require.Equal(t, once, policy.States(token.PINReset))
		require.False(t, policy.Allows(token.PINReset))
		require.False(t, slices.Contains(strings.Split(w.certs(), ", "), "set_pin "))
	}
}
