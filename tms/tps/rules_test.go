package tps_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/connector"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/wire"
)

// putKeyCard is a card whose PUT KEY goes wrong: the command reaches it or not, and
// the client reports another answer.
func putKeyCard(card *simcard.Card, reaches bool, answer string) func([]byte) ([]byte, error) {
	return func(cmd []byte) ([]byte, error) {
		if cmd[1] != 0xD8 {
			return card.Transmit(context.Background(), cmd)
		}
		if reaches {
			if _, err := card.Transmit(context.Background(), cmd); err != nil {
				return nil, err
			}
		}
		return hex.DecodeString(answer)
	}
}

func TestFormatWhosePutKeyFails(t *testing.T) {
	good := wire.EndOp{Operation: wire.OpFormat}
	bad := wire.EndOp{
		Operation: wire.OpFormat, Result: wire.ResultBad, Status: wire.StatusKeyChangeOver,
	}
	for _, c := range []struct {
		rollback, reaches bool
		end               wire.EndOp
		info              string
		open              []string
		history           string
	}{
		{false, false, bad, "", []string{"put_key"}, "add success,format failure"},
		{false, true, bad, "", []string{"put_key"}, "add success,format failure"},
		{true, false, bad, "FF01", nil, "add success,key_changeover failure,format failure"},
		{true, true, good, "0201", nil, "add success,key_changeover success,format success"},
	} {
		t.Run(fmt.Sprintf("rollback %t, reaches the card %t", c.rollback, c.reaches), func(t *testing.T) {
			l := newLab(t, fmt.Sprintf(
				"op.format.userKey.rollbackKeyVersionOnPutKeyFailure=%t", c.rollback))
			card := newCard(t, "gp211-scp02")
			end, err := l.format(putKeyCard(card, c.reaches, "6F00"))
			require.NoError(t, err)
			assert.Equal(t, c.end, end, "%s", l.log)
			assert.Equal(t, c.info, l.record(card.CUID()).KeyInfo)
			assert.Equal(t, c.open, l.openIntents(card.CUID()))
			assert.Equal(t, c.history, strings.Join(l.history(card.CUID()), ","))

			l.mustFormat(card)
			rec := l.record(card.CUID())
			assert.Equal(t, "0201", rec.KeyInfo)
			assert.Empty(t, l.openIntents(card.CUID()))
		})
	}
}

func TestFormatBelievesNoOtherCheckValues(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	end, err := l.format(putKeyCard(card, true, "02"+"AABBCC"+"AABBCC"+"AABBCC"+"9000"))
	require.NoError(t, err)
	assert.Equal(t, wire.StatusKeyChangeOver, end.Status)
	assert.Contains(t, l.log.String(), "key check values answered differ")
}

// setRecord changes a stored record by hand.
func (l *lab) setRecord(card *simcard.Card, change func(r *token.Record)) {
	l.t.Helper()
	old := l.record(card.CUID())
	next := old
	change(&next)
	_, err := l.store.Apply(l.t.Context(), store.Change{
		CUID: old.CUID, Old: &old, New: &next, Actor: "agent", Why: "test", At: time.Now(),
	})
	require.NoError(l.t, err)
}

func TestFormatChecksTheCardsKeysAgainstTheRecord(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	l.mustFormat(card)
	l.setRecord(card, func(r *token.Record) { r.KeyInfo = "0701" })
	end, err := l.format(inReader(card))
	require.NoError(t, err)
	assert.Equal(t, wire.StatusSecureChannel, end.Status)
	assert.Equal(t, "0701", l.record(card.CUID()).KeyInfo)

	l.configure("op.format.userKey.validateCardKeyInfoAgainstTokenDB=false")
	l.mustFormat(card)
	assert.Equal(t, "0201", l.record(card.CUID()).KeyInfo)
}

func TestFormatChecksCUIDAgainstKDDWhereAsked(t *testing.T) {
	l := newLab(t, "op.format.userKey.cuidMustMatchKDD=true")
	end, err := l.format(inReader(newCard(t, "sce6-scp03")))
	require.NoError(t, err)
	assert.Equal(t, wire.StatusSecureChannel, end.Status, "its KDD differs from its CUID")
	l.mustFormat(newCard(t, "gp211-scp02"))
}

// spyTKS notes which key sets were asked for.
type spyTKS struct {
	contact.TKS
	mu      sync.Mutex
	keySets map[string]bool
}

func (s *spyTKS) ComputeSessionKey(ctx context.Context, r connector.SessionKeyRequest) (
	connector.SessionKeyResponse, error,
) {
	s.mu.Lock()
	s.keySets[r.KeySet] = true
	s.mu.Unlock()
	return s.TKS.ComputeSessionKey(ctx, r)
}

