package tps_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/wire"
)

var errCut = errors.New("cut")

// scenario is an operation that is cut, and what comes before it.
type scenario struct {
	name   string
	op     wire.Operation
	before func(l *lab, card *simcard.Card)
}

var scenarios = []scenario{
	{"enroll a blank card", wire.OpEnroll, func(*lab, *simcard.Card) {}},
	{"enroll again", wire.OpEnroll, func(l *lab, card *simcard.Card) { l.mustEnroll(card) }},
	{"renew", wire.OpEnroll, func(l *lab, card *simcard.Card) {
		l.mustEnroll(card)
		l.setPolicy(card, "RENEW=YES")
	}},
	{"recover", wire.OpEnroll, func(l *lab, _ *simcard.Card) {
		lost := newCard(l.t, "gp211-scp02", simcard.WithSeed(99))
		l.mustEnroll(lost)
		l.setState(lost, token.Damaged)
		l.others = append(l.others, lost)
	}},
	{"format", wire.OpFormat, func(l *lab, card *simcard.Card) { l.mustEnroll(card) }},
	{"reset the PIN", wire.OpResetPIN, func(l *lab, card *simcard.Card) {
		l.mustEnroll(card)
		l.setPolicy(card, "PIN_RESET=YES;RESET_PIN_RESET_TO_NO=YES")
	}},
}

// attempt runs an operation, whatever comes of it.
func (l *lab) attempt(op wire.Operation, card func([]byte) ([]byte, error)) (wire.EndOp, error) {
	c := &client{user: "alice", password: "secret123", pin: "1234", extended: true, card: card}
	return c.run(l.t.Context(), l.http.URL, op)
}

// sample gives the source of what these tests try: a few of all points, since the features kill whole
// processes at every one. The seed is printed, and SEED repeats it; SOAK=1 leaves none out.
func sample(t *testing.T) (random *rand.Rand, all bool) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SEED=%d repeats this", seed)
	return rand.New(rand.NewPCG(seed, 0)), os.Getenv("SOAK") != ""
}

// sampled is how many points of each operation are tried.
const sampled = 3

// TestServerKilledAtIntentsAndOutcomes ends the process at failpoints of each operation, starts it
// again, and then tries once more.
func TestServerKilledAtIntentsAndOutcomes(t *testing.T) {
	random, all := sample(t)
	points := slices.Concat(op.Failpoints(), op.EnrollFailpoints(), op.PINResetFailpoints())
	for _, s := range scenarios {
		reached := 0
		for _, i := range random.Perm(len(points)) {
			for nth := 1; all || nth == 1; nth++ {
				l := enrollLab(t, "defKeySet", serverSide...)
				card := newCard(t, "gp211-scp02")
				s.before(l, card)
				if !l.killAt(s, card, points[i], nth) {
					break
				}
				reached++
			}
			if !all && reached == sampled {
				break
			}
		}
		t.Logf("%s: killed at %d points", s.name, reached)
		assert.Positive(t, reached, s.name)
	}
}

func (l *lab) killAt(s scenario, card *simcard.Card, point string, nth int) (reached bool) {
	var passed atomic.Int64
	l.onFailpoint(func(name string) error {
		if name == point && passed.Add(1) == int64(nth) {
			return errCut
		}
		return nil
	})
	_, err := l.attempt(s.op, inReader(card))
	l.onFailpoint(nil)
	if passed.Load() < int64(nth) {
		return false
	}
	why := fmt.Sprintf("%s, killed at %s, time %d", s.name, point, nth)
	require.Error(l.t, err, why)
	soon(l.t, why, func() bool { return l.server.Sessions() == 0 })
	replug(l.t, card)
	l.restart()
	l.onceMore(s, card, why)
	return true
}

// restart is what a new process does first.
func (l *lab) restart() {
	l.t.Helper()
	require.NoError(l.t, l.server.NoteInterrupted(l.t.Context(), l.store))
	require.NoError(l.t, l.server.Reconcile(l.t.Context(), l.store))
	l.checkRecords()
}

// checkRecords holds what must be so even before anybody tries again: a valid
// certificate has a record.
func (l *lab) checkRecords() {
	l.t.Helper()
	recorded := map[string]bool{}
	for _, c := range l.allCerts() {
		recorded[c.Serial] = true
	}
	for serial := range l.ca.valid() {
		assert.True(l.t, recorded[serial], "valid certificate %s has no record", serial)
	}
}

