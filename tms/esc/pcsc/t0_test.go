package pcsc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// script is a T=0 card that expects commands and answers them, in turn.
type script struct {
	t     *testing.T
	lines [][2]string
	at    int
}

func (s *script) transmit(_ context.Context, cmd []byte) ([]byte, error) {
	require.Less(s.t, s.at, len(s.lines), "one command more: %X", cmd)
	line := s.lines[s.at]
	s.at++
	require.Equal(s.t, strings.ToUpper(hex.EncodeToString(unhex(s.t, line[0]))),
		strings.ToUpper(hex.EncodeToString(cmd)))
	return unhex(s.t, line[1]), nil
}

func TestOverT0(t *testing.T) {
	tests := []struct {
		name  string
		cmd   string
		card  [][2]string
		reply string
	}{
		{"case 1 gets P3", "00A40400", [][2]string{{"00A4040000", "9000"}}, "9000"},
		{"case 2 as it is", "80CA9F7F00", [][2]string{{"80CA9F7F00", "01029000"}}, "01029000"},
		{"case 3 as it is", "00A4040001AA", [][2]string{{"00A4040001AA", "9000"}}, "9000"},
		{
			"case 4 loses Le, 61xx is fetched", "00A4040001AA00",
			[][2]string{{"00A4040001AA", "6103"}, {"00C0000003", "0102039000"}}, "0102039000",
		},
		{"case 4 answered at once", "00A4040001AA00", [][2]string{{"00A4040001AA", "019000"}}, "019000"},
		{
			"61xx in pieces", "80CA000000",
			[][2]string{{"80CA000000", "AA 6100"}, {"00C0000000", "BB 6101"}, {"00C0000001", "CC 9000"}},
			"AABBCC9000",
		},
		{
			"the channel is kept, secure messaging is not", "85CA000001AA00",
			[][2]string{{"85CA000001AA", "6101"}, {"01C0000001", "BB9000"}}, "BB9000",
		},
		{
			"6Cxx repeats with the right Le", "80CA9F7F00",
			[][2]string{{"80CA9F7F00", "6C02"}, {"80CA9F7F02", "01029000"}}, "01029000",
		},
		{
			"6Cxx once only", "80CA9F7F00",
			[][2]string{{"80CA9F7F00", "6C02"}, {"80CA9F7F02", "6C03"}}, "6C03",
		},
		{"6Cxx after a secured command stays", "84CA9F7F00", [][2]string{{"84CA9F7F00", "6C02"}}, "6C02"},
		{
			"6Cxx on GET RESPONSE", "00A4040001AA00",
			[][2]string{{"00A4040001AA", "6110"}, {"00C0000010", "6C02"}, {"00C0000002", "01029000"}},
			"01029000",
		},
		{"an error ends the pieces", "80CA000000", [][2]string{{"80CA000000", "AA6105"}, {"00C0000005", "6F00"}}, "AA6F00"},
		{"extended as it is", "00CA000000 0000", [][2]string{{"00CA0000000000", "6700"}}, "6700"},
		{"no APDU as it is", "00A404", [][2]string{{"00A404", "6700"}}, "6700"},
		{"a mute answer as it is", "00A40400", [][2]string{{"00A4040000", "90"}}, "90"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			card := &script{t: t, lines: tt.card}
			cmd := unhex(t, tt.cmd)
			before := bytes.Clone(cmd)
			got, err := overT0(card.transmit)(t.Context(), cmd)
			require.NoError(t, err)
			assert.Equal(t, unhex(t, tt.reply), got)
			assert.Equal(t, len(tt.card), card.at, "all that was expected was sent")
			assert.Equal(t, before, cmd, "the caller's command is untouched")
		})
	}
}

func TestOverT0BoundsAHostileCard(t *testing.T) {
	for name, answer := range map[string][]byte{
		"promises without end": {0x61, 0x00},
		"gives without end":    append(make([]byte, 256), 0x61, 0x00),
	} {
		calls := 0
		_, err := overT0(func(context.Context, []byte) ([]byte, error) {
			calls++
			return answer, nil
		})(t.Context(), []byte{0x80, 0xCA, 0, 0, 0})
		require.ErrorIs(t, err, ErrTransmission, name)
		assert.LessOrEqual(t, calls, maxPieces+1, name)
	}
	short := [][]byte{{0x61, 0x02}, {0x90}}
	_, err := overT0(func(context.Context, []byte) ([]byte, error) {
		out := short[0]
		short = short[1:]
		return out, nil
	})(t.Context(), []byte{0x80, 0xCA, 0, 0, 0})
	require.ErrorIs(t, err, ErrTransmission)
}

func TestOverT0PassesErrors(t *testing.T) {
	removed := errors.New("removed")
	for fail := 1; fail <= 3; fail++ {
		calls := 0
		_, err := overT0(func(context.Context, []byte) ([]byte, error) {
			if calls++; calls == fail {
				return nil, removed
			}
			if calls == 1 {
				return []byte{0x6C, 0x02}, nil
			}
			return []byte{0x61, 0x02}, nil
		})(t.Context(), []byte{0x80, 0xCA, 0, 0, 0})
		require.ErrorIs(t, err, removed, "call %d", fail)
	}
}

// Whatever the card answers, the response stays bounded and the work too.
func FuzzOverT0(f *testing.F) {
	f.Add([]byte{0x80, 0xCA, 0x9F, 0x7F, 0x00}, []byte{2, 0x6C, 0x02, 4, 1, 2, 0x90, 0x00})
	f.Add([]byte{0, 0xA4, 4, 0, 1, 0xAA, 0}, []byte{2, 0x61, 0x00, 3, 1, 0x61, 0x05, 2, 0x90, 0x00})
	f.Fuzz(func(t *testing.T, cmd, answers []byte) {
		calls := 0
		out, err := overT0(func(_ context.Context, sent []byte) ([]byte, error) {
			calls++
			if len(answers) == 0 {
				return []byte{0x61, 0x00}, nil
			}
			n := min(int(answers[0]), len(answers)-1)
			a := answers[1 : 1+n]
			answers = answers[1+n:]
			return a, nil
		})(t.Context(), cmd)
		require.LessOrEqual(t, calls, 2*maxPieces+2)
		if err != nil {
			require.ErrorIs(t, err, ErrTransmission)
			return
		}
		require.LessOrEqual(t, len(out), apdu.MaxResponse)
	})
}
