package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
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

// serve runs a server whose conversations are held by talk; talk's results arrive on the
// channel.
func serve(t *testing.T, limits Limits, talk func(context.Context, *Conn) error) (
	*httptest.Server, <-chan error,
) {
	t.Helper()
	results := make(chan error, 8)
	srv := httptest.NewUnstartedServer(handler(limits, talk, results))
	return srv, results
}

func handler(limits Limits, talk func(context.Context, *Conn) error,
	results chan<- error,
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(SessionHeader, "session-7")
		c, err := Accept(w, r, limits)
		if err != nil {
			results <- err
			return
		}
		defer func() { _ = c.Close() }()
		results <- talk(r.Context(), c)
	})
}

func result(t *testing.T, results <-chan error) error {
	t.Helper()
	select {
	case err := <-results:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the conversation did not end")
		return nil
	}
}

// echoCard sends n commands of the given length and ends well if all come back.
func echoCard(n, length int) func(context.Context, *Conn) error {
	return func(ctx context.Context, c *Conn) error {
		m, err := c.Read(ctx)
		if err != nil {
			return err
		}
		op, ok := m.(BeginOp)
		if !ok {
			return fmt.Errorf("got message %d", m.Type())
		}
		for i := range n {
			pdu := bytes.Repeat([]byte{byte(i)}, length)
			if err := c.Write(ctx, TokenPDURequest{pdu}); err != nil {
				return err
			}
			m, err := c.Read(ctx)
			if err != nil {
				return err
			}
			if !assert.ObjectsAreEqual(TokenPDUResponse{pdu}, m) {
				return errors.New("not the echo")
			}
		}
		return c.Write(ctx, EndOp{op.Operation, ResultGood, StatusNoError})
	}
}

// playClient plays the client's part of echoCard and answers END_OP.
func playClient(ctx context.Context, c *Conn) (EndOp, error) {
	if err := c.Write(ctx, BeginOp{Operation: OpFormat}); err != nil {
		return EndOp{}, err
	}
	for {
		m, err := c.Read(ctx)
		if err != nil {
			return EndOp{}, err
		}
		switch m := m.(type) {
		case EndOp:
			return m, nil
		case TokenPDURequest:
			if err := c.Write(ctx, TokenPDUResponse(m)); err != nil {
				return EndOp{}, err
			}
		}
	}
}

func TestConversationOverTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		srv, results := serve(t, Limits{}, echoCard(200, 300))
		srv.EnableHTTP2 = true // offered, and not to be taken
		srv.TLS = &tls.Config{MaxVersion: version, MinVersion: version}
		srv.StartTLS()
		defer srv.Close()
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())

		c, err := Dial(t.Context(), srv.URL+"/tps/tps", &tls.Config{RootCAs: roots}, Limits{})
		require.NoError(t, err)
		end, err := playClient(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, EndOp{OpFormat, ResultGood, StatusNoError}, end)
		assert.Equal(t, "session-7", c.Session())
		require.NoError(t, c.Close())
		require.NoError(t, result(t, results))
	}
}

func TestDialVerifiesTheServer(t *testing.T) {
	srv, _ := serve(t, Limits{}, echoCard(1, 2))
	quiet(srv.Config)
	srv.StartTLS()
	defer srv.Close()
	_, err := Dial(t.Context(), srv.URL, nil, Limits{})
	var unknown x509.UnknownAuthorityError
	assert.ErrorAs(t, err, &unknown)
}

func TestDialRefusesOtherURLs(t *testing.T) {
	for _, u := range []string{"", "ftp://h/x", "tps.example.com", "https://", "http://[::1", ":"} {
		_, err := Dial(t.Context(), u, nil, Limits{})
		assert.ErrorIs(t, err, ErrURL, u)
	}
}

func TestAcceptRefusesOtherRequests(t *testing.T) {
	srv, results := serve(t, Limits{}, echoCard(1, 2))
	srv.Start()
	defer srv.Close()
	tests := []struct {
		name, request string
		status        int
		err           error
	}{
		{"get", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405, ErrMethod},
		{"put", "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 405,
			ErrMethod},
		{"length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 400, ErrNotChunked},
		{"no body", "POST / HTTP/1.1\r\nHost: x\r\n\r\n", 400, ErrNotChunked},
		{"http 1.0", "POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 400, ErrNotChunked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nc := dialRaw(t, srv)
			_, err := io.WriteString(nc, tt.request)
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.StatusCode)
			if tt.status == 405 {
				assert.Equal(t, "POST", resp.Header.Get("Allow"))
			}
			assert.ErrorIs(t, result(t, results), tt.err)
		})
	}
}

func dialRaw(t *testing.T, srv *httptest.Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(10*time.Second)))
	return nc
}

const rawHead = "POST /tps/tps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

// The server's bytes, seen from a socket: headers before any message, then one chunk a message
// whatever its length, and an end although the client never ends its body.
func TestServerWritesOneChunkAMessage(t *testing.T) {
	for _, length := range []int{5, 255, 1000, 3000} {
		srv, results := serve(t, Limits{}, echoCard(2, length))
		srv.Start()
		nc := dialRaw(t, srv)
		_, err := io.WriteString(nc, rawHead)
		require.NoError(t, err)
		in := bufio.NewReader(nc)
		for line := ""; line != "\r\n"; {
			line, err = in.ReadString('\n')
			require.NoError(t, err, "headers come before the client has said anything")
		}
		send := func(m Message) {
			b := Append(nil, m)
			_, err := fmt.Fprintf(nc, "%x\r\n%s\r\n", len(b), b)
			require.NoError(t, err)
		}
		send(BeginOp{Operation: OpFormat})
		for i := range 2 {
			pdu := bytes.Repeat([]byte{byte(i)}, length)
			assert.Equal(t, string(Append(nil, TokenPDURequest{pdu})), readChunk(t, in))
			send(TokenPDUResponse{pdu})
		}
		assert.Equal(t, "s=42&msg_type=13&operation=5&result=0&message=0", readChunk(t, in))
		rest, err := io.ReadAll(in)
		require.NoError(t, err)
		assert.Equal(t, "0\r\n\r\n", string(rest), "the server ends and hangs up")
		require.NoError(t, result(t, results))
		srv.Close()
	}
}

