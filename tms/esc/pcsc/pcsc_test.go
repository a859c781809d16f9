package pcsc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const soon = 10 * time.Second

func TestPick(t *testing.T) {
	empty, a, b := ReaderState{Name: "E"}, ReaderState{Name: "A", Card: true},
		ReaderState{Name: "B", Card: true}
	tests := []struct {
		name   string
		states []ReaderState
		reader string
		want   string
		err    error
	}{
		{"named", []ReaderState{a, b}, "B", "B", nil},
		{"named, empty", []ReaderState{a, empty}, "E", "E", nil},
		{"named, absent", []ReaderState{a, b}, "C", "", ErrNoReader},
		{"names are exact", []ReaderState{a, b}, "a", "", ErrNoReader},
		{"the only card", []ReaderState{empty, b}, "", "B", nil},
		{"two cards", []ReaderState{a, b}, "", "", ErrAmbiguous},
		{"no card", []ReaderState{empty}, "", "", ErrNoCard},
		{"no reader", nil, "", "", ErrNoReader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pick(tt.states, tt.reader)
			assert.Equal(t, tt.want, got)
			assert.ErrorIs(t, err, tt.err)
		})
	}
}

func TestChanged(t *testing.T) {
	base := ReaderState{Name: "A", Card: true, ATR: []byte{0x3B}, Events: 3}
	with := func(f func(*ReaderState)) []ReaderState {
		s := base
		f(&s)
		return []ReaderState{s}
	}
	assert.False(t, changed([]ReaderState{base}, []ReaderState{base}))
	assert.False(t, changed([]ReaderState{base},
		with(func(s *ReaderState) { s.InUse, s.Exclusive = true, true })), "a user is no card event")
	for name, after := range map[string][]ReaderState{
		"detached": nil,
		"attached": {base, {Name: "B"}},
		"removed":  with(func(s *ReaderState) { s.Card, s.ATR = false, nil }),
		"other":    with(func(s *ReaderState) { s.ATR = []byte{0x3F} }),
		"its twin": with(func(s *ReaderState) { s.Events = 5 }),
		"mute":     with(func(s *ReaderState) { s.Mute = true }),
	} {
		assert.True(t, changed([]ReaderState{base}, after), name)
	}
}

func TestLine(t *testing.T) {
	value := func() ([]byte, error) { return []byte{1}, nil }
	t.Run("result and error pass", func(t *testing.T) {
		l, broken := newLine(), errors.New("broken")
		got, err := l.do(t.Context(), soon, value)
		require.NoError(t, err)
		assert.Equal(t, []byte{1}, got)
		_, err = l.do(t.Context(), soon, func() ([]byte, error) { return nil, broken })
		require.ErrorIs(t, err, broken)
		require.ErrorIs(t, l.close(func() error { return broken }), broken)
		_, err = l.do(t.Context(), soon, value)
		require.ErrorIs(t, err, ErrAbandoned)
	})
	t.Run("watchdog", func(t *testing.T) {
		l, block, closed := newLine(), make(chan struct{}), make(chan struct{})
		stuck := func() ([]byte, error) { <-block; return nil, nil }
		_, err := l.do(t.Context(), time.Millisecond, stuck)
		require.ErrorIs(t, err, ErrTimeout)
		_, err = l.do(t.Context(), soon, value)
		require.ErrorIs(t, err, ErrAbandoned)
		require.ErrorIs(t, l.close(func() error { close(closed); return nil }), ErrAbandoned)
		select {
		case <-closed:
			t.Fatal("closed under a running call")
		default:
		}
		close(block)
		select {
		case <-closed:
		case <-time.After(soon):
			t.Fatal("not closed when the call was over")
		}
	})
	t.Run("context", func(t *testing.T) {
		l, block := newLine(), make(chan struct{})
		defer close(block)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := l.do(ctx, soon, func() ([]byte, error) { cancel(); <-block; return nil, nil })
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("context ended before the call", func(t *testing.T) {
		l := newLine()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // a ready line and a dead context must not race
			_, err := l.do(ctx, soon, func() ([]byte, error) {
				t.Error("ran")
				return nil, nil
			})
			require.ErrorIs(t, err, context.Canceled)
		}
		_, err := l.do(t.Context(), soon, value)
		require.NoError(t, err, "nothing was sent, so nothing is lost")
	})
	t.Run("whoever waits behind an abandoned call is told", func(t *testing.T) {
		l, block, running := newLine(), make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := l.do(ctx, soon, func() ([]byte, error) {
				close(running)
				<-block
				return nil, nil
			})
			first <- err
		}()
		<-running
		go func() {
			_, err := l.do(t.Context(), soon, value)
			second <- err
		}()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		close(block)
		require.ErrorIs(t, <-second, ErrAbandoned)
	})
}

func TestProtocolNames(t *testing.T) {
	assert.Equal(t, "T=0", T0.String())
	assert.Equal(t, "T=1", T1.String())
	assert.Equal(t, "protocol 3", (T0 | T1).String())
}
