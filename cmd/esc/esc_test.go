package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
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
		answer = "07" + "9000"
	case applet && strings.HasPrefix(text, "B0F6"):
		answer = hex.EncodeToString([]byte(c.issuer)) + "9000"
	}
	return hex.DecodeString(answer)
}

// freePort answers a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// plug connects the card to port until the test ends.
func plug(t *testing.T, port string, c vpcd.Card) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = vpcd.Dial(ctx, "127.0.0.1:"+port, c, vpcd.Options{})
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// tps is a server over TLS that logs a user in, sends one SET PIN, and ends with status. It
// answers its address and a file with its certificate.
func tps(t *testing.T, status wire.Status, talk func(context.Context, *wire.Conn)) (url, ca string) {
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
		_, _ = c.Read(r.Context())
		if talk != nil {
			talk(r.Context(), c)
		}
		if status < 0 {
			return
		}
		end := wire.EndOp{Operation: wire.OpFormat, Status: status}
		if status != 0 {
			end.Result = wire.ResultBad
		}
		_ = c.Write(r.Context(), end)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	return srv.URL, ca
}

// login asks for credentials and expects them.
func login(t *testing.T) func(context.Context, *wire.Conn) {
	return func(ctx context.Context, c *wire.Conn) {
		ask := func(m wire.Message) wire.Message {
			assert.NoError(t, c.Write(ctx, m))
			answer, err := c.Read(ctx)
			assert.NoError(t, err)
			return answer
		}
		assert.Equal(t, wire.ExtendedLoginResponse{Fields: wire.Credentials{
			{ID: "UID", Value: wire.NewSecret("jane")},
			{ID: "PASSWORD", Value: wire.NewSecret("s3cret & more")}}},
			ask(wire.ExtendedLoginRequest{Title: "Sign \x1b[31min", Params: []wire.Param{
				{ID: "UID", Name: "User ID", Kind: wire.ParamString},
				{ID: "PASSWORD", Name: "Password", Kind: wire.ParamPassword}}}))
		ask(wire.StatusUpdateRequest{Percent: 40, Task: "PROGRESS_APPLET_BLOCK"})
		pdu, _ := hex.DecodeString("84040000" + "11" + "736563726574313233" + "05AC036E04D8973F")
		ask(wire.TokenPDURequest{PDU: pdu})
		ask(wire.StatusUpdateRequest{Percent: 100, Task: "PROGRESS_DONE"})
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

func TestFormatOverASocket(t *testing.T) {
	url, ca := tps(t, wire.StatusNoError, login(t))
	port := freePort(t)
	plug(t, port, &blankCard{})
	trace := filepath.Join(t.TempDir(), "trace.txt")
	code, out, errOut := runEsc(t, desk{}, "format", "--url", url, "--ca", ca, "--vpcd", port,
		"--user", "jane", "--password-file", write(t, "s3cret & more\n"), "--trace", trace)
	require.Equal(t, exitDone, code, errOut)
	assert.Contains(t, out, "Card "+cuid+" is formatted")
	assert.Contains(t, out, "session 0f3a")
	assert.Contains(t, errOut, " 40% loading the applet\n")
	assert.Contains(t, errOut, "100% done\n")
	assert.NotContains(t, errOut, "\r")

	b, err := os.ReadFile(trace)
	require.NoError(t, err)
	text := string(b)
	assert.Contains(t, text, "session 0f3a")
	assert.Contains(t, text, "SELECT")
	assert.Contains(t, text, "data (9 bytes hidden)", "the PIN, to a card without applet")
	assert.NotContains(t, text, "secret123")
	assert.NotContains(t, text, "7365637265")
	assert.NotContains(t, text+out+errOut, "s3cret")
	info, err := os.Stat(trace)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestFormatAsksAtTheTerminal(t *testing.T) {
	url, ca := tps(t, wire.StatusNoError, login(t))
	port := freePort(t)
	plug(t, port, &blankCard{})
	d := desk{
		in: strings.NewReader("jane\n"), terminal: true, bar: true,
		hidden: func() ([]byte, error) { return []byte("s3cret & more"), nil },
	}
	code, _, errOut := runEsc(t, d, "format", "--url", url, "--ca", ca, "--vpcd", port)
	require.Equal(t, exitDone, code, errOut)
	assert.Contains(t, errOut, "User ID: Password: \n")
	assert.Contains(t, errOut, "\r[############..................]  40% loading the applet")
	assert.NotContains(t, errOut, "\x1b[31m", "what a server says does not steer the terminal")
}

func TestFormatFindsTheServerByTheCard(t *testing.T) {
	url, ca := tps(t, wire.StatusNoError, login(t))
	port := freePort(t)
	plug(t, port, &blankCard{issuer: url + "/tps/phoneHome"})
	code, out, errOut := runEsc(t, desk{in: strings.NewReader("s3cret & more")}, "format", "--ca", ca,
		"--vpcd", port, "--user", "jane", "--password-stdin", "--json")
	require.Equal(t, exitDone, code, errOut)
	var got outcome
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	got.Seconds = 0
	assert.Equal(t, outcome{Operation: "format", Done: true, Name: "NO_ERROR",
		Message: "The operation is done.", Server: url + "/tps/tps", Session: "0f3a", CUID: cuid,
		Applet: "1.4.58768072", Commands: 1}, got)
}

func TestFormatFails(t *testing.T) {
	refusing, ca := tps(t, wire.StatusLogin, nil)
	dropping, dropCA := tps(t, -1, nil)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"refused", []string{"--url", refusing, "--ca", ca}, exitRefused,
			"The user name or the password was not accepted. (code 14, LOGIN) [session 0f3a]"},
		{"dropped", []string{"--url", dropping, "--ca", dropCA}, exitNoTPS, "(code 28)"},
		{"not trusted", []string{"--url", refusing}, exitNoTPS, "certificate"},
		{"nobody listens", []string{"--url", "https://127.0.0.1:" + freePort(t), "--ca", ca},
			exitNoTPS, "connecting to the server failed"},
		{"no server known", []string{"--ca", ca}, exitUsage, "give --url"},
		{"no such authorities", []string{"--url", refusing, "--ca", "none.pem"}, exitOther,
			"none.pem"},
		{"authorities of nonsense", []string{"--url", refusing, "--ca", write(t, "x")}, exitOther,
			"no certificate"},
		{"no such password", []string{"--url", refusing, "--password-file", "none.txt"}, exitOther,
			"reading password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			port := freePort(t)
			plug(t, port, &blankCard{})
			code, out, errOut := runEsc(t, desk{},
				append([]string{"format", "--vpcd", port, "--json"}, tt.args...)...)
			assert.Equal(t, tt.code, code, errOut)
			assert.Contains(t, errOut, tt.says)
			if out != "" {
				var got outcome
				require.NoError(t, json.Unmarshal([]byte(out), &got))
				assert.False(t, got.Done)
				assert.NotZero(t, got.Code)
			}
		})
	}
}

