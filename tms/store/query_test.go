package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
)

func TestPageSize(t *testing.T) {
	for limit, want := range map[int]int{0: store.DefaultLimit, 1: 1, 2000: 2000, 2001: 2000} {
		got, err := store.PageSize(limit)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := store.PageSize(-1)
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestCursorHoldsPosition(t *testing.T) {
	for _, want := range []store.Position{
		{At: time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC), Key: "40906145000000000001"},
		{At: time.Unix(0, 0).UTC(), Key: ""},
		{At: time.Unix(-1, 999999999).UTC(), Key: "\x00\xff"},
	} {
		got, ok, err := want.Cursor().Position()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	_, ok, err := store.Cursor("").Position()
	require.NoError(t, err)
	require.False(t, ok)
	good := store.Position{Key: "k"}.Cursor()
	for _, bad := range []store.Cursor{
		"A", good[:6], "B" + good[1:], good + "=", "\n" + good, store.Cursor(strings.Repeat("A", 1100)),
	} {
		_, ok, err := bad.Position()
		require.ErrorIs(t, err, store.ErrInvalid, string(bad))
		require.False(t, ok)
	}
}

func FuzzCursor(f *testing.F) {
	for _, p := range []store.Position{
		{}, {Key: "40906145000000000001"}, {At: time.Unix(1_700_000_000, 5), Key: "17"},
	} {
		f.Add(string(p.Cursor()))
	}
	f.Add("AQAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok, err := store.Cursor(text).Position()
		switch {
		case err != nil && (!errors.Is(err, store.ErrInvalid) || ok):
			t.Fatalf("error %v, ok %v", err, ok)
		case ok && string(p.Cursor()) != text:
			t.Fatalf("%q reads as %+v, whose cursor is %q", text, p, p.Cursor())
		}
	})
}
