package programs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fake puts a program of that name, a shell script, in front of the search path.
func fake(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestRunKeepsWhatAProgramSays(t *testing.T) {
	fake(t, "openssl", `read line; echo "got $line"; echo "$NAME" >&2; exit 3`)
	r, err := Run(t.Context(), Call{Name: "openssl", Args: []string{"x"}, Env: []string{"NAME=env"}, Stdin: []byte("in\n")})
	require.NoError(t, err)
	assert.Equal(t, 3, r.Code)
	assert.Equal(t, "got in\n", string(r.Stdout))
	assert.Equal(t, "env\n", string(r.Stderr))
	require.ErrorContains(t, r.Err(), "exit code 3")
	assert.ErrorContains(t, r.Err(), "$ openssl x\ngot in")
}

func TestRunKillsWhatTakesTooLong(t *testing.T) {
	fake(t, "openssl", "echo begun; sleep 60 & wait")
	begun := time.Now()
	_, err := Run(t.Context(), Call{Name: "openssl", Limit: 200 * time.Millisecond})
	require.ErrorIs(t, err, ErrTooLong)
	assert.ErrorContains(t, err, "begun")
	assert.Less(t, time.Since(begun), 10*time.Second, "its children are killed, too")
}

func TestStartAndStop(t *testing.T) {
	fake(t, "sshd", "echo ready; sleep 60")
	r, err := Start(t.Context(), Call{Name: "sshd"})
	require.NoError(t, err)
	ready := func(out string) bool { return out == "ready\n" }
	require.NoError(t, r.Await(t.Context(), "it", ready))
	require.NoError(t, r.Stop())
	require.NoError(t, r.Stop())
	assert.ErrorContains(t, r.Await(t.Context(), "more", func(string) bool { return false }), "has ended")
}

func TestMissingProgramsNameTheirPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Run(context.Background(), Call{Name: "pamtester"})
	require.ErrorContains(t, err, "pamtester is missing: apt install pamtester")
	_, err = Find("frobnicate")
	require.ErrorContains(t, err, "does not know")
	_, err = Module("frobnicate")
	require.ErrorContains(t, err, "knows no module")
}
