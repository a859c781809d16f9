package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/instance"
)

const someToken = "40906145C76224192D2B"

// administered is an instance that is served in this process, with olga as its agent and otto as its
// operator. It gives the flags by which each reaches it.
func administered(t *testing.T) (dir string, as func(name string) []string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "i")
	code, _, errOut := tms("init", dir, "--tps-listen", freeAddr(t), "--tks-listen", freeAddr(t))
	require.Zero(t, code, errOut)
	for name, roles := range map[string]string{"olga": "agent,operator", "otto": "operator"} {
		code, out, errOut := tms("admin", "add", name, "--roles", roles, "--dir", dir)
		require.Zero(t, code, errOut)
		assert.Contains(t, out, filepath.Join(dir, "admins", "tps-"+name+".crt"))
	}
	path := filepath.Join(dir, "tps", "CS.cfg")
	file, err := conf.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, file.Set("admin.listen", freeAddr(t)))
	require.NoError(t, file.WriteFile(path))
	i, err := instance.Open(t.Context(), dir, instance.Options{})
	require.NoError(t, err)
	require.NoError(t, i.Listen(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, i.Close())
	})
	var url string
	for _, a := range i.AdminAddresses() {
		if a.Socket == "" {
			url = a.URL()
		}
	}
	return dir, func(name string) []string {
		return []string{"--url", url, "--as", filepath.Join(dir, "admins", "tps-"+name)}
	}
}

// tmsOn runs a command with the flags that lead to a server.
func tmsOn(flags []string, args ...string) (code int, out, errOut string) {
	return tms(append(args, flags...)...)
}

func TestTokensFromTheCommandLine(t *testing.T) {
	dir, as := administered(t)
	root := []string{"--dir", dir}
	code, out, errOut := tmsOn(root, "token", "list")
	require.Zero(t, code, errOut)
	assert.Equal(t, 1, strings.Count(out, "\n"), "the head alone")
	code, _, errOut = tmsOn(root, "token", "add", someToken, "--user", "alice", "--reason", "delivery 7")
	require.Zero(t, code, errOut)
	code, out, _ = tmsOn(as("otto"), "token", "show", strings.ToLower(someToken))
	require.Zero(t, code)
	for _, want := range []string{"UNFORMATTED", "alice", "by local:", "added by hand: delivery 7"} {
		assert.Contains(t, out, want)
	}
	_, out, _ = tmsOn(as("otto"), "token", "list", "--labels", "--state", "UNFORMATTED,0")
	assert.Contains(t, out, "Unformatted")
	_, out, _ = tms("token", "labels")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tps", "token-states.properties"),
		[]byte(strings.ReplaceAll(out, "= Unformatted", "= fabrikneu")), 0o600))
	_, out, _ = tmsOn(as("otto"), "token", "list", "--labels")
	assert.Contains(t, out, "fabrikneu", "while the server runs")
	_, out, _ = tmsOn(as("otto"), "token", "list", "--user", "bob")
	assert.NotContains(t, out, someToken)

	code, out, errOut = tmsOn(as("olga"), "token", "set-policy", someToken, "pin_reset=yes", "RENEW=NO",
		"--reason", "she asked")
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "PIN_RESET=YES")
	assert.Contains(t, out, "RE_ENROLL=YES", "what is not named stays")
	code, out, errOut = tmsOn(as("olga"), "token", "set-policy", someToken, "PIN_RESET=NO", "--replace",
		"--reason", "done", "--json")
	require.Zero(t, code, errOut)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, "PIN_RESET=NO", got["policy"])
	assert.Equal(t, "olga", got["modifiedBy"])

	code, _, errOut = tmsOn(root, "token", "delete", someToken, "--reason", "sent back")
	require.Zero(t, code, errOut)
	code, out, errOut = tmsOn(as("otto"), "activity", "--user", "alice")
	require.Zero(t, code, errOut)
	assert.Equal(t, 5, strings.Count(out, "\n"), out)
	_, out, _ = tmsOn(as("otto"), "activity", "list", "--operation", "delete", "--json", "--limit", "1")
	var log struct {
		Activities []map[string]string
		Next       string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &log))
	require.Len(t, log.Activities, 1)
	assert.Equal(t, "token deleted, UNFORMATTED: sent back", log.Activities[0]["message"])
	_, _, errOut = tmsOn(as("otto"), "activity", "--limit", "2")
	assert.Contains(t, errOut, "--after ")
}

