package lot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/sampling"
)

func header(t *testing.T, size int) Header {
	t.Helper()
	aql, err := sampling.ParseAQL("0.65")
	require.NoError(t, err)
	plan, err := sampling.New(size, "II", aql, sampling.Normal)
	require.NoError(t, err)
	return Header{Name: "box 7", AQL: "0.65", Level: "II", Plan: plan, Started: time.Unix(1, 0).UTC()}
}

func create(t *testing.T, size int) (*Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lot.jsonl")
	j, err := Create(path, header(t, size))
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j, path
}

func cuid(i int) string { return fmt.Sprintf("%020X", i) }

func TestALotIsAcceptedOrRejectedByItsNumbers(t *testing.T) {
	for _, c := range []struct {
		bad  int
		want sampling.Verdict
		at   int
	}{{3, sampling.Accepted, 200}, {4, sampling.Rejected, 4}} {
		j, _ := create(t, 10000)
		for i := 0; ; i++ {
			looked, _, verdict := j.State()
			if verdict != sampling.Open {
				assert.Equal(t, c.want, verdict)
				assert.Equal(t, c.at, looked)
				break
			}
			require.NoError(t, j.Count(Card{CUID: cuid(i), Bad: i < c.bad}))
		}
		require.ErrorIs(t, j.Count(Card{CUID: cuid(9999)}), ErrDone)
	}
}

func TestACardCountsOnce(t *testing.T) {
	j, _ := create(t, 10000)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range 8 { // several readers at a time
		wg.Go(func() { errs <- j.Count(Card{CUID: cuid(1)}) })
	}
	wg.Wait()
	close(errs)
	counted := 0
	for err := range errs {
		if err == nil {
			counted++
		} else {
			assert.ErrorIs(t, err, ErrCounted)
		}
	}
	assert.Equal(t, 1, counted)
	assert.True(t, j.Counted(cuid(1)))
	assert.Error(t, j.Count(Card{}))
}

// The process may die at any byte of what it writes: the cards whose lines are whole are counted, and
// the inspection goes on.
func TestInterruptedAtEveryByte(t *testing.T) {
	j, path := create(t, 10000)
	require.NoError(t, j.Count(Card{CUID: cuid(1), Bad: true, Why: []string{"PIN-03"}}))
	require.NoError(t, j.Count(Card{CUID: cuid(2)}))
	require.NoError(t, j.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	first := strings.IndexByte(string(whole), '\n') + 1
	for n := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		j, err := Open(path)
		if n < first {
			require.ErrorIs(t, err, ErrJournal)
			continue
		}
		require.NoError(t, err, n)
		lines := strings.Count(string(whole[first:n]), "\n")
		require.Len(t, j.Cards(), lines)
		require.NoError(t, j.Count(Card{CUID: cuid(3)}))
		require.NoError(t, j.Close())
		j, err = Open(path)
		require.NoError(t, err)
		require.Len(t, j.Cards(), lines+1)
		require.NoError(t, j.Close())
	}
}

func TestAnotherProcessIsKeptOut(t *testing.T) {
	j, path := create(t, 500)
	_, err := Open(path)
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, j.Close())
	_, err = Create(path, header(t, 500))
	require.ErrorIs(t, err, os.ErrExist)
}

func TestChangedJournalsAreRefused(t *testing.T) {
	j, path := create(t, 10000)
	require.NoError(t, j.Count(Card{CUID: cuid(1)}))
	require.NoError(t, j.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	text := string(b)
	second := text[strings.IndexByte(text, '\n')+1:]
	for _, bad := range []string{
		"", "{}\n", text + second, text + "{}\n", text + "junk\n",
		strings.Replace(text, `"accept":3`, `"accept":4`, 1),
		strings.Replace(text, `"aql":"0.65"`, `"aql":"1.0"`, 1),
		text + strings.Repeat(" ", maxLine+1) + "\n",
	} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, err := Open(path)
		require.ErrorIs(t, err, ErrJournal, "%.60q", bad)
	}
}

func TestKeysOfALot(t *testing.T) {
	// 15 = 3*5 and 21 = 3*7 share a prime; 1 in place of a modulus has every fingerprint.
	got, err := Keys([]Card{
		{CUID: "A", Moduli: []string{"F"}}, {CUID: "B", Moduli: []string{"15", "8F"}},
		{CUID: "C", Moduli: []string{"8F"}},
	})
	require.NoError(t, err)
	text := strings.Join(got, "\n")
	assert.Contains(t, text, "card C: a modulus that another key has too")
	assert.Contains(t, text, "card A: a modulus that shares a prime")
	assert.Contains(t, text, "card B: a modulus that shares a prime")
	_, err = Keys([]Card{{CUID: "A", Moduli: []string{"xyz"}}})
	assert.Error(t, err)
	none, err := Keys(nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}
