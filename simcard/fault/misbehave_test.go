package fault_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard/fault"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

var (
	selectISD = []byte{0, 0xA4, 4, 0, 0}
	getKeys   = []byte{0x80, 0xCA, 0, 0xE0, 0}
	getCPLC   = []byte{0x80, 0xCA, 0x9F, 0x7F, 0}
)

func send(t *testing.T, c fault.Card, cmd ...byte) []byte {
	t.Helper()
	resp, err := c.Transmit(t.Context(), cmd)
	require.NoError(t, err)
	return resp
}

func TestChangedAnswers(t *testing.T) {
	c := fault.WrongSW(newCard(t), fault.INS(gp.INSInitializeUpdate), apdu.SW6A88)
	assert.Equal(t, []byte{0x6A, 0x88}, send(t, c, initUpdate...))
	assert.EqualValues(t, 1, counter(t, c), "the card has done it")

	sound := send(t, newCard(t), getCPLC...)
	flipped := send(t, fault.FlipBit(newCard(t), fault.Nth(1), 25), getCPLC...)
	flipped[3] ^= 0x40
	assert.Equal(t, sound, flipped)
	assert.Equal(t, sound, send(t, fault.FlipBit(newCard(t), fault.Nth(1), 8000), getCPLC...))
}

func TestMuteUntilWithoutPower(t *testing.T) {
	c := fault.Mute(newCard(t), fault.INS(gp.INSInitializeUpdate))
	assert.Len(t, send(t, c, initUpdate...), 34)
	_, err := c.Transmit(t.Context(), getCounter)
	require.ErrorIs(t, err, fault.ErrMute)
	require.ErrorIs(t, c.Reset(), fault.ErrMute)
	require.NoError(t, c.PowerOff())
	require.NoError(t, c.PowerOn())
	assert.EqualValues(t, 1, counter(t, c))
}

func TestResetBefore(t *testing.T) {
	c := fault.ResetBefore(newCard(t), fault.Nth(2))
	send(t, c, initUpdate...)
	auth := append([]byte{0x84, 0x82, 0, 0, 16}, make([]byte, 16)...)
	assert.Equal(t, []byte{0x69, 0x85}, send(t, c, auth...), "no session is left")
}

func TestFetching(t *testing.T) {
	sound := send(t, newCard(t), initUpdate...)
	c := fault.Fetching(newCard(t))
	assert.Equal(t, []byte{0x61, 32}, send(t, c, initUpdate...))
	got := send(t, c, 0, 0xC0, 0, 0, 10)
	assert.Equal(t, []byte{0x61, 22}, got[10:])
	rest := send(t, c, 0, 0xC0, 0, 0, 0)
	assert.Equal(t, sound[:10], got[:10])
	assert.Len(t, rest, 24)
	assert.Equal(t, []byte{0x90, 0}, rest[22:])

	assert.Equal(t, []byte{0x6C, 45}, send(t, c, 0x80, 0xCA, 0x9F, 0x7F, 7))
	assert.Len(t, send(t, c, 0x80, 0xCA, 0x9F, 0x7F, 45), 47)
	assert.NotEqual(t, byte(0x90), send(t, c, 0, 0xC0, 0, 0, 0)[0], "nothing waits")
}

func TestLatency(t *testing.T) {
	for _, name := range fault.LatencyNames() {
		l, err := fault.LatencyByName(name)
		require.NoError(t, err)
		var clock fault.VirtualTime
		c := fault.Slow(newCard(t), l, &clock, 1)
		send(t, c, selectISD...)
		assert.Equal(t, l.Command, clock.Elapsed())
		send(t, c, initUpdate...)
		assert.Equal(t, 2*l.Command+l.Channel, clock.Elapsed())

		// The applet is not there: what is asked for decides, not what is done.
		const keys = 200
		before := clock.Elapsed()
		for range keys {
			send(t, c, 0x84, coolkey.INSStartEnrollment, 0, 0)
		}
		average := (clock.Elapsed()-before)/keys - l.Command
		assert.InDelta(t, l.RSAKey.Seconds(), average.Seconds(), l.RSAKey.Seconds()/5, name)
	}
	_, err := fault.LatencyByName("instant")
	assert.ErrorContains(t, err, "fast, median, slow")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, fault.RealTime{}.Sleep(ctx, time.Hour), context.Canceled)
}

// Every personality differs from a card without one in the answer named here.
func TestPersonalities(t *testing.T) {
	var clock fault.VirtualTime
	card := func(name string) fault.Card {
		p, err := fault.PersonalityByName(name)
		require.NoError(t, err)
		s := p.Of(stockOf(t))
		return p.Apply(cardOf(t, s), &clock)
	}
	sound := newCard(t)
	fci := send(t, sound, selectISD...)
	aid := fci[4 : 4+8]

	assert.Equal(t, append(append([]byte{}, aid...), 0x90, 0), send(t, card("bare-aid-fci"), selectISD...))
	empty := send(t, card("empty-aid-fci"), selectISD...)
	assert.Equal(t, append([]byte{0x6F, fci[1] - 8, 0x84, 0}, fci[12:]...), empty)
	assert.Equal(t, []byte{0x6A, 0x82}, send(t, card("no-default-select"), selectISD...))
	assert.Equal(t, []byte{0x61, byte(len(fci) - 2)}, send(t, card("get-response"),
		append([]byte{0, 0xA4, 4, 0, 8}, aid...)...))
	assert.Equal(t, []byte{0x67, 0x0E, 0x67, 0x0C}, send(t, card("nested-capabilities"), 0x80, 0xCA, 0, 0x67, 0)[:4])

	keys := send(t, sound, getKeys...)
	mixed := send(t, card("mixed-key-info"), getKeys...)
	assert.Len(t, mixed, len(keys)+6)

	c := card("failed-transaction")
	for range 9 {
		send(t, c, selectISD...)
	}
	_, err := c.Transmit(t.Context(), selectISD)
	require.ErrorIs(t, err, fault.ErrMute)
	send(t, c, selectISD...)

	before := clock.Elapsed()
	send(t, card("mute-after-ec"), 0x84, coolkey.INSStartEnrollmentECC, 0, 0)
	assert.Equal(t, time.Minute, clock.Elapsed()-before)

	for _, p := range fault.Personalities() {
		assert.NotEmpty(t, p.Title, p.Name)
		assert.True(t, p.Stock != nil || p.Wrap != nil, p.Name)
	}
	_, err = fault.PersonalityByName("kind")
	assert.ErrorContains(t, err, "stuck-counter")
}

func TestRudeIsStillRight(t *testing.T) {
	var clock fault.VirtualTime
	c := fault.Rude(newCard(t), &clock, 7)
	fci := send(t, c, selectISD...)
	got, err := gp.ParseFCI(fci[:len(fci)-2])
	require.NoError(t, err)
	assert.NotEmpty(t, got.AID)
	assert.Positive(t, clock.Elapsed())
	assert.Less(t, clock.Elapsed(), 21*time.Millisecond)
}