func TestFormatWithNobodyToAsk(t *testing.T) {
	url, ca := tps(t, -1, func(ctx context.Context, c *wire.Conn) {
		_ = c.Write(ctx, wire.LoginRequest{})
		_, _ = c.Read(ctx)
	})
	port := freePort(t)
	plug(t, port, &blankCard{})
	code, _, errOut := runEsc(t, desk{}, "format", "--url", url, "--ca", ca, "--vpcd", port)
	assert.Equal(t, exitOther, code)
	assert.Contains(t, errOut, "--password-file")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"bogus"}, {"format", "--nope"}, {"format", "extra"}, {"status", "--vpcd", "70000"},
		{"status", "--vpcd", "x"}, {"status", "--vpcd", "1", "--reader", "r"},
		{"format", "--url", "http://tps.example.com"}, {"format", "--url", "ftp://x"},
		{"format", "--password-file", "a", "--password-stdin"}, {"status", "--vpcd", "0", "--wait", "0s"},
		{"format", "--password", "hunter2"},
	} {
		code, _, errOut := runEsc(t, desk{}, args...)
		assert.Equal(t, exitUsage, code, args)
		assert.Contains(t, errOut, "--help", args)
	}
}

func TestHelpTeaches(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"readers", "--help"}, {"status", "--help"},
		{"format", "--help"}} {
		code, out, _ := runEsc(t, desk{}, args...)
		assert.Equal(t, exitDone, code)
		assert.Contains(t, out, "Examples:", args)
	}
	_, out, _ := runEsc(t, desk{})
	assert.Contains(t, out, "Exit codes:")
}

