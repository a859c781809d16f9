package esc

import (
	"bufio"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/wire"
)

// recordedLines answers the writes of one recorded conversation, client's and server's.
func recordedLines(t *testing.T, conn string) (client, server []string) {
	t.Helper()
	b, err := os.ReadFile("../wire/testdata/tps-client-session.txt")
	require.NoError(t, err)
	for line := range strings.SplitSeq(string(b), "\n") {
		parts := strings.SplitN(line, " ", 3)
		if len(parts) != 3 || parts[0] != conn {
			continue
		}
		text := strings.ReplaceAll(parts[2], `\r\n`, "\r\n")
		if parts[1] == "C->S" {
			client = append(client, text)
		} else {
			server = append(server, text)
		}
	}
	return client, server
}

// pduOf takes the PDU out of a recorded client chunk.
func pduOf(t *testing.T, chunk string) []byte {
	t.Helper()
	_, body, _ := strings.Cut(chunk, "\r\n")
	payload, err := wire.NewFrameReader(strings.NewReader(body), 0).Next()
	require.NoError(t, err)
	m, err := wire.Parse(payload)
	require.NoError(t, err)
	resp, ok := m.(wire.TokenPDUResponse)
	require.True(t, ok)
	return resp.PDU
}

// A stand-in for Dogtag's server, in the bytes of a recording, drives this client: after
// BEGIN_OP, which names this client, every byte the client sends is what Dogtag's own client
// sent.
func TestRunAgainstARecordedServer(t *testing.T) {
	for conn, operation := range map[string]wire.Operation{
		"#1": wire.OpEnroll, "#2": wire.OpFormat, "#3": wire.OpResetPIN,
	} {
		client, server := recordedLines(t, conn)
		require.Greater(t, len(client), 10)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		heard := make(chan []string, 1)
		go func() { heard <- replay(l, server) }()

		var responses [][]byte
		for _, c := range client {
			if strings.Contains(c, "msg_type=10&") {
				responses = append(responses, pduOf(t, c))
			}
		}
		pdus := len(responses)
		recordedCard := card(func([]byte) ([]byte, error) {
			if len(responses) == 0 {
				return nil, io.EOF
			}
			r := responses[0]
			responses = responses[1:]
			return r, nil
		})
		p := &person{answers: map[string]string{ParamUID: "user1", ParamPassword: "secret123"},
			pin: "secret123"}
		c := &Client{URL: "http://" + l.Addr().String() + "/tps/tps", Prompter: p}
		got, err := c.Run(t.Context(), Request{Operation: operation}, recordedCard)
		require.NoError(t, err, conn)
		assert.Equal(t, pdus, got.PDUs)
		said := <-heard
		require.Len(t, said, len(client), conn)
		assert.Equal(t, client[1:], said[1:], conn)
	}
}

// replay says the recorded server's part, a write after each chunk of the client's, and
// answers what the client sent: head and first chunk, then a chunk each.
func replay(l net.Listener, server []string) []string {
	defer func() { _ = l.Close() }()
	nc, err := l.Accept()
	if err != nil {
		return nil
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(nc)
	var heard []string
	head := ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return heard
		}
		head += line
	}
	for i, text := range server {
		_, _ = io.WriteString(nc, text)
		last := i >= len(server)-2 // END_OP, which nobody answers, and the zero chunk
		if last {
			continue
		}
		size, _ := in.ReadString('\n')
		body, err := in.ReadString('\n')
		if err != nil {
			return heard
		}
		heard = append(heard, head+size+body)
		head = ""
	}
	return heard
}
