package tps_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/wire"
)

// stocks are the cards to format: how the record writes their keys before, after a
// change to version 2, and after going back; and which key set is theirs.
var stocks = []struct {
	name, keySet, applet     string
	factory, changed, revert string
}{
	{"op201-scp01", "defKeySet", applet14, "0101", "0201", "0101"},
	{"gp211-scp01", "defKeySet", applet14, "FF01", "0201", "0101"},
	{"gp211-scp02", "defKeySet", applet14, "FF01", "0201", "0101"},
	{"sce6-scp03", "defKeySet", applet15, "FF0370", "020370", "010370"},
	{"sce7-scp03", "aesKeySet", applet15, "010370", "020370", "010370"},
}

// eachStock runs a test with a lab and a new card of each stock.
func eachStock(t *testing.T, test func(t *testing.T, l *lab, s int, card *simcard.Card)) {
	for i, s := range stocks {
		t.Run(s.name, func(t *testing.T) {
			l := newLab(t, "op.format.userKey.tks.keySet="+s.keySet)
			test(t, l, i, newCard(t, s.name))
		})
	}
}

func newCard(t *testing.T, name string, opts ...simcard.Option) *simcard.Card {
	t.Helper()
	s, err := stock.ByName(name)
	require.NoError(t, err)
	card, err := simcard.New(s, append([]simcard.Option{simcard.WithSeed(7)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = card.Close() })
	require.NoError(t, card.PowerOn())
	return card
}

// inReader is a card as a client sees it.
func inReader(card *simcard.Card) func([]byte) ([]byte, error) {
	return func(cmd []byte) ([]byte, error) { return card.Transmit(context.Background(), cmd) }
}

// replug takes the card out of the reader and puts it back.
func replug(t *testing.T, card *simcard.Card) {
	t.Helper()
	require.NoError(t, card.PowerOff())
	require.NoError(t, card.PowerOn())
}

func (l *lab) mustFormat(card *simcard.Card, why ...any) {
	l.t.Helper()
	end, err := l.format(inReader(card))
	require.NoError(l.t, err, why...)
	require.Equal(l.t, wire.EndOp{Operation: wire.OpFormat}, end, why...)
}

func TestFormatChangesKeysStaysAndReverts(t *testing.T) {
	eachStock(t, func(t *testing.T, l *lab, i int, card *simcard.Card) {
		s := stocks[i]
		checks := func(info string) {
			t.Helper()
			rec := l.record(card.CUID())
			assert.Equal(t, token.Formatted, rec.Status)
			assert.Equal(t, "userKey", rec.Type)
			assert.Empty(t, rec.UserID)
			assert.Equal(t, s.applet, rec.AppletID)
			assert.Equal(t, info, rec.KeyInfo)
			assert.Empty(t, l.openIntents(card.CUID()))
			assert.Equal(t, issuerURL, issuerOn(t, card))
		}
		l.mustFormat(card)
		checks(s.changed)
		replug(t, card)
		l.mustFormat(card)
		checks(s.changed)
		assert.Equal(t, []string{
			"add success", "key_changeover success", "format success", "format success",
		}, l.history(card.CUID()))

		l.configure("op.format.userKey.tks.keySet="+s.keySet,
			"op.format.userKey.update.symmetricKeys.requiredVersion=1")
		l.mustFormat(card)
		checks(s.revert)
		l.mustFormat(card)
		checks(s.revert)
	})
}

func TestFormatLeavesKeysAloneWhereNotAsked(t *testing.T) {
	eachStock(t, func(t *testing.T, l *lab, i int, card *simcard.Card) {
		l.configure("op.format.userKey.tks.keySet="+stocks[i].keySet,
			"op.format.userKey.update.symmetricKeys.enable=false")
		l.mustFormat(card)
		assert.Equal(t, stocks[i].factory, l.record(card.CUID()).KeyInfo)
	})
}

// issuerOn reads the issuer's address off a card.
func issuerOn(t *testing.T, card *simcard.Card) string {
	t.Helper()
	for _, cmd := range []string{"00A4040007627601FF000000", "B0F60000E0"} {
		var raw []byte
		_, err := fmt.Sscanf(cmd, "%X", &raw)
		require.NoError(t, err)
		resp, err := card.Transmit(t.Context(), raw)
		require.NoError(t, err)
		require.Equal(t, "9000", upper(resp[len(resp)-2:]))
		if cmd[0] == 'B' {
			return strings.TrimRight(string(resp[:len(resp)-2]), "\x00")
		}
	}
	return ""
}

func TestFormatShowsProgress(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	c := &client{user: "alice", password: "secret123", progress: true, card: inReader(card)}
	end, err := c.run(t.Context(), l.http.URL, wire.OpFormat)
	require.NoError(t, err)
	require.Equal(t, wire.ResultGood, end.Result)
	var percents []int
	for _, m := range c.got {
		if u, ok := m.(wire.StatusUpdateRequest); ok {
			percents = append(percents, u.Percent)
			want := "PROGRESS_APPLET_BLOCK"
			if u.Percent == 100 {
				want = "PROGRESS_DONE"
			}
			assert.Equal(t, want, u.Task)
		}
	}
	require.Greater(t, len(percents), 10)
	assert.GreaterOrEqual(t, percents[0], 10)
	assert.IsIncreasing(t, percents)
	assert.Equal(t, []int{90, 100}, percents[len(percents)-2:])
}

// cutCard answers until it has seen so many commands; then it is pulled before the
// next one, or does that one and its answer is lost.
func cutCard(t *testing.T, card *simcard.Card, at int, afterwards bool) func([]byte) (
	[]byte, error,
) {
	n := 0
	return func(cmd []byte) ([]byte, error) {
		if n++; n <= at {
			return card.Transmit(context.Background(), cmd)
		}
		if afterwards {
			_, err := card.Transmit(context.Background(), cmd)
			require.NoError(t, err)
		}
		return nil, errLeft
	}
}

// A card cut before each command of a format, and with the answer of each command
// lost, is formatted by the next one every time.
func TestFormatRepairsACardCutAnywhere(t *testing.T) {
	for _, s := range stocks {
		for _, afterwards := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s answer lost %t", s.name, afterwards), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, "op.format.userKey.tks.keySet="+s.keySet)
				commands := 0
				whole := newCard(t, s.name, simcard.WithSeed(99))
				end, err := l.format(func(cmd []byte) ([]byte, error) {
					commands++
					return whole.Transmit(context.Background(), cmd)
				})
				require.NoError(t, err)
				require.Equal(t, wire.ResultGood, end.Result)
				cuts := 0
				for at := range commands {
					if testing.Short() && at%7 != 0 {
						continue
					}
					cuts++
					card := newCard(t, s.name, simcard.WithSeed(int64(1000+at)))
					_, err := l.format(cutCard(t, card, at, afterwards))
					require.ErrorIs(t, err, errLeft)
					soon(t, "session ends", func() bool { return l.server.Sessions() == 0 })
					replug(t, card)
					l.mustFormat(card, "after a cut at command %d", at)
					rec := l.record(card.CUID())
					require.Equal(t, token.Formatted, rec.Status, "cut at %d", at)
					require.Equal(t, s.changed, rec.KeyInfo, "cut at %d", at)
					require.Empty(t, l.openIntents(card.CUID()), "cut at %d", at)
				}
				t.Logf("%d cut points", cuts)
			})
		}
	}
}

