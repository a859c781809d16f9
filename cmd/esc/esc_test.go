package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/wire"
)

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
		Applet: "1.4.58768072", State: "formatted", Commands: 1}, got)
}

func TestFormatFails(t *testing.T) {
	refusing, ca := tps(t, wire.StatusLogin, nil)
	dropping, dropCA := tps(t, -1, nil)
	lacking, lackCA := tps(t, wire.StatusMisconfiguration, nil)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"refused", []string{"--url", refusing, "--ca", ca}, exitRefused,
			"The user name or the password was not accepted. (code 14, LOGIN) [session 0f3a]"},
		{"misconfigured", []string{"--url", lacking, "--ca", lackCA}, exitRefused,
			"MISCONFIGURATION) [session 0f3a]\nThe server's log says why, under this session; what the " +
				"server lacks, it says when it starts."},
		{"dropped", []string{"--url", dropping, "--ca", dropCA}, exitNoTPS, "(code 28)"},
		{"not trusted", []string{"--url", refusing}, exitNoTPS, "--ca FILE"},
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
		{"format", "--password", "hunter2"}, {"format", "--pin-file", "a"},
		{"enroll", "--pin", "1234"}, {"enroll", "--pin-file", "a", "--pin-stdin"},
		{"pin-reset", "--vpcd", "0", "--token-type", "userKey"}, {"renew", "1234"},
		{"pin-reset", "--vpcd", "0", "--wait", "1ms"}, // nobody to ask for the PIN
	} {
		code, _, errOut := runEsc(t, desk{}, args...)
		assert.Equal(t, exitUsage, code, args)
		assert.Contains(t, errOut, "--help", args)
	}
}

func TestHelpTeaches(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"readers", "--help"}, {"status", "--help"},
		{"format", "--help"}, {"enroll", "--help"}, {"pin-reset", "--help"}, {"renew", "--help"}} {
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

// An enrolled card that keeps to itself what is on it is shown all the same.
func TestStatusWithoutCertificates(t *testing.T) {
	port := freePort(t)
	plug(t, port, &blankCard{issuer: "https://tps.example", state: "0F"})
	code, out, errOut := runEsc(t, desk{}, "status", "--vpcd", port)
	require.Equal(t, exitDone, code, errOut)
	assert.Contains(t, out, "personalized")
	assert.Contains(t, out, "Certificates    reading certificates: list objects")
}

func TestNoCardComes(t *testing.T) {
	code, _, errOut := runEsc(t, desk{}, "status", "--vpcd", "0", "--wait", "900ms")
	assert.Equal(t, exitNoCard, code)
	assert.Contains(t, errOut, "simcard run --vpcd 127.0.0.1:")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	code, _, errOut = runEsc(t, desk{}, "status", "--vpcd", port)
	assert.Equal(t, exitNoCard, code, errOut)
}