// onceMore tries the operation again; then everything is right.
func (l *lab) onceMore(s scenario, card *simcard.Card, why string) {
	l.t.Helper()
	end, err := l.attempt(s.op, inReader(card))
	require.NoError(l.t, err, why)
	if s.op == wire.OpResetPIN && end.Status == wire.StatusNotPINResetable {
		assert.True(l.t, verifyPIN(l.t, card, "1234"), why) // it was done before the cut
		return
	}
	require.Equal(l.t, wire.EndOp{Operation: s.op}, end, "%s: %s", why, l.log)
	want := token.Active
	if s.op == wire.OpFormat {
		want = token.Formatted
		for _, c := range l.certRecords(card.CUID()) {
			assert.NotEqual(l.t, token.Held, c.Presence, why)
		}
		assert.Empty(l.t, l.ca.valid(), why)
	}
	require.Equal(l.t, want, l.record(card.CUID()).Status, why)
	if s.name == "recover" {
		l.checkHeld(card)
	}
	l.checkInvariants(append(slices.Clone(l.others), card)...)
	require.False(l.t, l.t.Failed(), why)
}

// TestCardPulledAtCommands cuts the conversation before commands reach the card, and after them with
// the answer lost, and tries once more.
func TestCardPulledAtCommands(t *testing.T) {
	random, all := sample(t)
	for _, s := range scenarios {
		points := 0
		for _, lost := range []bool{false, true} {
			at, step := 0, 1
			if !all {
				step = 2 + random.IntN(sparse)
				at = random.IntN(min(step, soonest))
			}
			for ; ; at += step {
				l := enrollLab(t, "defKeySet", serverSide...)
				card := newCard(t, "gp211-scp02")
				s.before(l, card)
				if !l.pullAt(s, card, at, lost) {
					break
				}
				points++
			}
		}
		t.Logf("%s: pulled at %d points", s.name, points)
		assert.Positive(t, points, s.name)
	}
}

// sparse is about how far apart the commands are at which a card is pulled; the first of them is among
// the soonest, which the shortest operation has.
const (
	sparse  = 60
	soonest = 10
)

func (l *lab) pullAt(s scenario, card *simcard.Card, n int, lost bool) (reached bool) {
	seen := 0
	_, err := l.attempt(s.op, func(cmd []byte) ([]byte, error) {
		if seen++; seen <= n {
			return card.Transmit(context.Background(), cmd)
		}
		if lost && seen == n+1 {
			_, _ = card.Transmit(context.Background(), cmd)
		}
		return nil, errCut
	})
	if seen <= n {
		return false
	}
	require.ErrorIs(l.t, err, errCut)
	why := fmt.Sprintf("%s, pulled after %d commands, answer lost %t", s.name, n, lost)
	soon(l.t, why, func() bool { return l.server.Sessions() == 0 })
	l.checkRecords()
	replug(l.t, card)
	l.onceMore(s, card, why)
	return true
}

// TestAuthoritiesThatDoNotAnswer has CA and KRA fail in the middle of an enrollment,
// with the request done or not.
func TestAuthoritiesThatDoNotAnswer(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, kra := range []bool{false, true} {
			l := enrollLab(t, "defKeySet", serverSide...)
			card := newCard(t, "gp211-scp02")
			l.ca.setDown(!kra, after)
			l.kra.setDown(kra)
			end := l.enroll(card)
			assert.Equal(t, wire.ResultBad, end.Result)
			l.ca.setDown(false, false)
			l.kra.setDown(false)
			require.NoError(t, l.server.Reconcile(t.Context(), l.store))
			assert.Empty(t, l.ca.valid())
			l.mustEnroll(card)
			l.checkInvariants(card)
		}
	}
}

func TestFormatRevokesOrKeeps(t *testing.T) {
	for _, revoke := range []bool{true, false} {
		l := enrollLab(t, "defKeySet", fmt.Sprintf("op.format.userKey.revokeCert=%t", revoke),
			"op.format.userKey.revokeCert.reason=5")
		card := newCard(t, "gp211-scp02")
		l.mustEnroll(card)
		old := l.certRecords(card.CUID())
		if revoke {
			l.ca.setDown(true, false)
			end, err := l.format(inReader(card))
			require.NoError(t, err)
			assert.Equal(t, wire.StatusRevokeCertificates, end.Status)
			l.checkHeld(card) // the card lost nothing
			l.ca.setDown(false, false)
		}
		l.mustFormat(card)
		assert.Equal(t, token.Formatted, l.record(card.CUID()).Status)
		for _, c := range old {
			want := "valid"
			if revoke {
				want = "revoked 5"
			}
			assert.Equal(t, want, l.ca.state(c.Serial))
		}
		if revoke {
			assert.Empty(t, l.certs(card.CUID()))
		} else {
			assert.Equal(t, []string{"signing gone active", "encryption gone active"}, l.certs(card.CUID()))
		}
		l.checkInvariants(card)
	}
}