// tear cuts the power of a card at its nth write from now on; 0 never. It gives the
// number of writes seen.
func tear(card *simcard.Card, n int, how nvm.Cut) *int {
	seen := new(int)
	card.SetTear(func(nvm.Write) nvm.Cut {
		if *seen++; *seen == n {
			return how
		}
		return nvm.Keep
	})
	return seen
}

// A card that loses power at each write to its memory, before, in the middle and after
// it, is formatted by the next format every time.
func TestFormatRepairsACardTornAtAnyWrite(t *testing.T) {
	for _, s := range stocks {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "op.format.userKey.tks.keySet="+s.keySet)
			whole := newCard(t, s.name, simcard.WithSeed(99))
			writes := tear(whole, 0, nvm.Keep)
			l.mustFormat(whole)
			require.Positive(t, *writes)
			stride := 1
			if testing.Short() {
				stride = 9
			}
			for at := 1; at <= *writes; at += stride {
				how := []nvm.Cut{nvm.Before, nvm.Torn, nvm.After}[at%3]
				card := newCard(t, s.name, simcard.WithSeed(int64(1000+at)))
				tear(card, at, how)
				_, err := l.format(inReader(card))
				require.ErrorIs(t, err, nvm.ErrPowerLost)
				soon(t, "session ends", func() bool { return l.server.Sessions() == 0 })
				card.SetTear(nil)
				replug(t, card)
				l.mustFormat(card, "torn %v write %d", how, at)
				rec := l.record(card.CUID())
				require.Equal(t, token.Formatted, rec.Status, "torn at %d", at)
				require.Equal(t, s.changed, rec.KeyInfo, "torn at %d", at)
				require.Empty(t, l.openIntents(card.CUID()), "torn at %d", at)
			}
			t.Logf("%d writes", *writes)
		})
	}
}

