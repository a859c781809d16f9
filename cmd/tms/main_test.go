package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/instance"
)

// asCommand makes the test binary behave as the command, for tests that need processes.
const asCommand = "TMS_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// until cancels once text was written to it.
type until struct {
	bytes.Buffer
	text   string
	cancel context.CancelFunc
}

func (u *until) Write(b []byte) (int, error) {
	n, err := u.Buffer.Write(b)
	if strings.Contains(u.String(), u.text) {
		u.cancel()
	}
	return n, err
}

// tms runs one command line in this process; a server is stopped once it listens.
func tms(args ...string) (code int, out, errOut string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var o bytes.Buffer
	e := &until{text: "listening", cancel: cancel}
	code = run(ctx, args, &o, e)
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "i")
	code, out, errOut := tms("init", dir, "--tps-listen", "127.0.0.1:0",
		"--tks-listen", freeAddr(t))
	require.Zero(t, code, errOut)
	for _, want := range []string{"tks/CS.cfg", "KCV", "https://localhost:0", "Next"} {
		assert.Contains(t, out, want)
	}
	broken := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.CopyFS(broken, os.DirFS(dir)))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "tks", "CS.cfg"),
		[]byte("tks.defKeySet.auth_key=#40\n"), 0o600))
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"help":      {[]string{"--help"}, 0, ""},
		"init help": {[]string{"init", "--help"}, 0, ""},
		"version":   {[]string{"version"}, 0, ""},
		"serve":     {[]string{"serve", "--dir", dir}, 0, "listening"},
		"serve json": {
			[]string{"serve", "tks", "--dir", dir, "--log-format=json"}, 0, `"listening"`,
		},
		"serve tps":   {[]string{"serve", "tps", "--dir", dir, "--log-level", "debug"}, 0, "listening"},
		"exists":      {[]string{"init", dir}, exitExists, "not empty"},
		"bad host":    {[]string{"init", dir + "2", "--host", "a b"}, exitFailed, "host"},
		"no instance": {[]string{"serve", "--dir", t.TempDir()}, exitInstance, "no instance"},
		"bad config":  {[]string{"serve", "tks", "--dir", broken}, exitInstance, "CS.cfg:1"},
		"plain": {
			[]string{"serve", "tps", "--dir", dir, "--plain", ":80"}, exitInstance, "loopback",
		},
		"command":      {[]string{"server"}, exitUsage, "unknown command"},
		"flag":         {[]string{"serve", "--port", "1"}, exitUsage, "--port"},
		"subsystem":    {[]string{"serve", "crl"}, exitUsage, `"crl"`},
		"no ca":        {[]string{"serve", "ca", "--dir", dir}, exitInstance, `"ca"`},
		"no ca1":       {[]string{"serve", "ca1", "--dir", dir}, exitInstance, `"ca1"`},
		"arguments":    {[]string{"init"}, exitUsage, "init"},
		"more":         {[]string{"version", "1"}, exitUsage, "version"},
		"log level":    {[]string{"serve", "--log-level", "loud"}, exitUsage, "loud"},
		"log format":   {[]string{"serve", "--log-format", "xml"}, exitUsage, "xml"},
		"unknown help": {[]string{"no", "--help"}, exitUsage, "unknown command"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := tms(tt.args...)
			assert.Equal(t, tt.code, code, errOut)
			assert.Contains(t, errOut, tt.want)
			if strings.Contains(name, "help") && code == 0 {
				assert.Contains(t, out, "Usage:")
			}
		})
	}
}

func TestInitAsJSON(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "i")
	code, out, errOut := tms("init", dir, "--json", "--host", "tps.example.org")
	require.Zero(t, code, errOut)
	var made instance.Made
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	assert.Equal(t, dir, made.Dir)
	assert.Equal(t, "https://tps.example.org:8443", made.TPS)
	assert.NotEmpty(t, made.MasterKeys)
	passphrase, err := os.ReadFile(filepath.Join(dir, "tks", "keystore.passphrase"))
	require.NoError(t, err)
	assert.NotContains(t, out, strings.TrimSpace(string(passphrase)))
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1", Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"},
			{Key: "vcs.modified", Value: "true"}}}
	assert.Equal(t, "tms v1.2.3 abc+changes go1", version(info, true))
	assert.Equal(t, "tms (unknown build)", version(nil, false))
}
