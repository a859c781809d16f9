//go:build pcsc && cgo

package pcsc

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/vpcd"
)

// readersEnv names virtual readers and where their cards plug in (scripts/pcscd).
const readersEnv = "VPCD_READERS"

type virtualReader struct{ name, addr string }

// virtualReaders are the readers to test with. Without them there is no pcscd to test against; CI
// runs these tests inside "scripts/pcscd exec", where there always is.
func virtualReaders(t testing.TB) (all []virtualReader) {
	t.Helper()
	list := os.Getenv(readersEnv)
	if list == "" {
		t.Skip("needs a pcscd with virtual readers: scripts/pcscd exec go test -tags pcsc ...")
	}
	for entry := range strings.SplitSeq(list, "|") {
		name, addr, ok := strings.Cut(entry, "@")
		require.True(t, ok, "%s: %q", readersEnv, entry)
		all = append(all, virtualReader{name, addr})
	}
	return all
}

// slowCard is an echo card of a chosen ATR that waits while a test holds it.
type slowCard struct {
	vpcd.Echo
	atr     []byte
	hold    chan struct{}
	mu      sync.Mutex
	resets  int
	powered int
}

func (c *slowCard) ATR() []byte {
	if c.atr != nil {
		return c.atr
	}
	return c.Echo.ATR()
}

func (c *slowCard) PowerOn() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.powered++
	return c.Echo.PowerOn()
}

func (c *slowCard) Reset() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resets++
	return nil
}

func (c *slowCard) counts() (resets, powered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resets, c.powered
}

func (c *slowCard) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if c.hold != nil {
		select {
		case <-c.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.Echo.Transmit(ctx, cmd)
}

func shortly(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	return ctx
}

// waitFor follows the reader's events until it has a card, or has none.
func waitFor(t testing.TB, reader string, present bool) ReaderState {
	t.Helper()
	ctx := shortly(t)
	states, err := States()
	require.NoError(t, err)
	for {
		for _, s := range states {
			if s.Name == reader && s.Card == present {
				return s
			}
		}
		states, err = WaitChange(ctx, states)
		require.NoError(t, err)
	}
}

// plug puts a card into the reader and waits until PC/SC sees it; the test's end pulls it.
func plug(t testing.TB, r virtualReader, c vpcd.Card) (pull func()) {
	t.Helper()
	waitFor(t, r.name, false)
	// The test's context ends before its clean-ups, which may still need the card.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = vpcd.Dial(ctx, r.addr, c, vpcd.Options{})
	}()
	pull = func() {
		cancel()
		<-done
		waitGone(t, r.name)
	}
	t.Cleanup(pull)
	waitFor(t, r.name, true)
	return pull
}

// waitGone is waitFor without the test's context, which a clean-up no longer has.
func waitGone(t testing.TB, reader string) {
	t.Helper()
	require.Eventually(t, func() bool {
		states, err := States()
		require.NoError(t, err)
		for _, s := range states {
			if s.Name == reader {
				return !s.Card
			}
		}
		return false
	}, soon, 20*time.Millisecond)
}

func TestRealReadersAreListed(t *testing.T) {
	virtual := virtualReaders(t)
	require.NoError(t, Available())
	names, err := Readers()
	require.NoError(t, err)
	for _, v := range virtual {
		assert.Contains(t, names, v.name)
	}
}

func TestRealCard(t *testing.T) {
	r := virtualReaders(t)[0]
	card := new(slowCard)
	pull := plug(t, r, card)
	c, err := Open(shortly(t), r.name)
	require.NoError(t, err)
	assert.Equal(t, r.name, c.Reader())
	assert.Equal(t, card.ATR(), c.ATR())
	assert.Equal(t, T1, c.Protocol())

	for _, size := range []int{4, 5, 260, 4000, 65533} {
		cmd := bytes.Repeat([]byte{0x00}, size)
		rsp, err := c.Transmit(shortly(t), cmd)
		require.NoError(t, err)
		assert.Equal(t, append(bytes.Clone(cmd), 0x90, 0x00), rsp, size)
	}
	for _, size := range []int{0, maxCommand + 1} {
		_, err := c.Transmit(shortly(t), make([]byte, size))
		require.ErrorIs(t, err, ErrCommandLength)
	}

	resets, powered := card.counts()
	require.NoError(t, c.Reset(shortly(t)))
	resetsAfter, _ := card.counts()
	assert.Greater(t, resetsAfter, resets)
	require.NoError(t, c.PowerCycle(shortly(t)))
	_, poweredAfter := card.counts()
	assert.Greater(t, poweredAfter, powered)
	_, err = c.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.NoError(t, err)

	pull()
	_, err = c.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrRemoved)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, err = c.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrClosed)
	_, err = Open(shortly(t), r.name)
	require.ErrorIs(t, err, ErrNoCard)
}

