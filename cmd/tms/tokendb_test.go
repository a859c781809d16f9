package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

func tokendb(t *testing.T, want int, args ...string) (out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code := run(t.Context(), append([]string{"tokendb"}, args...), &o, &e)
	require.Equal(t, want, code, "%s%s", o.String(), e.String())
	return o.String(), e.String()
}

func TestTokendbMigrate(t *testing.T) {
	dir := t.TempDir()
	from, to := "sqlite:"+filepath.Join(dir, "a.db"), "sqlite:"+filepath.Join(dir, "b.db")
	state := filepath.Join(dir, "state")
	args := []string{"migrate", "--from", from, "--to", to, "--state", state}
	_, errOut := tokendb(t, exitInstance, args...)
	require.Contains(t, errOut, "a.db")

	s, err := sql.Open(t.Context(), filepath.Join(dir, "a.db"))
	require.NoError(t, err)
	rec := token.NewRecord(keys.CUID{1}, token.Policy{})
	_, err = s.Apply(t.Context(), store.Change{CUID: keys.CUID{1}, New: &rec, Actor: "a", Why: "w",
		At: time.Now(), Activities: []token.Activity{{Op: token.OpAdd, Result: token.Success}}})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	out, errOut := tokendb(t, 0, args...)
	require.Contains(t, out, "1 tokens, 1 activities")
	require.Contains(t, errOut, "of 1 tokens, 1 activities")
	_, err = os.Stat(state)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, errOut = tokendb(t, exitExists, args...)
	require.Contains(t, errOut, "not empty")
	tokendb(t, 0, append(args, "--resume", "--json")...)
	tokendb(t, exitUsage, "migrate", "--from", from, "--to", from)
	tokendb(t, exitFailed, "migrate", "--from", from)
}

func TestTokendbSchema(t *testing.T) {
	out, _ := tokendb(t, 0, "schema", "openldap")
	require.Contains(t, out, "NAME 'tokenRecord'")
	require.Contains(t, out, "NAME 'tmsCard'")
	out, _ = tokendb(t, 0, "schema", "389ds", "--without-dogtag")
	require.Contains(t, out, "dn: cn=schema")
	require.NotContains(t, out, "NAME 'tokenRecord'")
	out, _ = tokendb(t, 0, "schema", "389ds", "--indexes")
	require.Contains(t, out, "nsIndex")
	dir := t.TempDir()
	tokendb(t, 0, "schema", "openldap", "--to", dir)
	_, err := os.Stat(filepath.Join(dir, "openldap-tokenwright.schema"))
	require.NoError(t, err)
	tokendb(t, exitUsage, "schema", "nds")
}
