package tps_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/connector"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/wire"
)

// registry is a directory in which tokens are registered.
type registry struct {
	oneUser
	mu      sync.Mutex
	entries map[string]map[string][]string
}

func (r *registry) Authenticate(ctx context.Context, c auth.Credentials) (auth.User, error) {
	u, err := r.oneUser.Authenticate(ctx, c)
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(u.Attributes, r.entries[u.ID])
	return u, err
}

func (r *registry) says(user, tokenType string, certs ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[user] = map[string][]string{"tokenType": {tokenType}, "certsToAdd": certs}
}

const registeredType = "externalRegISEtoken"

// registryLab is a lab whose tokens are registered in a directory.
func registryLab(t *testing.T, lines ...string) (*lab, *registry) {
	t.Helper()
	const enroll = "op.enroll." + registeredType + "."
	config := enrollConfig("defKeySet", append(slices.Clone(lines), "externalReg.enable=true",
		"externalReg.recover.byKeyID=true", "externalReg.mappingResolver=none",
		"op.format."+registeredType+".issuerinfo.value="+issuerURL,
		enroll+"keyGen.signing.keySize=1024", enroll+"keyGen.authentication.keySize=1024",
		enroll+"keyGen.encryption.keySize=1024", enroll+"issuerinfo.value="+issuerURL)...)
	l := newLab(t, config...)
	r := &registry{entries: map[string]map[string][]string{}}
	l.users = r
	l.configure(config...)
	return l, r
}

// held gives the record of the certificate of a kind that a card holds.
func (l *lab) held(card *simcard.Card, keyType string) token.Certificate {
	l.t.Helper()
	for _, c := range l.certRecords(card.CUID()) {
		if c.KeyType == keyType && c.Presence == token.Held {
			return c
		}
	}
	require.Fail(l.t, "card holds no such certificate", keyType)
	return token.Certificate{}
}

func keep(c token.Certificate) string {
	return connector.Serial(c.Serial).Decimal() + ",ca1"
}

func bring(c token.Certificate) string {
	return keep(c) + "," + c.KeyID + ",kra1"
}

// TestServerKilledWhileARegistrationIsMet ends the process at each failpoint that is
// passed while one certificate is brought to a card, one is kept there, one is removed,
// and others are made. What was good before stays good, whenever that happens, and
// trying again ends as if nothing had happened.
func TestServerKilledWhileARegistrationIsMet(t *testing.T) {
	reached := 0
	for _, point := range slices.Concat(op.Failpoints(), op.EnrollFailpoints()) {
		for nth := 1; killedMeeting(t, point, nth); nth++ {
			reached++
			if testing.Short() {
				break
			}
		}
	}
	t.Logf("killed at %d points", reached)
	assert.Greater(t, reached, 5)
}

func killedMeeting(t *testing.T, point string, nth int) (reached bool) {
	l, r := registryLab(t)
	r.says("alice", registeredType)
	lost := newCard(t, "gp211-scp02", simcard.WithSeed(99))
	l.mustEnroll(lost)
	old := l.held(lost, "encryption")
	l.setState(lost, token.Damaged)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	signing := l.held(card, "signing")
	r.says("alice", registeredType, bring(old), keep(signing))

	var passed atomic.Int64
	l.onFailpoint(func(name string) error {
		if name == point && passed.Add(1) == int64(nth) {
			return errCut
		}
		return nil
	})
	_, err := l.attempt(wire.OpEnroll, inReader(card))
	l.onFailpoint(nil)
	if passed.Load() < int64(nth) {
		return false
	}
	why := fmt.Sprintf("killed at %s, time %d", point, nth)
	require.Error(t, err, why)
	soon(t, why, func() bool { return l.server.Sessions() == 0 })
	replug(t, card)
	l.restart()
	for _, c := range []token.Certificate{old, signing} {
		assert.Equal(t, "valid", l.ca.state(c.Serial), why)
	}
	l.mustEnroll(card)
	require.NoError(t, l.server.Reconcile(t.Context(), l.store))
	l.checkHeld(card)
	assert.Empty(t, l.openIntents(card.CUID()), why)
	var holds []string
	for _, c := range l.certRecords(card.CUID()) {
		if c.Presence == token.Held {
			holds = append(holds, c.Serial)
			assert.Equal(t, "valid", l.ca.state(c.Serial), why)
		}
	}
	assert.Len(t, holds, 4, why)
	assert.Subset(t, holds, []string{old.Serial, signing.Serial}, why)
	return true
}

// What a registration does not say of the card that is there stays undone.
func TestRegistrationWithoutItsAuthorities(t *testing.T) {
	l, r := registryLab(t)
	r.says("alice", registeredType)
	lost := newCard(t, "gp211-scp02", simcard.WithSeed(99))
	l.mustEnroll(lost)
	old := l.held(lost, "encryption")
	l.setState(lost, token.Damaged)
	card := newCard(t, "gp211-scp02")
	r.says("alice", "externalRegAddToToken", bring(old))
	l.ca.setDown(true, false)
	assert.Equal(t, wire.StatusCAResponse, l.enroll(card).Status)
	l.ca.setDown(false, false)
	l.kra.setDown(true)
	assert.Equal(t, wire.StatusRecoveryFailed, l.enroll(card).Status)
	l.kra.setDown(false)
	assert.NotEqual(t, token.Active, l.record(card.CUID()).Status)
	assert.Empty(t, l.certRecords(card.CUID()))
	l.mustEnroll(card)
	assert.Equal(t, old.Serial, l.held(card, "encryption").Serial)
	assert.Equal(t, lost.CUID(), l.held(card, "encryption").Origin)
	l.checkHeld(card)
}