func TestRealT0(t *testing.T) {
	r := virtualReaders(t)[0]
	plug(t, r, &slowCard{atr: []byte{0x3B, 0x00}}) // no TD1: T=0 (ISO/IEC 7816-3 §8.2.3)
	raw, err := OpenWith(shortly(t), r.name, Options{Raw: true})
	require.NoError(t, err)
	assert.Equal(t, T0, raw.Protocol())
	rsp, err := raw.Transmit(shortly(t), []byte{0, 0xA4, 4, 0, 1, 0xAA, 0})
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0xA4, 4, 0, 1, 0xAA, 0, 0x90, 0}, rsp)
	require.NoError(t, raw.Close())

	c, err := Open(shortly(t), r.name)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	rsp, err = c.Transmit(shortly(t), []byte{0, 0xA4, 4, 0, 1, 0xAA, 0})
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0xA4, 4, 0, 1, 0xAA, 0x90, 0}, rsp, "no Le on the wire")
}

func TestRealProtocolChoice(t *testing.T) {
	r := virtualReaders(t)[0]
	plug(t, r, new(slowCard)) // T=1 alone
	_, err := OpenWith(shortly(t), r.name, Options{Protocol: T0})
	require.Error(t, err)
	c, err := OpenWith(shortly(t), r.name, Options{Protocol: T1})
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestRealSharing(t *testing.T) {
	r := virtualReaders(t)[0]
	plug(t, r, new(slowCard))
	alone, err := Open(shortly(t), r.name)
	require.NoError(t, err)
	_, err = OpenWith(shortly(t), r.name, Options{Shared: true})
	require.ErrorIs(t, err, ErrInUse)
	states, err := States()
	require.NoError(t, err)
	for _, s := range states {
		if s.Name == r.name {
			assert.True(t, s.InUse && s.Exclusive)
		}
	}
	require.NoError(t, alone.Close())

	one, err := OpenWith(shortly(t), r.name, Options{Shared: true})
	require.NoError(t, err)
	two, err := OpenWith(shortly(t), r.name, Options{Shared: true})
	require.NoError(t, err)
	require.NoError(t, two.Reset(shortly(t)))
	_, err = one.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrReset, "another program's reset is told, not hidden")
	require.NoError(t, one.Reset(shortly(t)))
	_, err = one.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.NoError(t, err)
	require.NoError(t, one.Close())
	require.NoError(t, two.Close())
}

func TestRealWatchdog(t *testing.T) {
	r := virtualReaders(t)[0]
	hold := make(chan struct{})
	plug(t, r, &slowCard{hold: hold})
	c, err := OpenWith(shortly(t), r.name, Options{Timeout: 200 * time.Millisecond})
	require.NoError(t, err)
	_, err = c.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrTimeout)
	_, err = c.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrAbandoned)
	require.ErrorIs(t, c.Close(), ErrAbandoned)
	close(hold)

	require.Eventually(t, func() bool { // when the abandoned call is over, the card is free again
		again, err := Open(t.Context(), r.name)
		if err != nil {
			return false
		}
		defer func() { assert.NoError(t, again.Close()) }()
		_, err = again.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
		return assert.NoError(t, err)
	}, soon, 20*time.Millisecond)
}

func TestRealReadersDoNotCrossTalk(t *testing.T) {
	virtual := virtualReaders(t)
	var wg sync.WaitGroup
	for i, r := range virtual {
		plug(t, r, &slowCard{atr: []byte{0x3B, 0x81, 0x01, byte(i), 0x80 ^ 0x01 ^ byte(i) ^ 1}})
		c, err := Open(shortly(t), r.name)
		require.NoError(t, err)
		assert.Equal(t, byte(i), c.ATR()[3])
		wg.Go(func() {
			defer func() { assert.NoError(t, c.Close()) }()
			cmd := bytes.Repeat([]byte{byte(i)}, 5+i)
			for range 200 {
				rsp, err := c.Transmit(t.Context(), cmd)
				if !assert.NoError(t, err) ||
					!assert.Equal(t, append(bytes.Clone(cmd), 0x90, 0), rsp) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestRealNames(t *testing.T) {
	virtualReaders(t)
	_, err := Open(shortly(t), "No Such Reader 00 00")
	require.ErrorIs(t, err, ErrNoReader)
	_, err = Open(shortly(t), "")
	require.ErrorIs(t, err, ErrNoCard)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	states, err := States()
	require.NoError(t, err)
	_, err = WaitChange(ctx, states)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
