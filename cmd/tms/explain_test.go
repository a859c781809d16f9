package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExplainFromTheCommandLine(t *testing.T) {
	dir, as := administered(t)
	base := []string{"explain", "--cuid", someToken, "--dir", dir}
	code, out, errOut := tms(append(base, "--op", "enroll", "--user", "alice", "--applet", "1.4",
		"--token-type", "soKey")...)
	require.Zero(t, code, errOut)
	for _, want := range []string{
		"a card that was never seen: the server does not know it",
		"soKey, by mapping 1 of enrollProfileMappingResolver",
		`filter tokenType wants "userKey", got "soKey": fails`,
		"mapping 3 would fit, but comes later", "UNFORMATTED to FORMATTED (7:0)",
		"FORMATTED to ACTIVE (0:4)", "token type soKey, key set defKeySet",
	} {
		assert.Contains(t, out, want)
	}
	code, _, errOut = tms("token", "add", someToken, "--user", "alice", "--reason", "x", "--dir", dir)
	require.Zero(t, code, errOut)
	_, out, _ = tms(append(base, "--op", "pinReset")...)
	assert.Contains(t, out, "the record that the server has")
	assert.Contains(t, out, "refused, code 27: the token is UNFORMATTED")
	_, out, _ = tmsOn(as("otto"), append(base, "--op", "pinReset", "--state", "ACTIVE", "--policy",
		"PIN_RESET=YES")...)
	assert.Contains(t, out, "the PIN may be reset")
	code, out, _ = tmsOn(as("otto"), append(base, "--op", "format", "--json")...)
	require.Zero(t, code)
	var got struct {
		TokenType, Record string
		Code              int
		Steps             []struct{ What string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	assert.Equal(t, "userKey", got.TokenType)
	assert.Len(t, got.Steps, 5)
}

func TestExplainWithoutAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "i")
	code, _, errOut := tms("init", dir)
	require.Zero(t, code, errOut)
	code, out, errOut := tms("explain", "--dir", dir, "--cuid", someToken)
	require.Zero(t, code, errOut)
	assert.Contains(t, out, "the server does not run")
	f, err := os.OpenFile(filepath.Join(dir, "tps", "CS.cfg"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("tokendb.allowedTransitions=0:7\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	code, _, errOut = tms("explain", "--dir", dir, "--cuid", someToken)
	assert.Equal(t, exitInstance, code)
	assert.Contains(t, errOut, "tokendb.allowedTransitions")
	for _, args := range [][]string{
		{"--cuid", "12"}, {}, {"--cuid", someToken, "--op", "dance"}, {"--cuid", someToken, "--state", "x"},
		{"--cuid", someToken, "--applet", "one"},
		{"--cuid", someToken, "--state", "ACTIVE", "--policy", "DANCE=YES"},
	} {
		code, _, errOut := tms(append([]string{"explain", "--dir", dir}, args...)...)
		assert.Equal(t, exitUsage, code, errOut)
	}
}
