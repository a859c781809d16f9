package tps_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// recordedCard is the card of the recorded client: it answers a command as it did in
// the recorded format, and one that differs from any recorded one by its instruction,
// which is all the old client looked at.
type recordedCard struct {
	exact   map[string]string
	byINS   map[byte]string
	sent    []string
	changed bool // PUT KEY has been seen
}

// The server of the recording at the three commands that the wire must agree on.
const (
	recordedAuth      = "848201001095F8799A78DD68EEA380231927C1E141"
	recordedDelete    = "84E40000114F07627601FF0000004B52B77F7974E6A1"
	recordedDeletePkg = "84E40000104F06627601FF0000EF0A52FB3527F7AB"
	recordedCUID      = "40906145C76224192D2B"
)

// readRecordedCard takes the second conversation, the format, out of the recording.
func readRecordedCard(t *testing.T) *recordedCard {
	t.Helper()
	raw, err := os.ReadFile("../wire/testdata/tps-client-session.txt")
	require.NoError(t, err)
	card := &recordedCard{exact: map[string]string{}, byINS: map[byte]string{}}
	var asked []byte
	for _, line := range strings.Split(string(raw), "\n") {
		_, text, ok := strings.Cut(line, `s=`)
		if !ok || !strings.HasPrefix(line, "#2 ") {
			continue
		}
		_, text, _ = strings.Cut(text, "&")
		m, err := wire.Parse([]byte(strings.TrimSuffix(text, `\r\n`)))
		require.NoError(t, err)
		switch m := m.(type) {
		case wire.TokenPDURequest:
			asked = m.PDU
		case wire.TokenPDUResponse:
			answer := hex.EncodeToString(m.PDU)
			if _, ok := card.exact[upper(asked)]; !ok {
				card.exact[upper(asked)] = answer
			}
			if _, ok := card.byINS[asked[1]]; !ok {
				card.byINS[asked[1]] = answer
			}
		}
	}
	require.Contains(t, card.exact, recordedAuth)
	return card
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func (c *recordedCard) transmit(cmd []byte) ([]byte, error) {
	c.sent = append(c.sent, upper(cmd))
	c.changed = c.changed || cmd[1] == 0xD8
	answer, ok := c.exact[upper(cmd)]
	switch {
	case ok:
	case cmd[1] == 0x50 && cmd[2] > 1 && !c.changed:
		answer = "6A88" // a version that it does not hold
	default:
		if answer, ok = c.byINS[cmd[1]]; !ok {
			return nil, fmt.Errorf("the recorded client never saw instruction %02X", cmd[1])
		}
	}
	return hex.DecodeString(answer)
}

func (c *recordedCard) first(prefix string) string {
	for _, s := range c.sent {
		if strings.HasPrefix(s, prefix) {
			return s
		}
	}
	return ""
}

// oldClient is the configuration for clients of that age.
var oldClient = []string{
	"channel.scp01.no.le.byte=true",
	"channel.encryption=false",
}

func recordedLab(t *testing.T, lines ...string) *lab {
	l := newLab(t, append(oldClient, lines...)...)
	l.tks.pin = []byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}
	return l
}

func TestRecordedClientIsFormatted(t *testing.T) {
	l := recordedLab(t, "op.format.userKey.update.symmetricKeys.enable=false")
	card := readRecordedCard(t)
	c := &client{user: "alice", password: "secret123", card: card.transmit}
	end, err := c.run(t.Context(), l.http.URL, wire.OpFormat)
	require.NoError(t, err)
	assert.Equal(t, wire.EndOp{Operation: wire.OpFormat}, end)
	assert.Equal(t, recordedAuth, card.first("8482"))
	assert.Equal(t, recordedDelete, card.first("84E4"))
	assert.Contains(t, card.sent, recordedDeletePkg)

	cuid, err := keys.ParseCUID(recordedCUID)
	require.NoError(t, err)
	rec := l.record(cuid)
	assert.Equal(t, token.Formatted, rec.Status)
	assert.Equal(t, "0101", rec.KeyInfo)
	assert.Equal(t, "0.0.6fbbc105", rec.AppletID, "what the card says it has")
	assert.Equal(t, []string{"add success", "format success"}, l.history(cuid))
}

func TestRecordedClientIsDrivenUpToPutKey(t *testing.T) {
	l := recordedLab(t)
	card := readRecordedCard(t)
	c := &client{user: "alice", password: "secret123", card: card.transmit}
	end, err := c.run(t.Context(), l.http.URL, wire.OpFormat)
	require.NoError(t, err)

	put := card.first("84D8")
	require.NotEmpty(t, put)
	assert.Equal(t, "84D801814B02", put[:12], "replaces version 01, three keys of version 02")
	// What follows was computed with keys that nobody has but the recorded server.
	assert.Equal(t, wire.EndOp{
		Operation: wire.OpFormat, Result: wire.ResultBad, Status: wire.StatusKeyChangeOver,
	}, end)
	cuid, err := keys.ParseCUID(recordedCUID)
	require.NoError(t, err)
	assert.Equal(t, []string{"put_key"}, l.openIntents(cuid))
}
