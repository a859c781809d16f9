package simcard_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/cards"
	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/tms/gp/keys"
)

// The real applet's recorded answers are demanded of the model, byte for byte.
func TestCoolKeyAnswersAsRecorded(t *testing.T) {
	sections, err := cards.CoolKey()
	require.NoError(t, err)
	replayed := 0
	for _, s := range sections {
		t.Run(s.Name, func(t *testing.T) { replayed += replay(t, s) })
	}
	require.Equal(t, 360, replayed)
}

// recordedCard is the card manager of the recording with the applet on it.
func recordedCard(t *testing.T, s cards.Section) *simcard.Card {
	t.Helper()
	kdd, err := keys.ParseKDD("40906155760102030405")
	require.NoError(t, err)
	return newCard(t, "op201-scp01",
		simcard.WithKDD(kdd),
		simcard.WithATR(unhex(t, "3B759400006202020201")),
		simcard.WithCardChallenge(unhex(t, s.CardChallenge)),
		simcard.WithApplet(coolkey.DefaultVersion, unhex(t, s.Params)))
}

func replay(t *testing.T, s cards.Section) int {
	c, nonce := recordedCard(t, s), ""
	for i, step := range s.Steps {
		what := []any{"step %d: %s %s", i + 1, step.Cmd, step.Label}
		if step.Reset {
			require.NoError(t, c.PowerOn(), what...)
			require.Equal(t, step.Resp, upper(c.ATR()), what...)
			continue
		}
		got := send(t, c, strings.ReplaceAll(step.Cmd, "NONCE", nonce))
		if step.Varies {
			require.Len(t, got, len(step.Resp), what...)
			require.Equal(t, sw(step.Resp), sw(got), what...)
		} else {
			require.Equal(t, step.Resp, got, what...)
		}
		if strings.HasPrefix(step.Cmd, "B042") && sw(got) == "9000" {
			nonce = got[:16]
		}
	}
	return len(s.Steps)
}
