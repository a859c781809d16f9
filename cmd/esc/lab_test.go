package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/loopback"
	"tokenwright/tms/wire"
	"tokenwright/vpcd"
)

const (
	cplc = "9F7F2A" + "47905049" + "000000000000" + "6123" + "01020304" + "0506" +
		"000000000000000000000000" + "00000000" + "00000000" + "DEADBEEF"
	cuid = "47905049050601020304"
)

// blankCard is a card with a card manager and no more, behind a socket.
type blankCard struct {
	mu     sync.Mutex
	issuer string // with it, the card has an applet that names this address
	state  string // the applet's life cycle in hex; empty: 07, formatted
	heard  []string
}

func (*blankCard) PowerOn() error  { return nil }
func (*blankCard) PowerOff() error { return nil }
func (*blankCard) Reset() error    { return nil }
func (*blankCard) ATR() []byte     { return []byte{0x3B, 0x00} }

func (c *blankCard) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprintf("%X", cmd)
	c.heard = append(c.heard, text)
	applet := c.issuer != ""
	answer := "6A88"
	switch {
	case strings.HasPrefix(text, "80CA9F7F"):
		answer = cplc + "9000"
	case strings.HasPrefix(text, "00A4040007627601"):
		answer = "6A82"
		if applet {
			answer = "9000"
		}
	case strings.HasPrefix(text, "00A4"), strings.HasPrefix(text, "8404"):
		answer = "9000"
	case applet && strings.HasPrefix(text, "B03C"):
		answer = "01010104000013880000100000000000" + "9000"
	case applet && strings.HasPrefix(text, "B070"):
		answer = "58768072" + "9000"
	case applet && strings.HasPrefix(text, "B0F2"):
		answer = cmp.Or(c.state, "07") + "9000"
	case applet && strings.HasPrefix(text, "B0F6"):
		answer = hex.EncodeToString([]byte(c.issuer)) + "9000"
	}
	return hex.DecodeString(answer)
}

// freePort answers a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := loopback.Port()
	require.NoError(t, err)
	return strconv.Itoa(port)
}

// plug connects the card to port until the test ends.
func plug(t *testing.T, port string, c vpcd.Card) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = vpcd.Dial(ctx, "127.0.0.1:"+port, c, vpcd.Options{})
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// tps is a server over TLS that holds a conversation by talk, and ends with status. It answers
// its address and a file with its certificate.
func tps(t *testing.T, status wire.Status, talk func(context.Context, *wire.Conn)) (
	url, ca string,
) {
	t.Helper()
	return tpsAsked(t, status, talk, nil)
}

// tpsAsked is tps, and passes on what the clients ask for.
func tpsAsked(t *testing.T, status wire.Status, talk func(context.Context, *wire.Conn),
	begun chan<- wire.BeginOp,
) (url, ca string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, "<ServiceInfo><Services><Operation>https://%s/tps/tps</Operation>"+
				"<TokenType>userKey</TokenType></Services></ServiceInfo>", r.Host)
			return
		}
		w.Header().Set(wire.SessionHeader, "0f3a")
		c, err := wire.Accept(w, r, wire.Limits{})
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		m, _ := c.Read(r.Context())
		begin := m.(wire.BeginOp)
		if begun != nil {
			begun <- begin
		}
		if talk != nil {
			talk(r.Context(), c)
		}
		if status < 0 {
			return
		}
		end := wire.EndOp{Operation: begin.Operation, Status: status}
		if status != 0 {
			end.Result = wire.ResultBad
		}
		_ = c.Write(r.Context(), end)
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	return srv.URL, ca
}

// asks sends a request and answers what the client said to it.
func asks(ctx context.Context, t *testing.T, c *wire.Conn, m wire.Message) wire.Message {
	assert.NoError(t, c.Write(ctx, m))
	answer, err := c.Read(ctx)
	assert.NoError(t, err)
	return answer
}

// login asks for credentials and expects them, and sends one SET PIN.
func login(t *testing.T) func(context.Context, *wire.Conn) {
	return func(ctx context.Context, c *wire.Conn) {
		assert.Equal(t, wire.ExtendedLoginResponse{Fields: wire.Credentials{
			{ID: "UID", Value: wire.NewSecret("jane")},
			{ID: "PASSWORD", Value: wire.NewSecret("s3cret & more")}}},
			asks(ctx, t, c, wire.ExtendedLoginRequest{Title: "Sign \x1b[31min", Params: []wire.Param{
				{ID: "UID", Name: "User ID", Kind: wire.ParamString},
				{ID: "PASSWORD", Name: "Password", Kind: wire.ParamPassword}}}))
		asks(ctx, t, c, wire.StatusUpdateRequest{Percent: 40, Task: "PROGRESS_APPLET_BLOCK"})
		pdu, _ := hex.DecodeString("84040000" + "11" + "736563726574313233" + "05AC036E04D8973F")
		asks(ctx, t, c, wire.TokenPDURequest{PDU: pdu})
		asks(ctx, t, c, wire.StatusUpdateRequest{Percent: 100, Task: "PROGRESS_DONE"})
	}
}

// runEsc runs the program and answers exit code and output.
func runEsc(t *testing.T, d desk, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	d.out, d.err = &o, &e
	if d.in == nil {
		d.in = strings.NewReader("")
	}
	if d.restore == nil {
		d.restore = func() {}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code = run(ctx, args, d)
	return code, o.String(), e.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}
