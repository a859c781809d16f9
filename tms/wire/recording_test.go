package wire

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorded is one write of the recording.
type recorded struct {
	line       int
	conn       string
	fromClient bool
	text       string // head of HTTP cut off
}

// readRecording answers the recording's chunks, HTTP heads and the zero chunk taken off.
func readRecording(t *testing.T) []recorded {
	t.Helper()
	b, err := os.ReadFile("testdata/tps-client-session.txt")
	require.NoError(t, err)
	var out []recorded
	for i, line := range strings.Split(string(b), "\n") {
		if line == "" {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		require.Len(t, parts, 3, "line %d", i+1)
		text := strings.ReplaceAll(parts[2], `\r\n`, "\r\n")
		if _, rest, ok := strings.Cut(text, "\r\n\r\n"); ok && !strings.HasPrefix(text, "0\r\n") {
			text = rest
		}
		if text == "" || strings.HasPrefix(text, "0\r\n") {
			continue
		}
		out = append(out, recorded{i + 1, parts[0], parts[1] == "C->S", text})
	}
	return out
}

// message cuts the chunk's framing off and checks the length it states.
func (r recorded) message(t *testing.T) string {
	t.Helper()
	body, ok := strings.CutSuffix(r.text, "\r\n")
	require.True(t, ok, "line %d", r.line)
	_, body, ok = strings.Cut(body, "\r\n")
	require.True(t, ok, "line %d", r.line)
	return body
}

func TestRecordedSession(t *testing.T) {
	var fromClient, fromServer, pdus int
	for _, r := range readRecording(t) {
		text := r.message(t)
		payload, err := NewFrameReader(strings.NewReader(text), 0).Next()
		require.NoError(t, err, "line %d", r.line)
		m, err := Parse(payload)
		require.NoError(t, err, "line %d", r.line)
		printed := string(Append(nil, m))
		if r.fromClient {
			fromClient++
			assert.Equal(t, text, printed, "line %d", r.line)
			continue
		}
		fromServer++
		if req, ok := m.(TokenPDURequest); ok {
			pdus++
			assert.Equal(t, canonicalPDU(req.PDU), printed, "line %d", r.line)
		} else {
			assert.Equal(t, text, printed, "line %d", r.line)
		}
		again, err := Parse([]byte(printed[strings.IndexByte(printed, '&')+1:]))
		require.NoError(t, err)
		assert.Equal(t, m, again, "line %d", r.line)
	}
	assert.Equal(t, 55, fromClient, "client messages in the recording")
	assert.Equal(t, 55, fromServer, "server messages in the recording")
	assert.Equal(t, 42, pdus, "commands for the card in the recording")
}

// canonicalPDU spells a PDU request out independently of Append.
func canonicalPDU(pdu []byte) string {
	body := fmt.Sprintf("msg_type=9&pdu_size=%d&pdu_data=", len(pdu))
	for _, b := range pdu {
		body += fmt.Sprintf("%%%02X", b)
	}
	return fmt.Sprintf("s=%d&%s", len(body), body)
}

// All client messages of a conversation, merged into one stream and delivered byte by byte,
// come out as they went in.
func TestRecordedSessionByteByByte(t *testing.T) {
	var stream bytes.Buffer
	var want []string
	for _, r := range readRecording(t) {
		if r.fromClient && r.conn == "#2" {
			stream.WriteString(r.message(t))
			want = append(want, r.message(t))
		}
	}
	require.NotEmpty(t, want)
	frames := NewFrameReader(oneByte{&stream}, 0)
	for _, w := range want {
		payload, err := frames.Next()
		require.NoError(t, err)
		assert.Equal(t, w, fmt.Sprintf("s=%d&%s", len(payload), payload))
	}
	_, err := frames.Next()
	assert.ErrorIs(t, err, io.EOF)
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }
