package instance

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A TPS says at its start which of its systems do not answer, and when they do.
func TestWhoDoesNotAnswerIsSaid(t *testing.T) {
	dir, _ := newInstance(t)
	addCA(t, dir, "ca1", nil)
	addKRA(t, dir, nil)
	tps, log := open(t, dir, Options{Subsystems: []string{TPS}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tps.tps.lookAround(ctx, patience{300 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond})
	}()
	said := func(words ...string) func() bool {
		return func() bool {
			for line := range strings.SplitSeq(log.String(), "\n") {
				all := true
				for _, w := range words {
					all = all && strings.Contains(line, w)
				}
				if all {
					return true
				}
			}
			return false
		}
	}
	require.Eventually(t, said("does not answer", "connector=kra1", "refused"), 20*time.Second,
		10*time.Millisecond)
	require.Eventually(t, said("does not answer", "connector=tks1"), 20*time.Second, 10*time.Millisecond)
	require.Eventually(t, said("does not answer", "connector=ca1"), 20*time.Second, 10*time.Millisecond)
	kra, _ := open(t, dir, Options{Subsystems: []string{KRA}})
	stopKRA := serve(t, kra)
	require.Eventually(t, said("answers now", "connector=kra1"), 30*time.Second, 10*time.Millisecond)
	cancel()
	<-done
	require.NoError(t, stopKRA())
}

func TestRefusals(t *testing.T) {
	dir, _ := newInstance(t)
	addKRA(t, dir, nil)
	kra, _ := open(t, dir, Options{Subsystems: []string{KRA}})
	stop := serve(t, kra)
	i, _ := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.ElementsMatch(t, []string{"tks1", "kra1"}, i.tps.joined.remote())
	p := i.tps.part
	cfg, err := peerConfig(p, p.conf.Sub("tps.connector.kra1"), "kra1")
	require.NoError(t, err)
	require.NoError(t, reach(t.Context(), cfg))
	cfg.TLS.Certificates = nil
	err = reach(t.Context(), cfg)
	require.Error(t, err)
	assert.True(t, isRefusal(err), err)
	cfg.Hosts = "127.0.0.1:1 " + cfg.Hosts
	require.Error(t, reach(t.Context(), cfg))
	cfg, err = peerConfig(p, p.conf.Sub("tps.connector.kra1"), "kra1")
	require.NoError(t, err)
	cfg.Hosts = "127.0.0.1:1 " + cfg.Hosts
	require.NoError(t, reach(t.Context(), cfg), "the second one answers")
	cfg.TLS.RootCAs = nil
	err = reach(t.Context(), cfg)
	assert.True(t, isRefusal(err), err)
	assert.False(t, isRefusal(context.DeadlineExceeded))
	require.NoError(t, stop())
}
