package vpcd

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const soon = 10 * time.Second

// tape records what a card is asked for, and fails where a test wants it to.
type tape struct {
	Echo
	mu    sync.Mutex
	calls []string
	fail  map[string]error
	atr   []byte
	block bool
}

func (c *tape) call(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, name)
	return c.fail[name]
}

func (c *tape) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.calls...)
}

func (c *tape) PowerOn() error  { _ = c.Echo.PowerOn(); return c.call("on") }
func (c *tape) PowerOff() error { _ = c.Echo.PowerOff(); return c.call("off") }
func (c *tape) Reset() error    { return c.call("reset") }

func (c *tape) ATR() []byte {
	_ = c.call("atr")
	if c.atr != nil {
		return c.atr
	}
	return c.Echo.ATR()
}

func (c *tape) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if err := c.call("transmit"); err != nil {
		return nil, err
	}
	if c.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c.Echo.Transmit(ctx, cmd)
}

// driver is the far end of Dial: a bare listener, so that a test writes the bytes itself.
func driver(t *testing.T) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln.(*net.TCPListener)
}

func acceptCard(t *testing.T, ln *net.TCPListener) net.Conn {
	t.Helper()
	require.NoError(t, ln.SetDeadline(time.Now().Add(soon)))
	conn, err := ln.Accept()
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func plugIn(t *testing.T, addr string, c Card, o Options) (pull func(), result <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Dial(ctx, addr, c, o) }()
	return cancel, done
}

func result(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(soon):
		t.Fatal("Dial did not return")
		return nil
	}
}

func TestDialAnswersTheDriver(t *testing.T) {
	ln, card := driver(t), new(tape)
	pull, done := plugIn(t, ln.Addr().String(), card, Options{})
	conn := acceptCard(t, ln)

	// As vsmartcard 3.3 does it: length and message in segments of their own.
	for _, segment := range [][]byte{
		{0, 1}, {1}, {0, 1}, {4}, {0, 1}, {2}, {0, 5}, {0x80, 0xCA, 0x9F, 0x7F, 0},
	} {
		_, err := conn.Write(segment)
		require.NoError(t, err)
	}
	got := make([]byte, 2+4+2+7)
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	assert.Equal(t, []byte{
		0, 4, 0x3B, 0x80, 0x01, 0x81, 0, 7, 0x80, 0xCA, 0x9F, 0x7F, 0, 0x90, 0x00,
	}, got)

	pull()
	require.NoError(t, result(t, done), "the end of the context is the usual end")
	assert.Equal(t, []string{"on", "atr", "reset", "transmit", "off"}, card.seen(),
		"a card out of the reader has no power")
}

func TestDialComesBackWhenTheReaderDoes(t *testing.T) {
	ln, card := driver(t), new(tape)
	addr := ln.Addr().String()
	var connects, ends atomic.Int32
	pull, done := plugIn(t, addr, card, Options{
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
		OnConnect: func(net.Addr) { connects.Add(1) },
		OnAway: func(made bool, err error) {
			assert.Error(t, err)
			if made {
				ends.Add(1)
			}
		},
	})
	conn := acceptCard(t, ln)
	require.NoError(t, ln.Close())
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return len(card.seen()) == 1 }, soon, time.Millisecond,
		"the card loses its power with the connection")

	again, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = again.Close() })
	acceptCard(t, again.(*net.TCPListener))
	require.Eventually(t, func() bool { return connects.Load() == 2 }, soon, time.Millisecond)
	assert.Equal(t, int32(1), ends.Load())
	pull()
	require.NoError(t, result(t, done))
}

func TestDialGivesUpAfterMaxFailures(t *testing.T) {
	ln := driver(t)
	require.NoError(t, ln.Close())
	o := Options{MaxFailures: 3, MinBackoff: time.Millisecond}
	err := Dial(t.Context(), ln.Addr().String(), new(Echo), o)
	require.ErrorContains(t, err, "giving up after 3 attempts")
	var op *net.OpError
	assert.ErrorAs(t, err, &op, "the last reason is told")
}

