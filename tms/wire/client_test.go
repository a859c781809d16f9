package wire

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The old client reports success when the server drops it; this one must not.
func TestClientNoticesALostServer(t *testing.T) {
	tests := []struct {
		name, answer string
		is           error
	}{
		{"no answer", "", ErrConnectionLost},
		{"half a header", "HTTP/1.1 200 OK\r\nTransf", ErrConnectionLost},
		{"header alone", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			ErrConnectionLost},
		{"proper end without END_OP",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ErrConnectionLost},
		{"half a message",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ns=42&ms\r\n",
			ErrConnectionLost},
		{"endless header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Pad: 0123456789\r\n", 8000),
			ErrFraming},
		{"only informative answers", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), ErrFraming},
		{"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", HTTPError{404}},
		{"moved", "HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n",
			HTTPError{302}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { _ = l.Close() }()
			go func() {
				nc, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = bufio.NewReader(nc).ReadString('\n')
				_, _ = io.WriteString(nc, tt.answer)
				_ = nc.Close()
			}()
			c, err := Dial(t.Context(), "http://"+l.Addr().String()+"/tps/tps", nil, Limits{})
			require.NoError(t, err)
			defer func() { _ = c.Close() }()
			require.NoError(t, c.Write(t.Context(), BeginOp{Operation: OpFormat}))
			_, err = c.Read(t.Context())
			assert.ErrorIs(t, err, tt.is)
		})
	}
}

// A server that is no TPS waits for the end of the body before it says what it is.
func TestClientLearnsThatThereIsNoTPS(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	c, err := Dial(t.Context(), srv.URL, nil, Limits{HeadTimeout: 20 * time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), BeginOp{Operation: OpFormat}))
	_, err = c.Read(t.Context())
	assert.ErrorIs(t, err, HTTPError{404})
	require.NoError(t, c.Close())
}

// A refusal does not wait for a body that never ends.
func TestRefusalComesAtOnce(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Refuse(w, http.StatusServiceUnavailable, "too many sessions")
	}))
	defer srv.Close()
	c, err := Dial(t.Context(), srv.URL, nil, Limits{HeadTimeout: time.Hour})
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), BeginOp{Operation: OpFormat}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = c.Read(ctx)
	assert.ErrorIs(t, err, HTTPError{503})
	require.NoError(t, c.Close())
}

// What the client puts on the socket, to the byte.
func TestClientWritesOneChunkAMessage(t *testing.T) {
	ours, theirs := net.Pipe()
	got := make(chan string, 8)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				close(got)
				return
			}
			got <- string(buf[:n])
		}
	}()
	u := mustURL(t, "http://tps.example.com:8080/tps/tps?x=y")
	c := newClientConn(ours, u, Limits{}.withDefaults())
	require.NoError(t, c.Write(t.Context(),
		BeginOp{OpEnroll, Fields{{"tokenType", "userKey"}}}))
	require.NoError(t, c.Write(t.Context(), TokenPDUResponse{[]byte{0x90, 0}}))
	require.NoError(t, c.Close())
	assert.Equal(t, "POST /tps/tps?x=y HTTP/1.1\r\nHost: tps.example.com:8080\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n3a\r\n"+
		"s=53&msg_type=2&operation=1&extensions=tokenType%3DuserKey\r\n", <-got)
	assert.Equal(t, "2b\r\ns=38&msg_type=10&pdu_data=%90%00&pdu_size=2\r\n", <-got)
	assert.Equal(t, "0\r\n\r\n", <-got)
}

func TestSessionNameIsFitForALog(t *testing.T) {
	assert.Equal(t, "0f-3a", sessionName("0f-3a"))
	for _, s := range []string{"a b", "a\x1b", "é", strings.Repeat("x", 65)} {
		assert.Empty(t, sessionName(s))
	}
}