func TestStatusOverASocket(t *testing.T) {
	port := freePort(t)
	plug(t, port, &blankCard{issuer: "https://tps.example.com/tps/phoneHome"})
	code, out, errOut := runEsc(t, desk{}, "status", "--vpcd", port)
	require.Equal(t, exitDone, code, errOut)
	for _, want := range []string{cuid, "3B00", "formatted", "1.4.58768072",
		"https://tps.example.com/tps/phoneHome"} {
		assert.Contains(t, out, want)
	}
	port = freePort(t)
	plug(t, port, &blankCard{})
	code, out, errOut = runEsc(t, desk{}, "status", "--json", "--vpcd", port)
	require.Equal(t, exitDone, code, errOut)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, cuid, got["cuid"])
	assert.Equal(t, "no applet", got["state"])
	assert.Equal(t, "socket 127.0.0.1:"+port, got["reader"])
}

func TestNoCardComes(t *testing.T) {
	code, _, errOut := runEsc(t, desk{}, "status", "--vpcd", "0", "--wait", "600ms")
	assert.Equal(t, exitNoCard, code)
	assert.Contains(t, errOut, "simcard run --vpcd 127.0.0.1:")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	code, _, errOut = runEsc(t, desk{}, "status", "--vpcd", port)
	assert.Equal(t, exitNoCard, code, errOut)
}

func TestInterruptAtAPrompt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	restored := false
	p, err := newPerson(desk{
		in: strings.NewReader(""), err: io.Discard, terminal: true,
		hidden:  func() ([]byte, error) { cancel(); select {} },
		restore: func() { restored = true },
	}, loginFlags{})
	require.NoError(t, err)
	_, err = p.NewPIN(ctx, 4, 10)
	assert.ErrorIs(t, err, context.Canceled)
	assert.True(t, restored, "the terminal shows again what is typed")
}

func TestNewPINIsTypedTwice(t *testing.T) {
	typed := []string{"1234", "1234", "1234", "1235"}
	p, err := newPerson(desk{
		in: strings.NewReader(""), err: io.Discard, terminal: true,
		hidden: func() ([]byte, error) {
			b := typed[0]
			typed = typed[1:]
			return []byte(b), nil
		},
	}, loginFlags{})
	require.NoError(t, err)
	pin, err := p.NewPIN(t.Context(), 4, 10)
	require.NoError(t, err)
	assert.Equal(t, "1234", pin.Reveal())
	_, err = p.NewPIN(t.Context(), 4, 10)
	assert.Error(t, err)
}

func TestReadLine(t *testing.T) {
	for in, want := range map[string]string{"a b\r\nc": "a b", "x": "x", "\n": "", " x \n": " x "} {
		p, err := newPerson(desk{in: strings.NewReader(in)}, loginFlags{passwordStdin: true})
		require.NoError(t, err)
		assert.Equal(t, want, p.password.Reveal())
	}
	for _, in := range []string{"", strings.Repeat("x", maxTyped+1)} {
		_, err := newPerson(desk{in: strings.NewReader(in)}, loginFlags{passwordStdin: true})
		assert.Error(t, err)
	}
}

func TestPlainProgressIsALineATenth(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out}
	for percent := -5; percent <= 105; percent++ {
		p.update(percent, "PROGRESS_APPLET_BLOCK")
	}
	p.update(100, "UNHEARD_OF")
	p.line("end")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 13)
	assert.Equal(t, "0% loading the applet", lines[0])
	assert.Equal(t, " 10% loading the applet", lines[1])
	assert.Equal(t, "100% UNHEARD_OF", lines[11])
}

func TestLanguage(t *testing.T) {
	for v, want := range map[string]string{"de_DE.UTF-8": "de", "en": "en", "C.UTF-8": "", "": "",
		"POSIX": ""} {
		assert.Equal(t, want, language(func(string) string { return v }), v)
	}
}

func TestExitCodes(t *testing.T) {
	assert.Equal(t, exitUsage, exitCode(errors.New("from cobra")))
	assert.Equal(t, exitOther, exitCode(done(errors.New("other"))))
	assert.Equal(t, exitOther, exitCode(done(context.Canceled)))
	assert.Equal(t, exitNoCard, exitCode(done(fmt.Errorf("x: %w", vpcd.ErrRemoved))))
	assert.Equal(t, exitDone, exitCode(done(nil)))
}
