package perso

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// keySetData is a body of three keys with check values 010203, 111213, 212223.
func keySetData(alg string, kvn keys.KVN) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%02X", byte(kvn))
	for i := range 3 {
		fmt.Fprintf(&b, "%s%s03%d1%d2%d3", alg, strings.Repeat("A5", 16), i, i, i)
	}
	out, err := hex.DecodeString(b.String())
	if err != nil {
		panic(err)
	}
	return out
}

const putKeyAnswer = "02" + "010203" + "111213" + "212223" + "9000"

func TestPutKeys(t *testing.T) {
	eachChannel(t, func(t *testing.T, card *channelCard, ch *Channel) {
		data := keySetData("8010", 2)
		for name, c := range map[string]struct {
			answer string
			want   error
		}{
			"the values sent":    {putKeyAnswer, nil},
			"no values":          {"9000", nil},
			"another value":      {strings.Replace(putKeyAnswer, "111213", "111214", 1), ErrKCV},
			"another version":    {"03" + putKeyAnswer[2:], ErrKCV},
			"a value too few":    {"02" + "010203" + "111213" + "9000", ErrKCV},
			"refused by card":    {"6A80", apdu.SW6A80},
			"a warning is none":  {"6310", apdu.SW(0x6310)},
			"version and no KCV": {"029000", ErrKCV},
		} {
			card.plain = nil
			card.respond = func(apdu.Command) (string, error) { return c.answer, nil }
			err := PutKeys(t.Context(), ch, data)
			if c.want == nil {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, c.want, name)
			}
			require.Len(t, card.plain, 1)
			assert.Equal(t, "D80181", fmt.Sprintf("%02X%02X%02X", card.plain[0].INS, card.plain[0].P1,
				card.plain[0].P2))
			assert.Equal(t, data, card.plain[0].Data)
		}
	})
}

func TestPutKeysAddsToACardWithInitialKeys(t *testing.T) {
	set := testKeys(t, keys.DES3)
	card := &channelCard{t: t, variant: scp.Variant{SCP: 2, I: 0x15}, set: set, kvn: 0xFF}
	ch, err := OpenChannel(t.Context(), card, ChannelOptions{Keys: testKeyring(t, set)})
	require.NoError(t, err)
	require.NoError(t, PutKeys(t.Context(), ch, keySetData("8010", 2)))
	assert.Equal(t, byte(0), card.plain[0].P1)
}

func TestParseKeySetDataRefuses(t *testing.T) {
	good := keySetData("8010", 2)
	for name, b := range map[string][]byte{
		"nothing":         {},
		"version 0":       append([]byte{0}, good[1:]...),
		"version 80":      append([]byte{0x80}, good[1:]...),
		"two keys":        good[:1+2*22],
		"cut short":       good[:len(good)-1],
		"a byte too many": append(append([]byte{}, good...), 0),
		"no check value":  append([]byte{2, 0x80, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0}, good[1:1+44]...),
	} {
		_, err := ParseKeySetData(b)
		require.ErrorIs(t, err, ErrKeySetData, name)
	}
	for _, alg := range []string{"8110", "8010", "8810"} {
		_, err := ParseKeySetData(keySetData(alg, 0x21))
		require.NoError(t, err)
	}
}

func TestDeleteKeySet(t *testing.T) {
	eachChannel(t, func(t *testing.T, card *channelCard, ch *Channel) {
		require.NoError(t, DeleteKeySet(t.Context(), ch, 2))
		assert.Equal(t, "E40000D20102", fmt.Sprintf("%02X%02X%02X%X", card.plain[0].INS,
			card.plain[0].P1, card.plain[0].P2, card.plain[0].Data))
	})
}

func TestIssuerInfoAndLifeCycle(t *testing.T) {
	eachChannel(t, func(t *testing.T, card *channelCard, ch *Channel) {
		const url = "https://tps.example.com:8443/tps/phoneHome"
		require.NoError(t, WriteIssuerInfo(t.Context(), ch, url))
		got := card.plain[0]
		assert.Equal(t, byte(0xF4), got.INS)
		require.Len(t, got.Data, coolkey.IssuerInfoLen)
		assert.Equal(t, url, coolkey.IssuerText(got.Data))
		assert.Equal(t, make([]byte, coolkey.IssuerInfoLen-len(url)), got.Data[len(url):])

		require.NoError(t, SetLifeCycle(t.Context(), ch, coolkey.StatePersonalized))
		assert.Equal(t, byte(0xF0), card.plain[1].INS)
		assert.Equal(t, byte(0x0F), card.plain[1].P1)
	})
}

func TestCheckIssuerInfo(t *testing.T) {
	require.NoError(t, CheckIssuerInfo(""))
	require.NoError(t, CheckIssuerInfo(strings.Repeat("a", 224)))
	for _, bad := range []string{
		strings.Repeat("a", 225), "with blank", "line\n", "umlaut-ä", "\x00",
	} {
		require.ErrorIs(t, CheckIssuerInfo(bad), ErrIssuerInfo)
	}
}
