package kra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
)

const deadline = 20 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fakeKey makes keys that can be told apart, at once.
func fakeKey(made *atomic.Int64) func(int) (*pair, error) {
	return func(bits int) (*pair, error) {
		n := made.Add(1)
		return &pair{kind: connector.KeyRSA, bits: bits, pkcs8: fmt.Appendf(nil, "%d-%d", bits, n)}, nil
	}
}

func waitFull(t *testing.T, p *pool) {
	t.Helper()
	require.Eventually(t, func() bool {
		for bits, n := range p.depth() {
			if n < cap(p.ready[bits]) {
				return false
			}
		}
		return true
	}, deadline, time.Millisecond)
}

func TestPoolKeepsKeysReady(t *testing.T) {
	var made atomic.Int64
	p := newPool(map[int]int{2048: 4, 3072: 2, 4096: 0}, 2, quiet(), fakeKey(&made))
	waitFull(t, p)
	require.Eventually(t, func() bool { return made.Load() == 4+2+2 }, deadline, time.Millisecond,
		"bounded: one more of each size waits")
	assert.Equal(t, map[int]int{2048: 4, 3072: 2}, p.depth())
	seen := map[string]bool{}
	for range 50 {
		k, err := p.take(t.Context(), 2048)
		require.NoError(t, err)
		require.Equal(t, 2048, k.bits)
		require.False(t, seen[string(k.pkcs8)], "each key once")
		seen[string(k.pkcs8)] = true
	}
	k, err := p.take(t.Context(), 4096)
	require.NoError(t, err, "a size that is not kept is made")
	assert.Equal(t, 4096, k.bits)
	waitFull(t, p)
	p.close()
	p.close()
}

// What nobody took is overwritten.
func TestPoolWipes(t *testing.T) {
	var made atomic.Int64
	var mu sync.Mutex
	var all []*pair
	fake := fakeKey(&made)
	p := newPool(map[int]int{2048: 3}, 1, quiet(), func(bits int) (*pair, error) {
		k, err := fake(bits)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, k)
		return k, err
	})
	waitFull(t, p)
	p.close()
	require.GreaterOrEqual(t, len(all), 3)
	for _, k := range all {
		assert.Equal(t, make([]byte, len(k.pkcs8)), k.pkcs8)
	}
}

func TestPoolGivesUpWithItsCaller(t *testing.T) {
	block := make(chan struct{})
	p := newPool(nil, 1, quiet(), func(int) (*pair, error) {
		<-block
		return &pair{}, nil
	})
	defer p.close()
	taken := make(chan error)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			_, err := p.take(context.Background(), 2048)
			taken <- err
		}()
	}
	require.Eventually(t, func() bool { return len(p.now) == cap(p.now) }, deadline, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.take(ctx, 2048)
	require.ErrorIs(t, err, context.Canceled)
	close(block)
	for range runtime.GOMAXPROCS(0) {
		require.NoError(t, <-taken)
	}
}

func TestPoolOutlivesFailure(t *testing.T) {
	var tries atomic.Int64
	var made atomic.Int64
	ok := fakeKey(&made)
	var log bytes.Buffer
	p := newPool(map[int]int{2048: 1}, 1, slog.New(slog.NewTextHandler(&log, nil)),
		func(bits int) (*pair, error) {
			if tries.Add(1) == 1 {
				return nil, errors.New("no luck")
			}
			return ok(bits)
		})
	waitFull(t, p)
	p.close()
	assert.Contains(t, log.String(), "no luck")
}

// What printed a pair shows nothing of its private key.
func TestPairRedacts(t *testing.T) {
	k, err := makeEC(256)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		assert.Equal(t, "EC-256 key pair", fmt.Sprintf(verb, k))
	}
	private := bytes.Clone(k.pkcs8)
	k.wipe()
	assert.NotEqual(t, private, k.pkcs8)
	assert.Equal(t, make([]byte, len(private)), k.pkcs8)
	_, err = makeEC(255)
	require.Error(t, err)
}
