package esc

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// clock is a clock that goes on by a millisecond each time it is read.
func clock() func() time.Time {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Millisecond); return now }
}

func TestTraceDecodesAndMasks(t *testing.T) {
	var out strings.Builder
	trace := NewTrace(fine, &out, clock())
	trace.Session("0f3a")
	for _, cmd := range []string{
		"00A40400 07 627601FF000000",
		"84 04 00 00 11 736563726574313233 05AC036E04D8973F", // SET PIN secret123, MAC
	} {
		resp, err := trace.Transmit(t.Context(), unhex(t, cmd))
		require.NoError(t, err)
		assert.Equal(t, []byte{0x90, 0x00}, resp)
	}
	require.NoError(t, trace.Err())
	text := out.String()
	assert.Contains(t, text, "# 2026-03-01T12:00:00Z session 0f3a\n")
	assert.Contains(t, text, "   1 > SELECT")
	assert.Contains(t, text, "627601FF000000")
	assert.Contains(t, text, "   1 < 9000")
	assert.Contains(t, text, "(1ms)")
	assert.Contains(t, text, "   2 > ")
	for _, secret := range []string{"secret123", "736563726574313233", "7365"} {
		assert.NotContains(t, text, secret)
	}
}

func TestTraceDoesNotDisturbTheCard(t *testing.T) {
	gone := errors.New("gone")
	var out strings.Builder
	_, err := NewTrace(card(func([]byte) ([]byte, error) { return nil, gone }), &out, clock()).
		Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
	assert.ErrorIs(t, err, gone)
	assert.Contains(t, out.String(), "1 < no answer")

	full := NewTrace(fine, failing{}, clock())
	for range 3 {
		_, err = full.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
		require.NoError(t, err)
	}
	assert.ErrorIs(t, full.Err(), errFull)
	garbage := NewTrace(card(func([]byte) ([]byte, error) { return nil, nil }), &out, clock())
	_, err = garbage.Transmit(t.Context(), nil)
	assert.NoError(t, err)
}

var errFull = errors.New("disk full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
