package tps_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

var errSilent = errors.New("the old client does not answer this instruction")

// asOldClient is a card as the old test client shows its own: every GET DATA is
// answered with CPLC, an applet is always there, its life cycle is unknown, its objects
// can't be listed, and there is no answer at all to what it does not know.
func asOldClient(card *simcard.Card) func([]byte) ([]byte, error) {
	hexAnswer := func(text string) ([]byte, error) { return hex.DecodeString(text) }
	return func(cmd []byte) ([]byte, error) {
		answer, err := card.Transmit(context.Background(), cmd)
		if err != nil {
			return nil, err
		}
		switch cmd[1] {
		case 0x52, 0x3A, 0x55: // DELETE OBJECT, LIST KEYS, CLEAR KEY SLOTS
			return nil, errSilent
		case 0xCA:
			return card.Transmit(context.Background(), []byte{0x80, 0xCA, 0x9F, 0x7F, 0x2D})
		case 0xF2:
			return hexAnswer("6A88")
		case 0x58:
			return hexAnswer("9C00")
		case 0xA4:
			return hexAnswer("9000")
		case 0x3C:
			if !bytes.HasSuffix(answer, []byte{0x90, 0}) {
				return hexAnswer("0101000000002000000020000100010000009000"[4:])
			}
		case 0x70:
			if !bytes.HasSuffix(answer, []byte{0x90, 0}) {
				return hexAnswer("6FBBC1059000")
			}
		}
		return answer, nil
	}
}

func TestOldClientDoesEverything(t *testing.T) {
	l := enrollLab(t, "defKeySet", append(serverSide, "channel.scp01.no.le.byte=true")...)
	card := newCard(t, "op201-scp01")
	run := func(op wire.Operation) {
		t.Helper()
		c := &client{user: "alice", password: "secret123", pin: "1234", card: asOldClient(card)}
		end, err := c.run(t.Context(), l.http.URL, op)
		require.NoError(t, err)
		require.Equal(t, wire.EndOp{Operation: op}, end, "%s", l.log)
	}
	run(wire.OpFormat)
	run(wire.OpEnroll)
	assert.Equal(t, token.Active, l.record(card.CUID()).Status)
	l.checkInvariants(card)
	l.setPolicy(card, "PIN_RESET=YES")
	run(wire.OpResetPIN)
	run(wire.OpEnroll)
	l.setPolicy(card, "RENEW=YES")
	run(wire.OpEnroll)
	l.checkInvariants(card)
	run(wire.OpFormat)
	run(wire.OpEnroll)
	l.checkInvariants(card)
}
