package sql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

// BenchmarkDurableChange measures changes of a record, each with an activity
// and each on the disk when it returns, beside the floor that the disk sets:
// one page written and synced for each change.
func BenchmarkDurableChange(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d/ours", writers), func(b *testing.B) { benchStore(b, writers) })
		b.Run(fmt.Sprintf("writers=%d/baseline", writers), func(b *testing.B) { benchDisk(b, writers) })
	}
}

// spread runs b.N calls of do over the given number of goroutines and reports
// calls per second. do is told which goroutine it is in.
func spread(b *testing.B, writers int, do func(writer int) error) {
	b.Helper()
	b.SetParallelism((writers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	var next atomic.Int64
	b.ResetTimer()
	start := time.Now()
	if writers == 1 {
		for range b.N {
			if err := do(0); err != nil {
				b.Fatal(err)
			}
		}
	} else {
		b.RunParallel(func(pb *testing.PB) {
			w := int(next.Add(1) - 1)
			for pb.Next() {
				if err := do(w); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "changes/s")
}

func benchStore(b *testing.B, writers int) {
	s, err := sql.Open(b.Context(), filepath.Join(b.TempDir(), "tokens.db"))
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	at := time.Unix(1_700_000_000, 0)
	recs := make([]token.Record, 64)
	for w := range recs {
		rec := token.NewRecord(card(w), token.Policy{})
		recs[w], err = s.Apply(b.Context(), store.Change{
			CUID: card(w), New: &rec, Actor: "bench", Why: "bench", At: at,
		})
		require.NoError(b, err)
	}
	spread(b, writers, func(w int) error {
		old := recs[w]
		next := old.InState(token.Formatted)
		var err error
		recs[w], err = s.Apply(b.Context(), store.Change{
			CUID: old.CUID, Old: &old, New: &next, Actor: "bench", Why: "bench", At: at,
			Activities: []token.Activity{{Op: token.OpFormat, Result: token.Success}},
		})
		return err
	})
}

// benchDisk writes and syncs a page for each change; with several writers each
// has a file of its own.
func benchDisk(b *testing.B, writers int) {
	dir, page := b.TempDir(), make([]byte, 4096)
	files := make([]*os.File, 64)
	for w := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(w)))
		require.NoError(b, err)
		defer func() { require.NoError(b, f.Close()) }()
		files[w] = f
	}
	spread(b, writers, func(w int) error {
		if _, err := files[w].Write(page); err != nil {
			return err
		}
		return files[w].Sync()
	})
}