func readChunk(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	var n int
	_, err = fmt.Sscanf(line, "%x\r\n", &n)
	require.NoError(t, err)
	b := make([]byte, n+2)
	_, err = io.ReadFull(in, b)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(b), "\r\n"))
	return string(b[:n])
}

// A client may cut its messages into chunks, and its chunks into segments, as it likes.
func TestServerTakesSplitAndMergedChunks(t *testing.T) {
	begin := string(Append(nil, BeginOp{Operation: OpFormat}))
	echo := string(Append(nil, TokenPDUResponse{[]byte{0, 0}}))
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	tests := []struct{ name, body string }{
		{"one chunk each", chunk(begin) + chunk(echo)},
		{"one chunk for both", chunk(begin + echo)},
		{"cut in the length", chunk(begin[:3]) + chunk(begin[3:]+echo)},
		{"a chunk a byte", strings.Join(strings.Split(begin+echo, ""), "\r\n1\r\n")},
		{"chunk extensions", strings.Replace(chunk(begin), "\r\n", ";x=y\r\n", 1) + chunk(echo)},
	}
	for _, tt := range tests {
		for _, piece := range []int{1, 7, 1 << 16} {
			t.Run(fmt.Sprintf("%s in pieces of %d", tt.name, piece), func(t *testing.T) {
				srv, results := serve(t, Limits{}, echoCard(1, 2))
				srv.Start()
				defer srv.Close()
				nc := dialRaw(t, srv)
				text := rawHead + tt.body
				if strings.HasPrefix(tt.name, "a chunk a byte") {
					text = rawHead + "1\r\n" + tt.body + "\r\n"
				}
				for len(text) > 0 {
					n := min(piece, len(text))
					_, err := io.WriteString(nc, text[:n])
					require.NoError(t, err)
					text = text[n:]
				}
				require.NoError(t, result(t, results))
				require.NoError(t, nc.Close())
			})
		}
	}
}

func TestServerSeesBadInput(t *testing.T) {
	tests := []struct {
		name, body string
		is         error
		lost       bool
	}{
		{"client goes away at once", "", ErrConnectionLost, true},
		{"client goes away inside a message", "5\r\ns=20&\r\n", ErrConnectionLost, true},
		{"client ends its body", "0\r\n\r\n", ErrConnectionLost, false},
		{"oversize message", "9\r\ns=999999&\r\n", ErrTooLong, false},
		{"garbage message", "7\r\ngarbage\r\n", ErrFraming, false},
		{"unknown type", "10\r\ns=11&msg_type=99\r\n", ErrUnknownType, false},
		{"garbage chunk", "zz\r\n", nil, false},
		{"endless chunk length", strings.Repeat("1", 5000), nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, results := serve(t, Limits{MaxMessage: 1000}, echoCard(1, 2))
			srv.Start()
			defer srv.Close()
			nc := dialRaw(t, srv)
			_, err := io.WriteString(nc, rawHead+tt.body)
			require.NoError(t, err)
			if tt.lost {
				require.NoError(t, nc.Close())
			}
			err = result(t, results)
			require.Error(t, err)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			_ = nc.Close()
		})
	}
}

func TestLimitsOfAConversation(t *testing.T) {
	for _, limits := range []Limits{{MaxMessages: 3}, {MaxBytes: 100}} {
		srv, results := serve(t, limits, echoCard(20, 30))
		srv.Start()
		c, err := Dial(t.Context(), srv.URL, nil, Limits{})
		require.NoError(t, err)
		_, err = playClient(t.Context(), c)
		assert.ErrorIs(t, err, ErrConnectionLost)
		assert.ErrorIs(t, result(t, results), ErrLimit)
		_ = c.Close()
		srv.Close()
	}
}

func TestSilenceEndsInTime(t *testing.T) {
	srv, results := serve(t, Limits{ReadTimeout: 30 * time.Millisecond}, echoCard(1, 2))
	srv.Start()
	defer srv.Close()
	c, err := Dial(t.Context(), srv.URL, nil, Limits{})
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), BeginOp{Operation: OpFormat}))
	assert.ErrorIs(t, result(t, results), ErrConnectionLost, "the client never answers")
	_ = c.Close()
}

func TestCancelInterruptsARead(t *testing.T) {
	stuck := func(ctx context.Context, c *Conn) error {
		_, err := c.Read(ctx)
		_, again := c.Read(ctx)
		return errors.Join(err, again)
	}
	srv, results := serve(t, Limits{}, stuck)
	srv.Start()
	defer srv.Close()
	c, err := Dial(t.Context(), srv.URL, nil, Limits{})
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), BeginOp{Operation: OpFormat}))
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(20*time.Millisecond, cancel)
	defer stop.Stop()
	_, err = c.Read(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = c.Read(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, c.Close())
	assert.ErrorIs(t, result(t, results), ErrConnectionLost)
}