func TestFormatDecidesTheKeySet(t *testing.T) {
	const resolver = "op.format.keySetMappingResolver=keySetMappingResolver"
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"nothing says":        {[]string{"tps.connector.tks1.keySet="}, "defKeySet"},
		"the connector says":  {[]string{"tps.connector.tks1.keySet=aesKeySet"}, "aesKeySet"},
		"a resolver says":     {[]string{resolver, "tps.connector.tks1.keySet=other"}, "defKeySet"},
		"the token type says": {[]string{resolver, "op.format.userKey.tks.keySet=mine"}, "mine"},
		"a resolver says nothing": {[]string{
			resolver, "tps.connector.tks1.keySet=other",
			"mappingResolver.keySetMappingResolver.mapping.order=1",
		}, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c.lines...)
			spy := &spyTKS{TKS: l.tks.TKS, keySets: map[string]bool{}}
			l.tks.TKS = spy
			_, err := l.format(inReader(newCard(t, "gp211-scp02")))
			require.NoError(t, err)
			spy.mu.Lock()
			defer spy.mu.Unlock()
			assert.Equal(t, map[string]bool{c.want: true}, spy.keySets)
		})
	}
}

// A card that lost its applet to an interrupted format is repaired even where cards
// without applet are refused.
func TestFormatRepairsWhatItTookAwayItself(t *testing.T) {
	const strict = "op.format.userKey.update.applet.emptyToken.enable=false"
	l := newLab(t, strict)
	end, err := l.format(inReader(newCard(t, "gp211-scp02")))
	require.NoError(t, err)
	assert.Equal(t, wire.StatusUpgradeApplet, end.Status, "a card that never had an applet")

	l.configure()
	card := newCard(t, "gp211-scp02", simcard.WithSeed(8))
	l.mustFormat(card)
	l.configure(strict)
	_, err = l.format(cutCard(t, card, 25, false))
	require.ErrorIs(t, err, errLeft)
	soon(t, "session ends", func() bool { return l.server.Sessions() == 0 })
	replug(t, card)
	require.Equal(t, []string{"load_applet"}, l.openIntents(card.CUID()))
	l.mustFormat(card)
}

// An agent who reports a card damaged while it is being formatted is not overruled.
func TestFormatDoesNotOverruleAnAgent(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	l.onFailpoint(func(name string) error {
		if name == op.FailFinish {
			l.setRecord(card, func(r *token.Record) { *r = r.InState(token.Damaged) })
		}
		return nil
	})
	end, err := l.format(inReader(card))
	require.NoError(t, err)
	assert.Equal(t, wire.StatusDisabledToken, end.Status)
	rec := l.record(card.CUID())
	assert.Equal(t, token.Damaged, rec.Status)
	assert.Equal(t, "0201", rec.KeyInfo, "the card's keys are a fact, whatever its state")

	l.onFailpoint(nil)
	end, err = l.format(inReader(card))
	require.NoError(t, err)
	assert.Equal(t, wire.StatusDisabledToken, end.Status)
}

func TestFormatAtOtherSecurityLevels(t *testing.T) {
	for _, line := range []string{
		"channel.encryption=false", "op.format.userKey.update.applet.encryption=false",
		"channel.rmac=true", "channel.blocksize=100", "tps.connector.tks1.generateHostChallenge=false",
	} {
		t.Run(line, func(t *testing.T) {
			eachStock(t, func(t *testing.T, l *lab, i int, card *simcard.Card) {
				l.configure("op.format.userKey.tks.keySet="+stocks[i].keySet, line)
				l.mustFormat(card)
				l.mustFormat(card)
				assert.Equal(t, stocks[i].changed, l.record(card.CUID()).KeyInfo)
			})
		})
	}
}

func TestFormatWithoutLoginAndWithoutResolver(t *testing.T) {
	l := newLab(t, "op.format.userKey.auth.enable=false", "op.format.mappingResolver=none")
	c := &client{card: inReader(newCard(t, "gp211-scp02"))}
	end, err := c.run(t.Context(), l.http.URL, wire.OpFormat)
	require.NoError(t, err)
	assert.Equal(t, wire.ResultGood, end.Result)
	for _, m := range c.got {
		assert.NotEqual(t, wire.TypeLoginRequest, m.Type())
		assert.NotEqual(t, wire.TypeStatusUpdateRequest, m.Type(), "nobody asked for progress")
	}
}

func TestFormatsRunSideBySide(t *testing.T) {
	l := newLab(t)
	const cards = 8
	ends := make(chan wire.EndOp, cards)
	for i := range cards {
		card := newCard(t, "gp211-scp02", simcard.WithSeed(int64(i)))
		go func() {
			end, err := l.format(inReader(card))
			if err != nil {
				end.Result = wire.ResultBad
			}
			ends <- end
		}()
	}
	for range cards {
		assert.Equal(t, wire.EndOp{Operation: wire.OpFormat}, <-ends)
	}
}