func TestDialEndsPromptlyWithItsContext(t *testing.T) {
	t.Run("while the reader is away", func(t *testing.T) {
		ln := driver(t)
		require.NoError(t, ln.Close())
		tried := make(chan struct{}, 100)
		o := Options{MinBackoff: time.Hour, MaxBackoff: time.Hour, Log: notify(tried)}
		pull, done := plugIn(t, ln.Addr().String(), new(Echo), o)
		<-tried
		pull()
		require.NoError(t, result(t, done))
	})
	t.Run("while idle in the reader", func(t *testing.T) {
		ln := driver(t)
		pull, done := plugIn(t, ln.Addr().String(), new(Echo), Options{})
		acceptCard(t, ln)
		pull()
		require.NoError(t, result(t, done))
	})
	t.Run("while the card computes", func(t *testing.T) {
		ln, card := driver(t), &tape{block: true}
		pull, done := plugIn(t, ln.Addr().String(), card, Options{})
		_, err := acceptCard(t, ln).Write([]byte{0, 4, 0, 0xA4, 4, 0})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(card.seen()) == 1 }, soon, time.Millisecond)
		pull()
		require.Error(t, result(t, done), "the card says that it was torn")
	})
}

func TestDialEndsWithTheCardsError(t *testing.T) {
	torn := errors.New("torn")
	tests := []struct {
		name string
		card *tape
		send []byte
		want string
	}{
		{"power on", &tape{fail: map[string]error{"on": torn}}, []byte{0, 1, 1}, "power on: torn"},
		{"power off", &tape{fail: map[string]error{"off": torn}}, []byte{0, 1, 0}, "power off: torn"},
		{"reset", &tape{fail: map[string]error{"reset": torn}}, []byte{0, 1, 2}, "reset: torn"},
		{
			"transmit", &tape{fail: map[string]error{"transmit": torn}}, []byte{0, 2, 0, 0},
			"transmit: torn",
		},
		{"ATR too long", &tape{atr: make([]byte, 34)}, []byte{0, 1, 4}, "ATR of 34 bytes"},
		{"ATR too short", &tape{atr: []byte{0x3B}}, []byte{0, 1, 4}, "ATR of 1 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln := driver(t)
			_, done := plugIn(t, ln.Addr().String(), tt.card, Options{})
			_, err := acceptCard(t, ln).Write(tt.send)
			require.NoError(t, err)
			require.ErrorContains(t, result(t, done), tt.want)
		})
	}
}

func TestServeRefusesAHostileReader(t *testing.T) {
	tests := []struct {
		name   string
		stream []byte
		want   string
	}{
		{"unknown control", []byte{0, 1, 3}, "protocol violated: unknown control 03"},
		{"empty message", []byte{0, 0}, "protocol violated: message of 0 bytes"},
		{"cut short", []byte{0xFF, 0xFF, 1}, "cut short after 1 of 65535 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := net.Pipe()
			go func() {
				_, _ = b.Write(tt.stream)
				_ = b.Close()
			}()
			err := serve(t.Context(), a, new(Echo))
			require.ErrorContains(t, err, tt.want)
			var ce *cardError
			assert.NotErrorAs(t, err, &ce, "that is not the card's failure")
		})
	}
}

func TestDialRefusesOtherMachines(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:35963", "[2001:db8::1]:35963", "0.0.0.0:35963"} {
		err := Dial(t.Context(), addr, new(Echo), Options{})
		require.ErrorIs(t, err, ErrNotLoopback, addr)
	}
	o := Options{AllowRemote: true, MaxFailures: 1}
	err := Dial(t.Context(), "[::]:1", new(Echo), o)
	require.NotErrorIs(t, err, ErrNotLoopback, "unless an option says otherwise")
}
