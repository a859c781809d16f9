package sql_test

import (
	"bufio"
	"context"
	stdsql "database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

// crashFile names, in the environment of the child process, the database that
// it is to write to until it is killed.
const crashFile = "TOKENWRIGHT_TEST_CRASH_FILE"

const crashWriters = 8

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		fmt.Fprintln(os.Stderr, writeForEver(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForEver changes one record for each writer over and over. Every change
// carries one activity, begins one intent and ends the one before. After each
// it prints the writer and the revision that the store has promised to keep.
func writeForEver(path string) error {
	ctx := context.Background()
	s, err := sql.Open(ctx, path)
	if err != nil {
		return err
	}
	failed := make(chan error)
	var output sync.Mutex
	for w := range crashWriters {
		go func() {
			failed <- writeOne(ctx, s, w, func(rev int64) {
				output.Lock()
				defer output.Unlock()
				fmt.Fprintf(os.Stdout, "%d %d\n", w, rev)
			})
		}()
	}
	return <-failed
}

func writeOne(ctx context.Context, s *sql.Store, w int, promise func(int64)) error {
	id := card(w)
	rec, err := s.Token(ctx, id)
	isNew := err != nil
	if isNew {
		rec = token.NewRecord(id, token.Policy{})
	}
	for {
		next := rec
		next.KeyInfo = fmt.Sprintf("%04X", rec.Rev+1)
		c := store.Change{
			CUID: id, New: &next, Actor: "child", Why: "crash test", Session: "s", At: time.Now(),
			Activities: []token.Activity{
				{Op: token.OpModify, Result: token.Success, Message: fmt.Sprint(rec.Rev + 1)},
			},
			Begin: []token.Intent{{
				ID: fmt.Sprintf("%d.%d", w, rec.Rev+1), Op: token.OpFormat,
				Kind: token.IntentPutKey, From: rec.KeyInfo, To: next.KeyInfo,
			}},
		}
		if !isNew {
			c.Old = &rec
			c.End = []store.IntentEnd{
				{ID: fmt.Sprintf("%d.%d", w, rec.Rev), Outcome: token.OutcomeDone},
			}
		}
		if rec, err = s.Apply(ctx, c); err != nil {
			return err
		}
		isNew = false
		promise(rec.Rev)
	}
}

func card(n int) keys.CUID {
	return keys.CUID{0x40, 0x90, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n)}
}

// TestKilledInMidWrite kills a process that writes as fast as it can, several
// times over the same file, and looks at what is left: everything promised, and
// nothing half done.
func TestKilledInMidWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	promised := make([]int64, crashWriters)
	for round := range 5 {
		killWriter(t, path, 100+67*round, promised)
		checkAfterCrash(t, path, promised)
	}
	t.Logf("revisions promised before the kills: %v", promised)
}

// killWriter runs the child until it has made some promises, then kills it.
func killWriter(t *testing.T, path string, promises int, promised []int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashFile+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); seen++ {
		writer, rev, ok := strings.Cut(lines.Text(), " ")
		require.True(t, ok)
		w, err := strconv.Atoi(writer)
		require.NoError(t, err)
		n, err := strconv.ParseInt(rev, 10, 64)
		if err != nil {
			break // the last line may be cut
		}
		promised[w] = max(promised[w], n)
		if seen == promises {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait(), "the child is killed")
	require.Greater(t, seen, promises, "the child ended before it was killed")
}

func checkAfterCrash(t *testing.T, path string, promised []int64) {
	t.Helper()
	s, err := sql.Open(t.Context(), path)
	require.NoError(t, err)
	for w, rev := range promised {
		if rev == 0 {
			continue // the child was killed before this writer's first promise
		}
		rec, err := s.Token(t.Context(), card(w))
		require.NoError(t, err)
		require.GreaterOrEqual(t, rec.Rev, rev, "a promised change is gone")
		require.Equal(t, fmt.Sprintf("%04X", rec.Rev), rec.KeyInfo)
		open, err := s.OpenIntents(t.Context(), card(w))
		require.NoError(t, err)
		require.Len(t, open, 1, "one intent for each change, all but the last ended")
		require.Equal(t, rec.KeyInfo, open[0].To)
		page, err := s.Activities(t.Context(), store.ActivityQuery{CUID: card(w), Limit: 1})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(rec.Rev), page.Activities[0].Message)
	}
	require.NoError(t, s.Close())

	db, err := stdsql.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var verdict string
	require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&verdict))
	require.Equal(t, "ok", verdict)
	var odd int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM tokens t WHERE
		rev <> (SELECT count(*) FROM activities a WHERE a.cuid = t.cuid) OR
		rev <> (SELECT count(*) FROM intents i WHERE i.cuid = t.cuid)`).Scan(&odd))
	require.Zero(t, odd, "records whose history does not match their revision")
}