// A server killed at each failpoint leaves records from which the next run of the
// server, and the next format, put everything right.
func TestFormatSurvivesADeadServer(t *testing.T) {
	for _, s := range stocks {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen := map[string]bool{}
			for i, name := range op.Failpoints() {
				l := newLab(t, "op.format.userKey.tks.keySet="+s.keySet)
				card := newCard(t, s.name, simcard.WithSeed(int64(i)))
				l.onFailpoint(func(at string) error {
					mu.Lock()
					defer mu.Unlock()
					seen[at] = true
					if at == name {
						return errors.New("power cut")
					}
					return nil
				})
				_, err := l.format(inReader(card))
				require.ErrorIs(t, err, wire.ErrConnectionLost, "%s: no END_OP from the dead", name)
				soon(t, "session ends", func() bool { return l.server.Sessions() == 0 })
				l.onFailpoint(nil)
				l.configure("op.format.userKey.tks.keySet=" + s.keySet)
				require.NoError(t, l.server.NoteInterrupted(t.Context(), l.store))
				if open := l.openIntents(card.CUID()); len(open) > 0 {
					assert.Contains(t, l.history(card.CUID()), "format failure", name)
				}
				replug(t, card)
				l.mustFormat(card, "after death at %s", name)
				rec := l.record(card.CUID())
				require.Equal(t, token.Formatted, rec.Status, name)
				require.Equal(t, s.changed, rec.KeyInfo, name)
				require.Empty(t, l.openIntents(card.CUID()), name)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, name := range op.Failpoints() {
				assert.True(t, seen[name], "format never came to %s", name)
			}
		})
	}
}

func TestFormatOfAClientThatVanishesIsRecorded(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	_, err := l.format(cutCard(t, card, 25, false))
	require.ErrorIs(t, err, errLeft)
	soon(t, "failure is recorded", func() bool {
		return strings.Contains(strings.Join(l.history(card.CUID()), ","), "format failure")
	})
	assert.Equal(t, []string{"load_applet"}, l.openIntents(card.CUID()))
	assert.Equal(t, token.Unformatted, l.record(card.CUID()).Status)
}

func TestFormatRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		lines  []string
		before func(l *lab)
		wrong  bool // wrong password
		status wire.Status
		stored bool
	}{
		"wrong password": {wrong: true, status: wire.StatusLogin},
		"unknown token": {
			lines: []string{"op.format.allowUnknownToken=false"}, status: wire.StatusUnknownToken,
		},
		"disabled type": {
			lines: []string{"config.Profiles.userKey.state=Disabled"}, status: wire.StatusDisabledToken,
		},
		"no applet on the card": {
			lines:  []string{"op.format.userKey.update.applet.emptyToken.enable=false"},
			status: wire.StatusUpgradeApplet, stored: true,
		},
		"no load file": {
			lines:  []string{"op.format.userKey.update.applet.requiredVersion.prot.2=1.4.00000000"},
			status: wire.StatusUpgradeApplet, stored: true,
		},
		"no version for the protocol": {
			lines:  []string{"op.format.userKey.update.applet.requiredVersion.prot.2="},
			status: wire.StatusMisconfiguration, stored: true,
		},
		"version leads out of the directory": {
			lines: []string{
				"op.format.userKey.update.applet.requiredVersion.prot.2=../applets/1.4.58768072",
			},
			status: wire.StatusMisconfiguration, stored: true,
		},
		"load file of another package": {
			lines:  []string{"applet.aid.netkey_file=A00000000102"},
			status: wire.StatusUpgradeApplet, stored: true,
		},
		"key service down": {
			before: func(l *lab) { l.tks.down = true }, status: wire.StatusNoTKSConnID, stored: true,
		},
		"no such key service": {
			lines: []string{"op.format.userKey.tks.conn=tks9"}, status: wire.StatusNoTKSConnID,
		},
		"no such key set": {
			lines:  []string{"op.format.userKey.tks.keySet=nobody"},
			status: wire.StatusMisconfiguration, stored: true,
		},
		"key version out of bounds": {
			lines:  []string{"op.format.userKey.maximumGPKeyVersion=7F"},
			status: wire.StatusSecureChannel, stored: true,
		},
		"no mapping": {
			lines: []string{
				"mappingResolver.formatProfileMappingResolver.mapping.order=0",
			}, status: wire.StatusMappingResolverFailed,
		},
		"no such resolver": {
			lines:  []string{"op.format.mappingResolver=nobody"},
			status: wire.StatusMappingResolverParams,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c.lines...)
			if c.before != nil {
				c.before(l)
			}
			card := newCard(t, "gp211-scp02")
			cl := &client{user: "alice", password: "secret123", card: inReader(card)}
			if c.wrong {
				cl.password = "guess"
			}
			end, err := cl.run(t.Context(), l.http.URL, wire.OpFormat)
			require.NoError(t, err)
			assert.Equal(t, wire.EndOp{
				Operation: wire.OpFormat, Result: wire.ResultBad, Status: c.status,
			}, end, "%s", l.log)
			_, err = l.store.Token(t.Context(), card.CUID())
			assert.Equal(t, c.stored, err == nil)
			assert.Contains(t, l.history(card.CUID()), "format failure")
			assert.Empty(t, l.openIntents(card.CUID()))
		})
	}
}
