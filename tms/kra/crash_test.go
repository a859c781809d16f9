package kra_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/keydb"
)

// Variables that tell the child process what to do: where the authority's files are, and at which
// failpoint it is to end itself; without one it makes keys until it is killed.
const (
	crashHome  = "TOKENWRIGHT_TEST_KRA_HOME"
	crashPoint = "TOKENWRIGHT_TEST_KRA_FAILPOINT"
)

// TestChild is what the child process runs; in the parent it does nothing.
func TestChild(t *testing.T) {
	dir := os.Getenv(crashHome)
	if dir == "" {
		t.Skip("for the child process of the crash tests")
	}
	h := home{dir: dir}
	l := h.open(t, config())
	h.transport = transportOf(t, dir)
	if point := os.Getenv(crashPoint); point != "" {
		l.fail = func(name string) error {
			if name == point {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // the signal is on its way
			}
			return nil
		}
		everything(t, h, l)
		return
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d.%d.%d", os.Getpid(), w, n)
				res, err := l.GenerateKeyPair(context.Background(), request(id, h.newCardKey(t, 0)))
				if err != nil {
					panic(err)
				}
				fmt.Fprintf(os.Stdout, "promise %s %s\n", id, digest(res.PublicKey))
			}
		})
	}
	wg.Wait()
}

// everything does what passes each failpoint. What a killed process did before is found done.
func everything(t testing.TB, h home, l *lab) {
	t.Helper()
	ctx := context.Background()
	c := h.newCardKey(t, connector.WrapAESKWP)
	res, err := l.GenerateKeyPair(ctx, request("enrolment", c))
	require.NoError(t, err)
	fmt.Fprintf(os.Stdout, "promise enrolment %s\n", digest(res.PublicKey))
	_, err = l.RecoverKey(ctx, connector.KeyRecoveryRequest{CUID: other, UserID: "alice",
		KeyID: res.KeyID, CardTransport: c.sent})
	require.NoError(t, err)
	a := l.Agents()
	q, err := a.Make(ctx, "ann", exportOf(res.KeyID))
	require.NoError(t, err)
	for _, who := range []string{"ann", "bob"} {
		_, err := a.Vote(ctx, who, q.ID, true)
		require.NoError(t, err)
	}
	_, err = a.Fulfil(ctx, "ann", q.ID, exportPassphrase)
	require.NoError(t, err)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// child starts the child process over a home and calls promise for what it promises, until it ends;
// promise tells whether it is to be killed.
func child(t *testing.T, h home, point string, promise func(id, key string) (kill bool)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), crashHome+"="+h.dir, crashPoint+"="+point)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[0] != "promise" || len(words[2]) != 16 {
			continue // of the test's own, or cut by the kill
		}
		if promise(words[1], words[2]) {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}

// TestKilledAtFailpoints kills the process at each failpoint, and then does the same work again to
// its end: the same request gives the same key, once, and the audit trail is whole.
func TestKilledAtFailpoints(t *testing.T) {
	for _, point := range kra.Failpoints() {
		t.Run(point, func(t *testing.T) {
			h := newHome(t, t.TempDir())
			promised := map[string]string{}
			child(t, h, point, func(id, key string) bool { promised[id] = key; return false })
			l := h.open(t, config())
			before := l.events(t)
			info, err := l.FindKey(t.Context(), connector.KeyQuery{RequestID: "enrolment"})
			if point == kra.Failpoints()[0] {
				require.ErrorIs(t, err, connector.ErrKeyNotFound, "nothing was archived, nothing given")
				assert.Empty(t, before)
			} else {
				require.NoError(t, err)
				assert.Equal(t, "key_archived", before[0])
			}
			everything(t, h, l)
			again, err := l.FindKey(t.Context(), connector.KeyQuery{RequestID: "enrolment"})
			require.NoError(t, err)
			if info.KeyID != "" {
				assert.Equal(t, info, again)
			}
			for id, key := range promised {
				assert.Equal(t, digest(again.PublicKey), key, id)
			}
			n, err := l.db.Count(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, 1, n)
			want := map[string]string{kra.Failpoints()[2]: "key_archived",
				kra.Failpoints()[3]: "key_recovered", kra.Failpoints()[4]: "key_exported"}[point]
			if want != "" {
				assert.Equal(t, want, before[len(before)-1], "recorded before it leaves, not sooner")
			}
			l.events(t)
		})
	}
}

// TestKilledAtWork kills a process that makes keys as fast as it can, several times over the same
// archive: every key that was given is there, opens, and comes again for its request.
func TestKilledAtWork(t *testing.T) {
	h := newHome(t, t.TempDir())
	promised := map[string]string{}
	for round := range 3 {
		var seen atomic.Int64
		child(t, h, "", func(id, key string) bool {
			promised[id] = key
			return seen.Add(1) == int64(40+25*round)
		})
	}
	l := h.open(t, config())
	require.Greater(t, len(promised), 190)
	for id, key := range promised {
		c := h.newCardKey(t, connector.WrapAESKWP)
		res, err := l.GenerateKeyPair(t.Context(), request(id, c))
		require.NoError(t, err)
		require.Equal(t, key, digest(res.PublicKey))
		c.open(t, res)
	}
	_, err := l.db.Verify(t.Context())
	require.NoError(t, err)
	keys, err := l.db.Keys(t.Context(), keydb.KeyFilter{})
	require.NoError(t, err)
	archivedEvents := 0
	for after := int64(0); ; {
		page, err := l.db.Events(t.Context(), keydb.EventFilter{After: after})
		require.NoError(t, err)
		for _, e := range page {
			if after = e.Seq; e.Kind == keydb.KeyArchived {
				archivedEvents++
			}
		}
		if len(page) < keydb.MaxPage {
			break
		}
	}
	assert.Len(t, keys, archivedEvents, "a key and its event are one")
}
