package perso

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func TestOpenChannelAgreesWithTheCard(t *testing.T) {
	eachChannel(t, func(t *testing.T, card *channelCard, ch *Channel) {
		card.respond = func(apdu.Command) (string, error) { return "01029000", nil }
		resp, err := ch.Send(t.Context(), apdu.Command{CLA: 0x80, INS: 0xCA, P1: 0x9F, P2: 0x7F, Ne: 256})
		require.NoError(t, err)
		assert.Equal(t, []byte{1, 2}, resp.Data)
		assert.Equal(t, keys.KVN(1), ch.Info().KVN)
		assert.Equal(t, card.end.Level(), ch.Level())
		assert.Equal(t, ch.Variant().SCP == 2, !ch.SDEK().IsZero())
	})
}

func TestOpenChannelTakesRMACWhereTheCardHasIt(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.variant.String(), func(t *testing.T) {
			set := testKeys(t, p.alg)
			card := &channelCard{t: t, variant: p.variant, set: set, kvn: 1}
			ch, err := OpenChannel(t.Context(), card, ChannelOptions{
				Variants: []scp.Variant{p.variant}, RMAC: true, Keys: testKeyring(t, set),
			})
			require.NoError(t, err)
			assert.Equal(t, p.variant.RMAC(), ch.Level().Has(scp.RMAC))
			card.respond = func(apdu.Command) (string, error) { return "AABB9000", nil }
			resp, err := ch.Send(t.Context(), apdu.Command{CLA: 0x80, INS: 0xF2, Ne: 256})
			require.NoError(t, err)
			assert.Equal(t, []byte{0xAA, 0xBB}, resp.Data)
		})
	}
}

func TestOpenChannelSpendsNoTryOnWrongKeys(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.variant.String(), func(t *testing.T) {
			set := testKeys(t, p.alg)
			card := &channelCard{t: t, variant: p.variant, set: set, kvn: 1, lie: true}
			_, err := OpenChannel(t.Context(), card, ChannelOptions{
				Variants: []scp.Variant{p.variant}, Keys: testKeyring(t, set),
			})
			require.ErrorIs(t, err, ErrCardCryptogram)
			assert.Equal(t, 0, card.authTries)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, StepSessionKeys, e.Step)
		})
	}
}

func TestOpenChannelChecksBeforeKeysAreComputed(t *testing.T) {
	bad := errors.New("not this card")
	set := testKeys(t, keys.DES3)
	card := &channelCard{t: t, variant: scp.Variant{SCP: 1, I: 5}, set: set, kvn: 1}
	_, err := OpenChannel(t.Context(), card, ChannelOptions{
		Check: func(h Handshake) error {
			assert.Equal(t, "40906145C76224192D2B", h.KDD.String())
			return bad
		},
		Keys: KeyringFunc(func(context.Context, Handshake) (Session, error) {
			t.Error("session keys were asked for")
			return Session{}, bad
		}),
	})
	require.ErrorIs(t, err, bad)
	assert.Equal(t, 0, card.authTries)
}

// The bytes are those of a recorded client and its server: host challenge
// 0011223344556677, keys 40..4F, level 01.
func TestOpenChannelReproducesARecordedSession(t *testing.T) {
	const (
		answer = "40906145C76224192D2B0101" + "14438D7415BD3B02" + "B16ACA1D2071518C" + "9000"
		auth   = "848201001095F8799A78DD68EEA380231927C1E141"
		del    = "84E40000114F07627601FF0000004B52B77F7974E6A1"
	)
	raw := make([]byte, 16)
	for i := range raw {
		raw[i] = byte(0x40 + i)
	}
	k, err := keys.New(keys.DES3, raw)
	require.NoError(t, err)
	set := keys.KeySet{ENC: k, MAC: k, DEK: k}
	card := &scripted{answers: map[string]string{"8050": answer, auth: "9000", del: "9000"}}
	ch, err := OpenChannel(t.Context(), card, ChannelOptions{
		HostChallenge: [8]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77},
		Level:         scp.CMAC, Host: scp.HostOptions{DropLe: true}, Keys: testKeyring(t, set),
	})
	require.NoError(t, err)
	aid, err := hex.DecodeString("627601FF000000")
	require.NoError(t, err)
	require.NoError(t, deleteAID(t.Context(), ch, StepDeleteInstance, aid, LoadOptions{}))
	assert.Equal(t, []string{"80500000080011223344556677", auth, del}, card.sent)
}

func TestOpenChannelRefusesWhatDoesNotFit(t *testing.T) {
	const tail = "0102030405060708" + "1112131415161718" + "9000"
	const kdd = "40906145C76224192D2B"
	for name, c := range map[string]struct {
		answer    string
		kvn       keys.KVN
		announced []scp.Variant
		want      error
		sw        apdu.SW
	}{
		"card refuses":        {answer: "6A88", want: apdu.SW6A88, sw: apdu.SW6A88},
		"another key version": {answer: kdd + "0101" + tail, kvn: 2},
		"protocol 04":         {answer: kdd + "0104" + tail},
		"not the announced one": {
			answer: kdd + "0101" + tail, announced: []scp.Variant{{SCP: 2, I: 0x15}}, want: ErrProtocol,
		},
		"cut short":      {answer: kdd + "0101" + "9000"},
		"no status word": {answer: "90", want: ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			card := &scripted{answers: map[string]string{"8050": c.answer}}
			_, err := OpenChannel(t.Context(), card, ChannelOptions{
				KVN: c.kvn, Variants: c.announced,
				Keys: KeyringFunc(func(context.Context, Handshake) (Session, error) {
					return Session{}, errors.New("keys were asked for")
				}),
			})
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "keys were asked for")
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, StepInitializeUpdate, e.Step)
			assert.Equal(t, c.sw, e.SW)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			assert.False(t, card.has("8482"))
		})
	}
}

func TestVariantIsJoinedFromAnswerAndAnnouncement(t *testing.T) {
	for name, c := range map[string]struct {
		info      keys.KeyInfo
		announced []scp.Variant
		want      scp.Variant
	}{
		"old card":     {info: keys.KeyInfo{KVN: 1, SCP: 1}, want: scp.Variant{SCP: 1, I: 0x05}},
		"SCP02 silent": {info: keys.KeyInfo{KVN: 1, SCP: 2}, want: scp.Variant{SCP: 2, I: 0x15}},
		"SCP02 announced": {
			keys.KeyInfo{KVN: 1, SCP: 2},
			[]scp.Variant{{SCP: 3, I: 0x70}, {SCP: 2, I: 0x55}}, scp.Variant{SCP: 2, I: 0x55},
		},
		"SCP03 answers its": {
			keys.KeyInfo{KVN: 1, SCP: 3, I: 0x60, HasI: true},
			[]scp.Variant{{SCP: 3, I: 0x70}}, scp.Variant{SCP: 3, I: 0x60},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chooseVariant(c.info, c.announced)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestSendTellsALostAnswerFromARefusal(t *testing.T) {
	eachChannel(t, func(t *testing.T, card *channelCard, ch *Channel) {
		card.respond = func(apdu.Command) (string, error) { return "6A80", nil }
		resp, err := ch.Send(t.Context(), apdu.Command{CLA: 0x80, INS: 0xE4, Data: []byte{1}})
		require.NoError(t, err)
		require.ErrorIs(t, resp.Err(), apdu.SW6A80)
		card.respond = func(apdu.Command) (string, error) { return "", errPulled }
		_, err = ch.Send(t.Context(), apdu.Command{CLA: 0x80, INS: 0xE4, Data: []byte{1}})
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorIs(t, err, errPulled)
	})
}