func TestExitCodesOfAdministration(t *testing.T) {
	dir, as := administered(t)
	stale := filepath.Join(dir, "admins", "none")
	for name, c := range map[string]struct {
		flags []string
		args  []string
		code  int
		want  string
	}{
		"unknown token": {as("otto"), []string{"token", "show", someToken}, exitNotFound, "not known"},
		"no token":      {as("otto"), []string{"token", "show", "12"}, exitFailed, "token:"},
		"forbidden": {as("otto"), []string{"token", "set-state", someToken, "DAMAGED", "--reason", "x"},
			exitForbidden, "otto may not do this: it is for agent"},
		"no reason": {as("olga"), []string{"token", "set-state", someToken, "DAMAGED"}, exitUsage,
			"--reason"},
		"no state": {as("olga"), []string{"token", "set-state", someToken, "ASLEEP", "--reason", "x"},
			exitUsage, "ASLEEP"},
		"no policy": {as("olga"), []string{"token", "set-policy", someToken, "DANCE=YES", "--reason", "x"},
			exitUsage, "DANCE"},
		"bad state":       {as("otto"), []string{"token", "list", "--state", "5x"}, exitUsage, "--state"},
		"bad operation":   {as("otto"), []string{"activity", "--operation", "dance"}, exitUsage, "dance"},
		"bad day":         {as("otto"), []string{"token", "list", "--from", "soon"}, exitFailed, "a day"},
		"no certificate":  {[]string{"--url", "https://localhost:1"}, []string{"token", "list"}, exitUsage, "--as"},
		"not there":       {[]string{"--url", "https://x", "--as", stale}, []string{"token", "list"}, exitUsage, "--as"},
		"no instance":     {[]string{"--dir", t.TempDir()}, []string{"token", "list"}, exitInstance, "CS.cfg"},
		"roles":           {nil, []string{"admin", "add", "x", "--dir", dir}, exitUsage, "--roles"},
		"king":            {nil, []string{"admin", "add", "x", "--roles", "king"}, exitUsage, "king"},
		"there already":   {nil, []string{"admin", "add", "olga", "--roles", "agent", "--dir", dir}, exitExists, "olga"},
		"another machine": {[]string{"--dir", dir, "--socket", stale}, []string{"token", "list"}, exitFailed, "does not run"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errOut := tmsOn(c.flags, c.args...)
			assert.Equal(t, c.code, code, errOut)
			assert.Contains(t, errOut, c.want)
		})
	}
	for _, args := range [][]string{{"token"}, {"token", "set-state", "--help"}, {"activity", "--help"},
		{"admin"}} {
		code, out, _ := tms(args...)
		assert.Zero(t, code)
		assert.Contains(t, out, "Usage:")
	}
}

// A plain HTTP client without this project's code, as Dogtag's is one, over the socket.
func TestSocketSpeaksPlainHTTP(t *testing.T) {
	dir, _ := administered(t)
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Chdir(filepath.Join(dir, "tps")) // its name alone fits into an address
			return net.Dial("unix", instance.AdminSocket)
		}}}
	res, err := c.Get("http://x/tps/rest/tokens?size=5")
	require.NoError(t, err)
	defer res.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	require.NoError(t, err)
	assert.JSONEq(t, `{"total":0,"entries":[],"Link":[]}`, b.String())
}
