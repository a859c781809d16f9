package vpcd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notify is a log that tells of each line.
func notify(c chan<- struct{}) *slog.Logger { return slog.New(notifier{slog.DiscardHandler, c}) }

type notifier struct {
	slog.Handler
	c chan<- struct{}
}

func (notifier) Enabled(context.Context, slog.Level) bool { return true }

func (n notifier) Handle(context.Context, slog.Record) error {
	n.c <- struct{}{}
	return nil
}

func listen(t *testing.T, o ReaderOptions) *Reader {
	t.Helper()
	r, err := ListenWith("127.0.0.1:0", o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func shortly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	return ctx
}

var quick = Options{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}

func TestReaderTalksToACard(t *testing.T) {
	ctx, r, card := shortly(t), listen(t, ReaderOptions{}), new(tape)
	pull, done := plugIn(t, r.Addr().String(), card, quick)
	require.NoError(t, r.WaitCard(ctx))

	_, err := r.Transmit(ctx, []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrUnpowered)
	_, err = r.Reset(ctx)
	require.ErrorIs(t, err, ErrUnpowered)

	atr, err := r.PowerOn(ctx)
	require.NoError(t, err)
	assert.Equal(t, card.Echo.ATR(), atr)
	atr, err = r.Reset(ctx)
	require.NoError(t, err)
	assert.Equal(t, card.Echo.ATR(), atr)
	for _, size := range []int{2, 5, 261, 65533} {
		cmd := bytes.Repeat([]byte{0x5A}, size)
		rsp, err := r.Transmit(ctx, cmd)
		require.NoError(t, err)
		assert.Equal(t, append(cmd, 0x90, 0), rsp)
	}
	rsp, err := r.Transmit(ctx, make([]byte, MaxMessage))
	require.NoError(t, err)
	assert.Equal(t, []byte{0x67, 0}, rsp)

	require.NoError(t, r.PowerOff(ctx))
	_, err = r.Transmit(ctx, []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrUnpowered)
	assert.True(t, r.Present())

	pull()
	require.NoError(t, result(t, done))
	require.NoError(t, r.WaitRemoved(ctx))
	assert.False(t, r.Present())
	_, err = r.PowerOn(ctx)
	require.ErrorIs(t, err, ErrNoCard)
}

func TestReaderRefusesWhatTheWireCannotCarry(t *testing.T) {
	r := listen(t, ReaderOptions{})
	for size, want := range map[int]error{
		0: ErrTooShort, 1: ErrTooShort, MaxMessage + 1: ErrTooLong, 2: ErrNoCard,
	} {
		_, err := r.Transmit(t.Context(), make([]byte, size))
		require.ErrorIs(t, err, want, size)
	}
}

func TestReaderListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		_, err := Listen(addr)
		require.ErrorIs(t, err, ErrNotLoopback, addr)
	}
	r, err := ListenWith(":0", ReaderOptions{AllowRemote: true})
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

func TestReaderDropsACardThatDoesNotAnswer(t *testing.T) {
	command := []byte{0, 0xA4, 4, 0}
	t.Run("watchdog", func(t *testing.T) {
		ctx, r := shortly(t), listen(t, ReaderOptions{Timeout: 100 * time.Millisecond})
		_, done := plugIn(t, r.Addr().String(), &tape{block: true}, quick)
		require.NoError(t, r.WaitCard(ctx))
		_, err := r.PowerOn(ctx)
		require.NoError(t, err)
		_, err = r.Transmit(ctx, command)
		require.ErrorIs(t, err, ErrTimeout)
		require.NoError(t, r.WaitRemoved(ctx))
		select {
		case err := <-done:
			t.Fatal("the card computes on and can't know", err)
		default:
		}
	})
	t.Run("caller's context", func(t *testing.T) {
		r := listen(t, ReaderOptions{})
		card := &tape{block: true}
		plugIn(t, r.Addr().String(), card, quick)
		require.NoError(t, r.WaitCard(shortly(t)))
		_, err := r.PowerOn(shortly(t))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			assert.Eventually(t, func() bool { return len(card.seen()) == 3 }, soon,
				time.Millisecond)
			cancel()
		}()
		_, err = r.Transmit(ctx, command)
		require.ErrorIs(t, err, context.Canceled)
		_, err = r.Transmit(t.Context(), command)
		require.ErrorIs(t, err, ErrNoCard, "its late answer is never taken for the next one's")
	})
	t.Run("while another exchange runs", func(t *testing.T) {
		r := listen(t, ReaderOptions{})
		r.busy <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := r.Transmit(ctx, command)
		require.ErrorIs(t, err, context.Canceled)
		<-r.busy
	})
}

