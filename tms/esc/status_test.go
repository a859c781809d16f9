package esc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const cplc = "9F7F2A" + "4790" + "5049" + "0000" + "0000" + "0000" + "6123" + "01020304" +
	"0506" + "000000000000000000000000" + "00000000" + "0000" + "0000" + "DEADBEEF"

// scripted answers by the first bytes of a command in hex; 6A88 to everything else.
func scripted(t *testing.T, answers map[string]string) card {
	t.Helper()
	return func(cmd []byte) ([]byte, error) {
		for prefix, answer := range answers {
			if strings.HasPrefix(fmt.Sprintf("%X", cmd), prefix) {
				return unhex(t, answer), nil
			}
		}
		return []byte{0x6A, 0x88}, nil
	}
}

func formatted() map[string]string {
	issuer := fmt.Sprintf("%X", "https://tps.example.com/tps/phoneHome")
	issuer += strings.Repeat("00", 224-len(issuer)/2)
	return map[string]string{
		"00A404000": "9000",
		"80CA9F7F":  cplc + "9000",
		"80CA00E0":  "E012 C00401028010 C00402028010 C00403028010 9000",
		"B03C":      "01010104 00001388 00001000 00000000 9000",
		"B070":      "58768072 9000",
		"B0F2":      "07 9000",
		"B0F6":      issuer + "9000",
	}
}

func TestReadStatus(t *testing.T) {
	s, err := ReadStatus(t.Context(), scripted(t, formatted()), []byte{0x3B, 0x00})
	require.NoError(t, err)
	assert.Equal(t, "3B00", s.ATR)
	assert.Equal(t, "47905049050601020304", s.CUID)
	assert.Equal(t, "DEADBEEF", s.MSN)
	assert.Equal(t, "A0000000030000", s.CardManager)
	assert.Equal(t, []string{"02"}, s.KeyVersions)
	assert.Equal(t, "1.4.58768072", s.AppletVersion)
	assert.Equal(t, "07", s.LifeCycle)
	assert.Equal(t, StateFormatted, s.State)
	assert.Equal(t, "https://tps.example.com/tps/phoneHome", s.IssuerURL)
	assert.Len(t, s.CUIDBytes(), 10)
	j, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(j), `"cuid":"`+s.CUID+`"`)
}

func TestReadStatusOfOtherCards(t *testing.T) {
	blank := formatted()
	delete(blank, "00A404000")
	blank["00A4040000"] = "9000"
	blank["00A4040007A0"] = "9000"
	s, err := ReadStatus(t.Context(), scripted(t, blank), nil)
	require.NoError(t, err)
	assert.Equal(t, StateNoApplet, s.State)
	assert.Empty(t, s.AppletVersion)

	enrolled := formatted()
	enrolled["B0F2"] = "0F9000"
	enrolled["B0F6"] = "1B5B324A" + "9000" // a terminal's escape sequence, no address
	s, err = ReadStatus(t.Context(), scripted(t, enrolled), nil)
	require.NoError(t, err)
	assert.Equal(t, StatePersonalized, s.State)
	assert.Empty(t, s.IssuerURL)

	silent := formatted()
	delete(silent, "B0F2")
	delete(silent, "B0F6")
	s, err = ReadStatus(t.Context(), scripted(t, silent), nil)
	require.NoError(t, err)
	assert.Equal(t, StateOther, s.State)

	_, err = ReadStatus(t.Context(), scripted(t, nil), nil)
	assert.Error(t, err, "a card with no card manager")
	gone := errors.New("gone")
	_, err = ReadStatus(t.Context(), card(func([]byte) ([]byte, error) { return nil, gone }), nil)
	assert.ErrorIs(t, err, gone)
	assert.ErrorIs(t, err, ErrCard)
}