func TestReaderClose(t *testing.T) {
	r, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	card := &tape{block: true}
	plugIn(t, r.Addr().String(), card, Options{MinBackoff: time.Hour, MaxBackoff: time.Hour})
	require.NoError(t, r.WaitCard(shortly(t)))
	_, err = r.PowerOn(shortly(t))
	require.NoError(t, err)
	answer := make(chan error, 1)
	go func() {
		_, err := r.Transmit(shortly(t), []byte{0, 0xA4, 4, 0})
		answer <- err
	}()
	require.Eventually(t, func() bool { return len(card.seen()) == 3 }, soon, time.Millisecond)
	require.NoError(t, r.Close())
	require.ErrorIs(t, result(t, answer), ErrClosed, "whoever waits for an answer is told")
	require.ErrorIs(t, r.WaitCard(shortly(t)), ErrClosed)
	_, err = r.PowerOn(shortly(t))
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, r.Close(), "closing twice is no error")
}

// rawCard connects to the reader and says whatever a test writes.
func rawCard(t *testing.T, r *Reader) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestReaderRefusesAHostileCard(t *testing.T) {
	atr := []byte{0, 4, 0x3B, 0x80, 0x01, 0x81}
	tests := []struct {
		name    string
		answers [][]byte // sent at once after power on, then after the command
		power   error
		command error
		told    string
		leaves  bool // hangs up after its answers
	}{
		{name: "hangs up", answers: [][]byte{{}}, power: ErrRemoved, leaves: true},
		{name: "empty ATR", answers: [][]byte{{0, 0}}, power: ErrProtocol},
		{name: "ATR of one byte", answers: [][]byte{{0, 1, 0x3B}}, power: ErrProtocol},
		{
			name:    "ATR of 34 bytes",
			answers: [][]byte{append([]byte{0, 34}, make([]byte, 34)...)},
			power:   ErrProtocol, told: "ATR of 34 bytes",
		},
		{
			name: "half an answer", answers: [][]byte{atr, {0, 9, 1}}, command: ErrRemoved,
			leaves: true,
		},
		{
			name:    "two answers",
			answers: [][]byte{append(append([]byte{}, atr...), atr...)},
			command: ErrProtocol, told: "nobody asked for",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := make(chan Event, 10)
			r := listen(t, ReaderOptions{OnEvent: func(e Event) { events <- e }})
			ctx, conn := shortly(t), rawCard(t, r)
			require.NoError(t, r.WaitCard(ctx))
			go func() {
				in := newFrameReader(conn)
				_, _ = in.next() // power on
				for _, a := range tt.answers {
					_, _ = in.next()
					_, _ = conn.Write(a)
				}
				if tt.leaves {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
			}()
			_, err := r.PowerOn(ctx)
			if tt.power != nil {
				require.ErrorIs(t, err, tt.power)
			} else {
				require.NoError(t, err)
				_, err = r.Transmit(ctx, []byte{0, 0xA4, 4, 0})
				if !errors.Is(err, ErrNoCard) { // dropped before anything was sent
					require.ErrorIs(t, err, tt.command)
				}
			}
			assert.Equal(t, CardInserted, (<-events).Kind)
			removed := <-events
			assert.Equal(t, CardRemoved, removed.Kind)
			assert.ErrorContains(t, removed.Err, tt.told)
		})
	}
}

func TestReaderDropsACardThatSpeaksUnasked(t *testing.T) {
	events := make(chan Event, 10)
	r := listen(t, ReaderOptions{OnEvent: func(e Event) { events <- e }})
	_, err := rawCard(t, r).Write([]byte{0, 2, 0x90, 0})
	require.NoError(t, err)
	assert.Equal(t, CardInserted, (<-events).Kind)
	removed := <-events
	assert.Equal(t, CardRemoved, removed.Kind)
	require.ErrorIs(t, removed.Err, ErrProtocol)
}

func TestReaderSurvivesACardThatReadsNothing(t *testing.T) {
	r := listen(t, ReaderOptions{Timeout: 200 * time.Millisecond})
	conn := rawCard(t, r)
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(1024))
	require.NoError(t, r.WaitCard(shortly(t)))
	_, err := conn.Write([]byte{0, 4, 0x3B, 0x80, 0x01, 0x81})
	require.NoError(t, err)
	require.NoError(t, r.WaitRemoved(shortly(t)), "it spoke unasked")

	rawCard(t, r)
	require.NoError(t, r.WaitCard(shortly(t)))
	_, err = r.PowerOn(t.Context())
	require.ErrorIs(t, err, ErrTimeout)
}

func TestReaderHoldsOneCard(t *testing.T) {
	var mu sync.Mutex
	var kinds []EventKind
	r := listen(t, ReaderOptions{OnEvent: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds = append(kinds, e.Kind)
	}})
	has := func(k EventKind) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(kinds) > 0 && kinds[len(kinds)-1] == k
		}
	}
	ctx := shortly(t)
	first, second := &tape{atr: []byte{0x3B, 0x01}}, &tape{atr: []byte{0x3B, 0x02}}
	pullFirst, done := plugIn(t, r.Addr().String(), first, quick)
	require.NoError(t, r.WaitCard(ctx))
	atr, err := r.PowerOn(ctx)
	require.NoError(t, err)
	assert.Equal(t, first.atr, atr)

	plugIn(t, r.Addr().String(), second, quick)
	require.Eventually(t, has(CardTurnedAway), soon, time.Millisecond)
	_, err = r.Transmit(ctx, []byte{0, 0xA4, 4, 0})
	require.NoError(t, err, "the card in the slot is undisturbed")

	pullFirst()
	require.NoError(t, result(t, done))
	require.Eventually(t, has(CardInserted), soon, time.Millisecond, "then the other gets in")
	_, err = r.Transmit(ctx, []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, ErrUnpowered, "and is never taken for the first")
	atr, err = r.PowerOn(ctx)
	require.NoError(t, err)
	assert.Equal(t, second.atr, atr)

	mu.Lock()
	defer mu.Unlock()
	inside := 0
	for _, k := range kinds {
		switch k {
		case CardInserted:
			inside++
		case CardRemoved:
			inside--
		}
		require.LessOrEqual(t, inside, 1, "events in order: %v", kinds)
	}
}

func TestReaderSerialisesItsCallers(t *testing.T) {
	ctx, r := shortly(t), listen(t, ReaderOptions{})
	plugIn(t, r.Addr().String(), new(Echo), quick)
	require.NoError(t, r.WaitCard(ctx))
	_, err := r.PowerOn(ctx)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			cmd := bytes.Repeat([]byte{byte(i)}, 5+i)
			for range 100 {
				rsp, err := r.Transmit(ctx, cmd)
				if !assert.NoError(t, err) ||
					!assert.Equal(t, append(bytes.Clone(cmd), 0x90, 0), rsp) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestEventKindNames(t *testing.T) {
	assert.Equal(t, "card inserted", CardInserted.String())
	assert.Equal(t, "card removed", CardRemoved.String())
	assert.Equal(t, "card turned away", CardTurnedAway.String())
	assert.Equal(t, "event 9", EventKind(9).String())
}
